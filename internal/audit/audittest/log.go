// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package audittest is an evidence log in memory, for tests: it records and is
// read as the real one, and can be away.
package audittest

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/fairway-cloud/fairway/internal/audit"
)

// Log implements audit.Recorder and audit.Log.
type Log struct {
	mu      sync.Mutex
	source  string
	now     func() time.Time
	away    error
	entries []audit.Entry
}

// New makes an empty log whose records come from source, at the times of now.
func New(source string, now func() time.Time) *Log { return &Log{source: source, now: now} }

// ErrAway is what a log that is away answers.
var ErrAway = errors.New("the disk is full")

// SetAway makes writing fail, or work again.
func (l *Log) SetAway(away bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.away = nil
	if away {
		l.away = ErrAway
	}
}

// Intent implements audit.Recorder.
func (l *Log) Intent(_ context.Context, act audit.Act) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.away != nil {
		return "", l.away
	}
	r := l.append(audit.Record{Kind: audit.KindIntent, Act: &act})
	return strconv.FormatInt(r.Sequence, 10), nil
}

// Outcome implements audit.Recorder.
func (l *Log) Outcome(_ context.Context, id string, outcome audit.Outcome) error {
	intent, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.away != nil {
		return l.away
	}
	l.append(audit.Record{Kind: audit.KindOutcome, Intent: intent, Outcome: &outcome})
	return nil
}

func (l *Log) append(r audit.Record) audit.Record {
	r.Source, r.Sequence, r.Time = l.source, int64(len(l.entries))+1, l.now().UTC()
	l.entries = append(l.entries, audit.Entry{Index: uint64(len(l.entries)), Record: r})
	return r
}

// Act records a whole act.
func (l *Log) Act(act audit.Act, outcome audit.Outcome) {
	id, err := l.Intent(context.Background(), act)
	if err == nil {
		err = l.Outcome(context.Background(), id, outcome)
	}
	if err != nil {
		panic(err) // a test that records while it is away
	}
}

// Entries returns what was recorded.
func (l *Log) Entries() []audit.Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]audit.Entry(nil), l.entries...)
}

// Set replaces what was recorded.
func (l *Log) Set(entries []audit.Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = entries
}

// Size implements audit.Log.
func (l *Log) Size(context.Context) (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return uint64(len(l.entries)), nil
}

// Read implements audit.Log.
func (l *Log) Read(_ context.Context, from uint64, limit int) ([]audit.Entry, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if from >= uint64(len(l.entries)) {
		return nil, nil
	}
	rest := l.entries[from:]
	return append([]audit.Entry(nil), rest[:min(limit, len(rest))]...), nil
}

// Clock is a time that moves a second at each look.
func Clock(from time.Time) func() time.Time {
	var mu sync.Mutex
	return func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		from = from.Add(time.Second)
		return from
	}
}
