// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package book is the truth about the bank's money: accounts, and a journal
// of double-entry transfers that survives kill -9.
//
// Every change is one record of the journal, and is acknowledged only after
// the record and all before it are synced to disk; transfers that arrive
// together share one sync. The journal alone is the state: opening a Book
// reads it from the start, and cuts off a last record that a crash left torn.
//
// Invariants: each record takes from one account what it gives to another, so
// the sum over all accounts, capital included, is 0; no account but capital
// is below 0; an id has at most one record.
package book

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
)

// ErrClosed tells that the book was closed or its disk failed; what was asked
// may or may not be in the journal. Ask again after reopening: the id protects.
var ErrClosed = errors.New("the book is closed")

// Disk is the journal's file. os.File is one; tests have one that crashes.
type Disk interface {
	io.Writer
	io.ReaderAt
	// Sync returns once everything written is durable.
	Sync() error
	Truncate(size int64) error
	Size() (int64, error)
}

// Book is an open journal. It is safe for concurrent use; only one Book may be
// open on a journal (see Lock).
type Book struct {
	disk   Disk
	work   chan struct{} // says that waiting has records
	done   chan struct{} // the committer has ended
	failed chan struct{} // closed on a disk error

	mu      sync.Mutex
	state   state
	offsets []int64 // where record i+1 begins
	size    int64   // bytes written or waiting to be
	waiting *batch  // records not yet handed to the disk
	last    *batch  // the newest batch: once durable, everything is
	closed  bool
}

// batch is what one sync makes durable.
type batch struct {
	lines   bytes.Buffer
	durable chan struct{} // closed once synced
	err     error         // set before durable is closed
}

// Open reads the journal, repairs its end, and writes the opening balances
// into an empty one. An existing journal keeps the accounts it has.
func Open(disk Disk, opening []Balance) (*Book, error) {
	b := &Book{
		disk: disk, state: newState(),
		work: make(chan struct{}, 1), done: make(chan struct{}), failed: make(chan struct{}),
	}
	if err := b.recover(); err != nil {
		return nil, fmt.Errorf("could not open the book: %w", err)
	}
	if err := b.openAccounts(opening); err != nil {
		return nil, fmt.Errorf("could not open the book: %w", err)
	}
	b.last = &batch{durable: make(chan struct{})}
	close(b.last.durable)
	go b.commit()
	return b, nil
}

// recover replays every whole record and truncates a torn end. A broken
// record with a whole one after it is not torn but damaged: that needs a
// person, since cutting there would lose what was acknowledged.
func (b *Book) recover() error {
	size, err := b.disk.Size()
	if err != nil {
		return err
	}
	in := bufio.NewReaderSize(io.NewSectionReader(b.disk, 0, size), 1<<20)
	var at, broken int64
	var why error
	for {
		line, err := in.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if len(line) == 0 {
			break
		}
		record, bad := decode(line)
		switch {
		case bad != nil && why == nil:
			broken, why = at, bad
		case bad == nil && why != nil:
			return fmt.Errorf("journal is damaged at byte %d (%w) although record %d follows: restore it from a backup", broken, why, record.Seq)
		case bad == nil:
			if err := b.state.replay(record); err != nil {
				return fmt.Errorf("journal does not add up at byte %d: %w: restore it from a backup", at, err)
			}
			b.offsets = append(b.offsets, at)
		}
		at += int64(len(line))
	}
	b.size = at
	if why != nil {
		if err := b.disk.Truncate(broken); err != nil {
			return err
		}
		if err := b.disk.Sync(); err != nil {
			return err
		}
		b.size = broken
	}
	return nil
}

// openAccounts adds the accounts of an empty journal, all in one write. A
// crash in between leaves some of them; the rest is added at the next start,
// since no transfer can be recorded before all are there.
func (b *Book) openAccounts(opening []Balance) error {
	if b.state.transfers > 0 || b.state.refused > 0 {
		return nil
	}
	var lines []byte
	for _, account := range opening {
		if _, there := b.state.balances[account.Account]; there {
			continue
		}
		record := Record{Seq: b.state.seq + 1, Kind: Opening, From: Capital, To: account.Account, Amount: account.Balance}
		if err := b.state.replay(record); err != nil {
			return err
		}
		b.offsets = append(b.offsets, b.size+int64(len(lines)))
		lines = append(lines, record.encode()...)
	}
	if len(lines) == 0 {
		return nil
	}
	if _, err := b.disk.Write(lines); err != nil {
		return err
	}
	b.size += int64(len(lines))
	return b.disk.Sync()
}

// Post records a transfer and returns its record once it is durable. The same
// id again returns the first record, whether it was done or refused; with
// other content it is an *Invalid error, as is a transfer that can never be.
// by and at are noted in the record (who wrote it, RFC 3339 time).
func (b *Book) Post(ctx context.Context, t Transfer, by, at string) (Record, error) {
	record, known, wait, err := b.enter(t, by, at)
	if err != nil {
		return Record{}, err
	}
	if err := wait.wait(ctx); err != nil {
		return Record{}, err
	}
	if !known {
		return record, nil
	}
	if record, err = b.read(record.Seq); err != nil {
		return Record{}, err
	}
	if record.From != t.From || record.To != t.To || record.Amount != t.Amount {
		return Record{}, invalid("id %q was used for another transfer (record %d): give each transfer its own id", t.ID, record.Seq)
	}
	return record, nil
}

// enter decides about a transfer and lines its record up for the disk. A known
// id yields its sequence number only.
func (b *Book) enter(t Transfer, by, at string) (Record, bool, *batch, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return Record{}, false, nil, ErrClosed
	}
	if seq, known := b.state.ids[t.ID]; known {
		return Record{Seq: seq}, true, b.last, nil
	}
	record, err := b.state.decide(t, by, at)
	if err != nil {
		return Record{}, false, nil, err
	}
	if err := b.state.replay(record); err != nil {
		return Record{}, false, nil, err
	}
	line := record.encode()
	b.offsets = append(b.offsets, b.size)
	b.size += int64(len(line))
	if b.waiting == nil {
		b.waiting = &batch{durable: make(chan struct{})}
		b.last = b.waiting
	}
	b.waiting.lines.Write(line)
	select {
	case b.work <- struct{}{}:
	default: // already told
	}
	return record, false, b.waiting, nil
}
