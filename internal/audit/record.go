// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package audit

import (
	"context"
	"time"
)

// Kind says which of an act's two records a record is.
type Kind string

// The kinds of record.
const (
	KindIntent  Kind = "intent"
	KindOutcome Kind = "outcome"
)

// Record is one entry of the evidence log.
type Record struct {
	// Source numbers its own records: a server, or the spool that kept records
	// while the log was away.
	Source string `json:"source"`
	// Sequence numbers the records of a source from 1, without gaps, so that one
	// that is missing shows.
	Sequence int64 `json:"seq"`
	// Time when it was written, in UTC.
	Time time.Time `json:"time"`
	// Kind is intent or outcome.
	Kind Kind `json:"kind"`
	// Act of an intent.
	Act *Act `json:"act,omitempty"`
	// Intent is the sequence, within the same source, of the intent that an outcome
	// belongs to.
	Intent int64 `json:"intent,omitempty"`
	// Outcome of the act.
	Outcome *Outcome `json:"outcome,omitempty"`
}

// Entry is a record at its place in the log.
type Entry struct {
	// Index in the log, from 0.
	Index uint64 `json:"index"`
	// Record as it was written.
	Record Record `json:"record"`
}

// Log reads what the evidence log holds, in its order.
type Log interface {
	// Size is the number of records that the log's newest checkpoint covers.
	Size(ctx context.Context) (uint64, error)
	// Read returns up to limit records from index on.
	Read(ctx context.Context, from uint64, limit int) ([]Entry, error)
}
