// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package journal keeps evidence as JSON lines in a file that only grows. It is
// the Recorder until the Merkle log takes its place: an intent is on disk before
// Intent returns, several at once share one sync, a line that a crash tore is cut
// off, and what a crash left without an outcome is marked Unknown at the next start.
package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fairway-cloud/fairway/internal/audit"
)

// Kinds of record.
const (
	kindIntent  = "intent"
	kindOutcome = "outcome"
)

// Record is one line.
type Record struct {
	// Sequence numbers the lines from 1, without gaps.
	Sequence int64 `json:"seq"`
	// Time when it was written, in UTC.
	Time time.Time `json:"time"`
	// Kind is intent or outcome.
	Kind string `json:"kind"`
	// Act of an intent.
	Act *audit.Act `json:"act,omitempty"`
	// Intent is the sequence of the intent that an outcome belongs to.
	Intent int64 `json:"intent,omitempty"`
	// Outcome of the act.
	Outcome *audit.Outcome `json:"outcome,omitempty"`
}

// Bounds that keep one act from filling the disk.
const (
	mostDetails = 1000
	mostText    = 4096
	mostLine    = 1 << 20
	mostQueue   = 1024
)

// ErrClosed says that the journal was closed. The act was not begun.
var ErrClosed = errors.New("the journal is closed")

// Journal implements audit.Recorder.
type Journal struct {
	file  *os.File
	path  string
	now   func() time.Time
	queue chan *entry
	done  chan struct{}

	mu     sync.RWMutex // held shared while something enters the queue
	closed bool

	// owned by the writer
	last    int64
	size    int64
	failed  error
	openIDs map[int64]bool
}

type entry struct {
	record Record
	result chan error
}

// Open opens or makes the journal at path, repairs its end and marks acts
// without an outcome as Unknown. One process at a time holds it.
func Open(path string) (*Journal, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("could not open journal %q: %w", path, err)
	}
	j := &Journal{
		file: file, path: path, now: time.Now,
		queue: make(chan *entry, mostQueue), done: make(chan struct{}),
		openIDs: map[int64]bool{},
	}
	if err := j.recover(); err != nil {
		_ = file.Close()
		return nil, err
	}
	go j.write()
	return j, j.sweep()
}

func (j *Journal) recover() error {
	if err := unix.Flock(int(j.file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return fmt.Errorf("could not open journal %q: another process holds it; stop that one first: %w", j.path, err)
	}
	good, err := Read(j.file, func(r Record) error {
		j.last = r.Sequence
		if r.Kind == kindIntent {
			j.openIDs[r.Sequence] = true
		} else {
			delete(j.openIDs, r.Intent)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("could not read journal %q: %w; keep a copy of it and look at it before anything is changed", j.path, err)
	}
	if err := j.file.Truncate(good); err != nil {
		return fmt.Errorf("could not cut the torn end off journal %q: %w", j.path, err)
	}
	if _, err := j.file.Seek(good, io.SeekStart); err != nil {
		return fmt.Errorf("could not find the end of journal %q: %w", j.path, err)
	}
	j.size = good
	if err := j.file.Sync(); err != nil {
		return fmt.Errorf("could not sync journal %q: %w", j.path, err)
	}
	return syncFolder(j.path)
}

// sweep writes Unknown for what a crash left open.
func (j *Journal) sweep() error {
	left := make([]int64, 0, len(j.openIDs))
	for id := range j.openIDs {
		left = append(left, id)
	}
	slices.Sort(left)
	for _, id := range left {
		err := j.Outcome(context.Background(), strconv.FormatInt(id, 10), audit.Outcome{
			Result: audit.Unknown, Message: "the server stopped before the act ended; what came of it shows in the objects themselves",
		})
		if err != nil {
			return errors.Join(err, j.Close())
		}
	}
	return nil
}

// Intent implements audit.Recorder.
func (j *Journal) Intent(ctx context.Context, act audit.Act) (string, error) {
	act = bounded(act)
	e, err := j.append(ctx, Record{Kind: kindIntent, Act: &act})
	if err != nil {
		return "", err
	}
	return strconv.FormatInt(e.record.Sequence, 10), nil
}

// Outcome implements audit.Recorder.
func (j *Journal) Outcome(ctx context.Context, id string, outcome audit.Outcome) error {
	intent, err := strconv.ParseInt(id, 10, 64)
	if err != nil || intent < 1 {
		return fmt.Errorf("could not record the outcome of %q: that is no number of an intent", id)
	}
	outcome.Message = clip(outcome.Message)
	_, err = j.append(ctx, Record{Kind: kindOutcome, Intent: intent, Outcome: &outcome})
	return err
}

func (j *Journal) append(ctx context.Context, r Record) (*entry, error) {
	e := &entry{record: r, result: make(chan error, 1)}
	if err := j.enqueue(ctx, e); err != nil {
		return nil, err
	}
	// From here on the record may become durable: wait for the answer, which the
	// writer always gives.
	if err := <-e.result; err != nil {
		return nil, err
	}
	return e, nil
}

func (j *Journal) enqueue(ctx context.Context, e *entry) error {
	j.mu.RLock()
	defer j.mu.RUnlock()
	if j.closed {
		return ErrClosed
	}
	select {
	case j.queue <- e:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("could not record: the journal is too slow: %w", ctx.Err())
	}
}

// write is the one writer. What waits together is written and synced together.
func (j *Journal) write() {
	defer close(j.done)
	for e := range j.queue {
		j.commit(j.gather(e))
	}
}

func (j *Journal) gather(first *entry) []*entry {
	batch := []*entry{first}
	for len(batch) < mostQueue {
		select {
		case e, ok := <-j.queue:
			if !ok {
				return batch
			}
			batch = append(batch, e)
		default:
			return batch
		}
	}
	return batch
}

func (j *Journal) commit(batch []*entry) {
	var lines []byte
	var taken []*entry
	last := j.last
	for _, e := range batch {
		last++
		e.record.Sequence, e.record.Time = last, j.now().UTC()
		line, err := json.Marshal(e.record)
		if err == nil && len(line) > mostLine {
			err = fmt.Errorf("could not record: the record has %d bytes, at most %d are taken", len(line), mostLine)
		}
		if err != nil {
			last--
			e.result <- err
			continue
		}
		lines = append(append(lines, line...), '\n')
		taken = append(taken, e)
	}
	err := j.store(lines)
	if err == nil {
		j.last = last
	}
	for _, e := range taken {
		e.result <- err
	}
}

// store writes and syncs. After a failed sync nobody knows what is on disk, so
// the journal takes nothing more until it is opened anew.
func (j *Journal) store(lines []byte) error {
	if j.failed != nil {
		return j.failed
	}
	if len(lines) == 0 {
		return nil
	}
	_, err := j.file.WriteAt(lines, j.size)
	if err != nil {
		// A full disk: take back what was half written; the next may fit.
		if cut := j.file.Truncate(j.size); cut != nil {
			j.failed = fmt.Errorf("could not repair journal %q after a failed write: %w", j.path, errors.Join(err, cut))
			return j.failed
		}
		return fmt.Errorf("could not write journal %q: %w", j.path, err)
	}
	if err := j.file.Sync(); err != nil {
		j.failed = fmt.Errorf("could not sync journal %q: %w", j.path, err)
		return j.failed
	}
	j.size += int64(len(lines))
	return nil
}

// Close writes what waits and closes the file.
func (j *Journal) Close() error {
	j.mu.Lock()
	if j.closed {
		j.mu.Unlock()
		return nil
	}
	j.closed = true
	close(j.queue)
	j.mu.Unlock()
	<-j.done
	return j.file.Close()
}

func bounded(act audit.Act) audit.Act {
	for _, field := range []*string{
		&act.Verb, &act.Person, &act.Subject, &act.Cluster, &act.Release, &act.Approval, &act.Verdict,
		&act.Reason, &act.Ticket, &act.Before, &act.After, &act.Trace,
	} {
		*field = clip(*field)
	}
	if len(act.Details) > mostDetails {
		cut := len(act.Details) - mostDetails
		act.Details = append(act.Details[:mostDetails:mostDetails], fmt.Sprintf("and %d more", cut))
	}
	for i := range act.Details {
		if len(act.Details[i]) > mostText {
			details := append([]string(nil), act.Details...)
			for k := range details {
				details[k] = clip(details[k])
			}
			act.Details = details
			break
		}
	}
	return act
}
