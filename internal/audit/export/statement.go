// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package export

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// Statement is what is signed about an exported file.
type Statement struct {
	About
	Format Format
	// Digest and Bytes of the file.
	Digest string
	Bytes  int64
	// Acts in the file.
	Acts int
	// Checkpoint of the log, as it is signed itself. Empty: the log has none.
	Checkpoint string
}

const title = "fairway evidence export"

// text is what the signature covers.
func (s Statement) text() string {
	out := &strings.Builder{}
	line := func(name, value string) { out.WriteString(name + ": " + oneLine(value) + "\n") }
	out.WriteString(title + "\n")
	line("file", s.Digest)
	line("bytes", strconv.FormatInt(s.Bytes, 10))
	line("format", string(s.Format))
	line("acts", strconv.Itoa(s.Acts))
	line("query", s.Query)
	line("by", s.By)
	line("at", s.At.UTC().Format(time.RFC3339))
	line("covers", strconv.FormatUint(s.Covers, 10))
	for part := range strings.Lines(s.Checkpoint) {
		part = strings.TrimSuffix(part, "\n")
		out.WriteString("| " + part + "\n")
	}
	return out.String()
}

func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "�"))
}

// Sign signs the statement.
func (s Statement) Sign(key note.Signer) ([]byte, error) {
	signed, err := note.Sign(&note.Note{Text: s.text()}, key)
	if err != nil {
		return nil, fmt.Errorf("could not sign the export: %w", err)
	}
	return signed, nil
}

// ErrAltered says that a file is not the one that was exported.
var ErrAltered = errors.New("the file is not what was exported")

// Check reads a signed statement and compares the file with it.
func Check(signed []byte, file io.Reader, key note.Verifier) (Statement, error) {
	opened, err := note.Open(signed, note.VerifierList(key))
	if err != nil {
		return Statement{}, fmt.Errorf("could not trust the statement: %w; it was altered, or signed by another key than %q", err, key.Name())
	}
	s, err := parse(opened.Text)
	if err != nil {
		return s, err
	}
	sum := NewSum(io.Discard)
	if _, err := io.Copy(sum, file); err != nil {
		return s, fmt.Errorf("could not read the exported file: %w", err)
	}
	if sum.Digest() != s.Digest || sum.Bytes != s.Bytes {
		return s, fmt.Errorf("%w: its digest is %s over %d bytes, the statement says %s over %d", ErrAltered, sum.Digest(), sum.Bytes, s.Digest, s.Bytes)
	}
	return s, nil
}

func parse(text string) (Statement, error) {
	s := Statement{}
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if lines[0] != title {
		return s, errors.New("could not read the statement: it is not about an export of evidence")
	}
	var errs []error
	whole := func(value string) uint64 {
		n, err := strconv.ParseUint(value, 10, 63)
		errs = append(errs, err)
		return n
	}
	for _, line := range lines[1:] {
		if part, ok := strings.CutPrefix(line, "| "); ok {
			s.Checkpoint += part + "\n"
			continue
		}
		name, value, _ := strings.Cut(line, ": ")
		switch name {
		case "file":
			s.Digest = value
		case "bytes":
			s.Bytes = int64(whole(value)) //nolint:gosec // 63 bits
		case "format":
			s.Format = Format(value)
		case "acts":
			s.Acts = int(whole(value)) //nolint:gosec // 63 bits
		case "query":
			s.Query = value
		case "by":
			s.By = value
		case "at":
			at, err := time.Parse(time.RFC3339, value)
			s.At = at
			errs = append(errs, err)
		case "covers":
			s.Covers = whole(value)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return s, fmt.Errorf("could not read the statement: %w", err)
	}
	return s, nil
}

// Sum counts and digests what passes to a writer.
type Sum struct {
	// Bytes that have passed.
	Bytes int64

	to   io.Writer
	hash hash.Hash
}

// NewSum returns a Sum in front of to.
func NewSum(to io.Writer) *Sum { return &Sum{to: to, hash: sha256.New()} }

// Write implements io.Writer.
func (s *Sum) Write(b []byte) (int, error) {
	n, err := s.to.Write(b)
	s.hash.Write(b[:n])
	s.Bytes += int64(n)
	return n, err
}

// Digest of what has passed.
func (s *Sum) Digest() string { return "sha256:" + hex.EncodeToString(s.hash.Sum(nil)) }
