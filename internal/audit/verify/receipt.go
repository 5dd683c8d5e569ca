// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package verify

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"

	flog "github.com/transparency-dev/formats/log"
	fnote "github.com/transparency-dev/formats/note"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"

	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/platform/sealing"
)

// Proved is what a receipt proves.
type Proved struct {
	// Log that the record stands in, as its checkpoints name it, and its index there.
	Log   string
	Index uint64
	// Size of the log by the checkpoint.
	Size uint64
	// Record, where the receipt holds it.
	Record *audit.Record
	// Says is what the record says.
	Says string
	// Leaf is the record's hash.
	Leaf []byte
	// Witnessed is when the witness confirmed the checkpoint. Zero: no witness's key was
	// given, and whoever holds the log's key could have made the receipt up.
	Witnessed time.Time
}

// ErrProves says that a receipt does not prove what it says.
var ErrProves = errors.New("the receipt proves nothing")

// Keys are the public keys that a receipt is checked with.
type Keys struct {
	// Log is the log's.
	Log string
	// Witness is the witness's. Empty: nobody but the log's own key speaks.
	Witness string
	// Counter are those of countersignatures by other algorithms, such as SM2.
	Counter []string
}

// Receipt checks a receipt. Nothing but public keys is needed.
func Receipt(text []byte, keys Keys) (Proved, error) {
	var p Proved
	r, err := audit.ParseReceipt(text)
	if err != nil {
		return p, err
	}
	log, err := sealing.Verifier(keys.Log)
	if err != nil {
		return p, err
	}
	first, _, _ := bytes.Cut(r.Checkpoint, []byte("\n"))
	if name, _, _ := strings.Cut(string(first), "/"); name != log.Name() {
		return p, fmt.Errorf("%w: its checkpoint is of log %q, and the key given is that of log %q", ErrProves, first, log.Name())
	}
	c, _, _, err := flog.ParseCheckpoint(r.Checkpoint, string(first), log)
	if err != nil {
		return p, fmt.Errorf("%w: the log has not signed its checkpoint: %w", ErrProves, err)
	}
	p = Proved{Log: c.Origin, Index: r.Index, Size: c.Size, Leaf: r.Leaf}
	known := []note.Verifier{log}
	for _, text := range keys.Counter {
		counter, err := sealing.Verifier(text)
		if err != nil {
			return p, err
		}
		known = append(known, counter)
	}
	if keys.Witness != "" {
		witness, err := sealing.CosignatureVerifier(keys.Witness)
		if err != nil {
			return p, err
		}
		if p.Witnessed, err = confirmed(r.Checkpoint, witness); err != nil {
			return p, fmt.Errorf("%w: the witness %q has not confirmed its checkpoint: %w", ErrProves, witness.Name(), err)
		}
		known = append(known, witness)
	}
	opened, err := note.Open(r.Checkpoint, note.VerifierList(known...))
	if err != nil {
		return p, fmt.Errorf("%w: %w", ErrProves, err)
	}
	// A signature that nobody looks at could be altered without being noticed.
	if len(opened.UnverifiedSigs) > 0 && keys.Witness != "" {
		return p, fmt.Errorf("%w: it bears a signature of %q, whose key was not given", ErrProves, opened.UnverifiedSigs[0].Name)
	}
	if len(r.Entry) > 0 {
		p.Leaf = rfc6962.DefaultHasher.HashLeaf(r.Entry)
		record, err := audit.ParseRecord(r.Entry)
		if err != nil {
			return p, fmt.Errorf("%w: its record cannot be read: %w", ErrProves, err)
		}
		p.Record, p.Says = &record, says(record, r.Entry, nil)
	}
	if err := proof.VerifyInclusion(rfc6962.DefaultHasher, r.Index, c.Size, p.Leaf, r.Hashes, c.Hash); err != nil {
		return p, fmt.Errorf("%w: its record does not stand at index %d of the log: %w", ErrProves, r.Index, err)
	}
	return p, nil
}

func confirmed(checkpoint []byte, witness note.Verifier) (time.Time, error) {
	opened, err := note.Open(checkpoint, note.VerifierList(witness))
	if err != nil {
		return time.Time{}, err
	}
	return fnote.CoSigV1Timestamp(opened.Sigs[0])
}
