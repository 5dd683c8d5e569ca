// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package book

import (
	"context"
	"fmt"
	"io"
)

// wait returns once the batch is durable, or why it never will be.
func (b *batch) wait(ctx context.Context) error {
	select {
	case <-b.durable:
		return b.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// commit writes and syncs batch after batch. After a disk error nothing is
// written any more: what a failed sync left on disk is unknown, and only
// reading the journal again tells.
func (b *Book) commit() {
	defer close(b.done)
	var broken error
	for range b.work {
		b.mu.Lock()
		next := b.waiting
		b.waiting = nil
		b.mu.Unlock()
		if next == nil {
			continue
		}
		if broken == nil {
			if broken = b.write(next); broken != nil {
				b.mu.Lock()
				b.closed = true
				b.mu.Unlock()
				close(b.failed)
			}
		}
		if broken != nil {
			next.err = fmt.Errorf("%w: %w", ErrClosed, broken)
		}
		close(next.durable)
	}
}

func (b *Book) write(next *batch) error {
	if _, err := b.disk.Write(next.lines.Bytes()); err != nil {
		return fmt.Errorf("could not write the journal: %w", err)
	}
	if err := b.disk.Sync(); err != nil {
		return fmt.Errorf("could not sync the journal: %w", err)
	}
	return nil
}

// Failed is closed when the disk refused a write: the process must end, so
// that a new one reads what is really there.
func (b *Book) Failed() <-chan struct{} { return b.failed }

// Close refuses further transfers and returns once all earlier ones are
// answered. It may be called once.
func (b *Book) Close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	close(b.work) // enter sends only while not closed, and under the lock
	<-b.done
}

// Summary is what the ledger says about everything it holds.
type Summary struct {
	// Sum over all accounts but capital: the same for ever, since transfers
	// only move money.
	Sum int64 `json:"sum"`
	// Accounts is how many there are.
	Accounts int `json:"accounts"`
	// Transfers and Refused count the records of each kind.
	Transfers int64 `json:"transfers"`
	Refused   int64 `json:"refused"`
	// Seq is the last record of the journal.
	Seq int64 `json:"seq"`
}

// Summary adds up all balances, after making sure that they are durable.
func (b *Book) Summary(ctx context.Context) (Summary, error) {
	var out Summary
	err := b.settled(ctx, func() { out = b.state.summary() })
	return out, err
}

// Balances lists every account but capital, by name, once durable.
func (b *Book) Balances(ctx context.Context) ([]Balance, error) {
	var out []Balance
	err := b.settled(ctx, func() { out = b.state.list() })
	return out, err
}

// settled takes a picture and returns once all that is in it is durable.
func (b *Book) settled(ctx context.Context, picture func()) error {
	b.mu.Lock()
	picture()
	last := b.last
	b.mu.Unlock()
	return last.wait(ctx)
}

// Journal returns up to limit durable records from sequence number from on.
func (b *Book) Journal(ctx context.Context, from int64, limit int) ([]Record, error) {
	var to int64
	if err := b.settled(ctx, func() { to = b.state.seq }); err != nil {
		return nil, err
	}
	from = max(from, 1)
	out := []Record{}
	for seq := from; seq <= to && len(out) < limit; seq++ {
		record, err := b.read(seq)
		if err != nil {
			return nil, err
		}
		out = append(out, record)
	}
	return out, nil
}

// read fetches one durable record.
func (b *Book) read(seq int64) (Record, error) {
	b.mu.Lock()
	if seq < 1 || seq > int64(len(b.offsets)) {
		b.mu.Unlock()
		return Record{}, fmt.Errorf("could not read record %d: there are %d", seq, len(b.offsets))
	}
	start, end := b.offsets[seq-1], b.size
	if seq < int64(len(b.offsets)) {
		end = b.offsets[seq]
	}
	b.mu.Unlock()
	line := make([]byte, end-start)
	if _, err := b.disk.ReadAt(line, start); err != nil && err != io.EOF {
		return Record{}, fmt.Errorf("could not read record %d: %w", seq, err)
	}
	record, err := decode(line)
	if err != nil {
		return Record{}, fmt.Errorf("could not read record %d: %w", seq, err)
	}
	return record, nil
}
