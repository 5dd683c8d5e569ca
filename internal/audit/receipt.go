// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package audit

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Place is where an intent came to stand in the log.
type Place struct {
	// Known says that the log has it. What the spool keeps has no place yet.
	Known bool
	// Index in the log, from 0, over all years.
	Index uint64
	// Witnessed says that the witness has confirmed it.
	Witnessed bool
}

type placeKey struct{}

// WithPlace has whoever keeps the intent say where it stands.
func WithPlace(ctx context.Context) (context.Context, *Place) {
	p := &Place{}
	return context.WithValue(ctx, placeKey{}, p), p
}

// PlaceIn is the Place that waits to be filled in; nil: nobody asks.
func PlaceIn(ctx context.Context) *Place {
	p, _ := ctx.Value(placeKey{}).(*Place)
	return p
}

// Receipt proves, without the log and for good, that a record stands in it: whoever
// holds one needs the public keys of the log and of the witness and nothing else. Its
// text is that of C2SP tlog-proof, with what is proved as the extra data.
type Receipt struct {
	// Entry is the record as it was written. Empty: Leaf stands in for it.
	Entry []byte
	// Leaf is the hash of the record (RFC 6962, section 2.1), 32 bytes, where Entry is
	// left out.
	Leaf []byte
	// Index of the record in the log of its year, from 0.
	Index uint64
	// Hashes lead from the record to the root, the lowest first.
	Hashes [][]byte
	// Checkpoint is the signed one that they lead to.
	Checkpoint []byte
}

const (
	receiptHeader = "c2sp.org/tlog-proof@v1"
	// mostHashes is what a tree of 2^62 records needs, and mostReceipt the longest text.
	mostHashes  = 62
	mostReceipt = 256 << 10

	extraEntry, extraLeaf = 'e', 'h'
)

// Short is the receipt without the record itself.
func (r Receipt) Short(leaf []byte) Receipt {
	r.Entry, r.Leaf = nil, leaf
	return r
}

// Text is the receipt as it is kept.
func (r Receipt) Text() string {
	var b strings.Builder
	extra := append([]byte{extraEntry}, r.Entry...)
	if len(r.Entry) == 0 {
		extra = append([]byte{extraLeaf}, r.Leaf...)
	}
	fmt.Fprintf(&b, "%s\nextra %s\nindex %d\n", receiptHeader, base64.StdEncoding.EncodeToString(extra), r.Index)
	for _, h := range r.Hashes {
		b.WriteString(base64.StdEncoding.EncodeToString(h) + "\n")
	}
	b.WriteString("\n")
	b.Write(r.Checkpoint)
	return b.String()
}

// ErrReceipt says that a text is no receipt.
var ErrReceipt = errors.New("this is no receipt")

// ParseReceipt reads a receipt. It takes the one way to write each and no other.
func ParseReceipt(text []byte) (Receipt, error) {
	var r Receipt
	bad := func(what string) (Receipt, error) { return Receipt{}, fmt.Errorf("%w: %s", ErrReceipt, what) }
	if len(text) > mostReceipt {
		return bad("it is too long")
	}
	head, checkpoint, found := bytes.Cut(text, []byte("\n\n"))
	if !found || len(checkpoint) == 0 {
		return bad("it has no checkpoint")
	}
	lines := strings.Split(string(head), "\n")
	if len(lines) < 3 || lines[0] != receiptHeader {
		return bad("it does not begin with " + receiptHeader)
	}
	strict := base64.StdEncoding.Strict()
	extra, err := strict.DecodeString(strings.TrimPrefix(lines[1], "extra "))
	if err != nil || !strings.HasPrefix(lines[1], "extra ") || len(extra) < 2 {
		return bad("it does not say which record it is of")
	}
	switch extra[0] {
	case extraEntry:
		r.Entry = extra[1:]
	case extraLeaf:
		r.Leaf = extra[1:]
	default:
		return bad("it does not say which record it is of")
	}
	number := strings.TrimPrefix(lines[2], "index ")
	if r.Index, err = strconv.ParseUint(number, 10, 63); err != nil || lines[2] != "index "+strconv.FormatUint(r.Index, 10) {
		return bad("it does not say where its record stands")
	}
	if len(lines)-3 > mostHashes {
		return bad("its proof is longer than any can be")
	}
	for _, line := range lines[3:] {
		hash, err := strict.DecodeString(line)
		if err != nil || len(hash) != 32 {
			return bad("its proof is not made of hashes")
		}
		r.Hashes = append(r.Hashes, hash)
	}
	for line := range strings.Lines(string(checkpoint)) {
		// The same signature can be written in several ways, of which only one is taken.
		if signature, ok := strings.CutPrefix(line, "— "); ok {
			_, value, _ := strings.Cut(strings.TrimSuffix(signature, "\n"), " ")
			if _, err := strict.DecodeString(value); err != nil {
				return bad("a signature is not written as signatures are")
			}
		}
	}
	r.Checkpoint = checkpoint
	if r.Text() != string(text) {
		return bad("it is not written as receipts are")
	}
	return r, nil
}
