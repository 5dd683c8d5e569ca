// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package ledger

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/audit/tiles"
)

// errRefused says that a record does not fit the log, whether it is away or not.
var errRefused = errors.New("the record does not follow")

// write is the one writer. What waits together is written and synced together.
func (l *Ledger) write() {
	defer l.writing.Done()
	defer close(l.ended)
	for {
		select {
		case e, ok := <-l.queue:
			if !ok {
				return
			}
			l.commit(l.gather(e))
		case question := <-l.asks:
			question()
		}
	}
}

func (l *Ledger) gather(first *entry) []*entry {
	batch := []*entry{first}
	for len(batch) < mostQueue {
		select {
		case e, ok := <-l.queue:
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

// commit numbers the records, makes them durable and tells the callers.
func (l *Ledger) commit(batch []*entry) {
	err := l.room()
	if err == nil {
		err = l.rotate()
	}
	if err == nil {
		err = l.openYear()
	}
	if err != nil {
		l.away.Store(true)
		for _, e := range batch {
			e.result <- err
		}
		return
	}
	l.store(batch)
	l.saveSometimes()
}

// store is commit within the present year.
func (l *Ledger) store(batch []*entry) {
	var lines [][]byte
	var taken []*entry
	var heads []audit.Head
	now := l.options.Now().UTC()
	for _, e := range batch {
		there, err := l.number(e, now)
		if err != nil || there {
			e.result <- err
			continue
		}
		head := e.record.Head()
		if err := l.account.Take(head); err != nil {
			e.result <- fmt.Errorf("could not record: %w: %w", errRefused, err)
			continue
		}
		taken, heads, lines = append(taken, e), append(heads, head), append(lines, e.record.Canonical())
	}
	if len(taken) == 0 {
		return
	}
	year, index := l.last(), l.pending.next
	err := l.pending.append(lines)
	if l.away.Store(err != nil); err != nil {
		err = fmt.Errorf("could not record in %q: %w", l.options.Dir, err)
		for i := len(heads) - 1; i >= 0; i-- {
			l.account.Undo(heads[i])
		}
	} else {
		l.counted += uint64(len(lines))
		l.wait(lines)
	}
	for i, e := range taken {
		e.year, e.index = year, index+uint64(i)
		e.result <- err
	}
}

// number gives a record its source, number and time. A record that was kept
// elsewhere has them; it may be there already, from before a crash.
func (l *Ledger) number(e *entry, now time.Time) (there bool, err error) {
	r := &e.record
	if e.given {
		s := l.account[r.Source]
		return s != nil && r.Sequence <= s.Last, nil
	}
	if r.Source == "" {
		r.Source = l.options.Source
	}
	s := l.account[r.Source]
	if s == nil {
		s = &audit.Source{}
	}
	if e.late && !s.Open[r.Intent] {
		return true, nil
	}
	r.Sequence = s.Last + 1
	if r.Time.IsZero() {
		r.Time = now
	}
	return false, nil
}

// wait hands durable records over to the publisher.
func (l *Ledger) wait(lines [][]byte) {
	l.mu.Lock()
	l.waiting = append(l.waiting, lines...)
	for _, line := range lines {
		l.waitingBytes += len(line)
	}
	l.mu.Unlock()
	signal(l.wake)
}

// room waits until the tree has caught up with what was written. Where the tree
// cannot be written, nothing more is taken: a record that nobody can verify is
// little evidence.
func (l *Ledger) room() error {
	deadline := time.NewTimer(5 * time.Second)
	defer deadline.Stop()
	for {
		l.mu.RLock()
		full, cause, published := len(l.waiting) > mostPending || l.waitingBytes > mostPendingBytes, l.publishError, l.published
		l.mu.RUnlock()
		switch {
		case !full:
			return nil
		case cause != nil:
			return fmt.Errorf("could not record: too much waits for its checkpoint: %w", cause)
		}
		signal(l.urgent)
		select {
		case <-published:
		case <-deadline.C:
			return errors.New("could not record: too much waits for its checkpoint, and the disk is too slow")
		}
	}
}

// rotate begins the log of a new year. A clock that goes back leaves the year as
// it is: the order of the log is what counts.
func (l *Ledger) rotate() error {
	last, year := l.last(), l.options.Now().UTC().Year()
	if year <= last.year {
		return nil
	}
	if err := l.publish(); err != nil {
		return fmt.Errorf("could not finish the log of %d: %w", last.year, err)
	}
	next, err := beginYear(l.options.Dir, year, last.base+last.size(), l.key)
	if err != nil {
		return err
	}
	// Its last checkpoint holds everything: the pending files have done their work.
	_ = l.pending.close()
	files, _ := pendingFiles(last.dir)
	for _, f := range files {
		_ = os.Remove(f.path)
	}
	l.pending = &pending{dir: next.dir}
	l.mu.Lock()
	l.years = append(l.years, next)
	l.mu.Unlock()
	return nil
}

// openYear writes the first records of a year's log, where it has none.
func (l *Ledger) openYear() error {
	if l.pending.next > 0 {
		return nil
	}
	opening := l.opening()
	l.store(opening)
	return errors.Join(<-opening[0].result, <-opening[1].result)
}

// opening are the first two records of a year's log. They chain it to the last
// checkpoint of the year before.
func (l *Ledger) opening() []*entry {
	years := l.logs()
	act := audit.Act{Verb: OpeningVerb, Person: "fairway", Subject: fmt.Sprintf("EvidenceLog//%d", years[len(years)-1].year), From: l.options.Source, Class: audit.ClassSystem}
	if n := len(years); n > 1 {
		last := years[n-2].newest.Load()
		act.Before = Chain(last.Checkpoint.Marshal())
		act.Details = []string{fmt.Sprintf("the log of %d ends with %d records; %d records came before this one", years[n-2].year, last.Size, years[n-1].base)}
	}
	intent := int64(1)
	if s := l.account[l.options.Source]; s != nil {
		intent = s.Last + 1
	}
	return []*entry{
		{record: audit.Record{Kind: audit.KindIntent, Act: &act}, result: make(chan error, 1)},
		{record: audit.Record{Kind: audit.KindOutcome, Intent: intent, Outcome: &audit.Outcome{Result: audit.Done}}, result: make(chan error, 1)},
	}
}

// publishAll signs a checkpoint some time after records came in, or at once where
// somebody waits for it.
func (l *Ledger) publishAll() {
	defer l.running.Done()
	for {
		select {
		case <-l.live.Done():
			return
		case <-l.wake:
			select {
			case <-l.live.Done():
				return
			case <-l.urgent:
			case <-time.After(l.options.Interval):
			}
		case <-l.urgent:
		}
		if err := l.publish(); err != nil {
			select {
			case <-l.live.Done():
				return
			case <-time.After(time.Second):
				signal(l.wake)
			}
		}
	}
}

// publish takes what waits into the tree and signs a checkpoint.
func (l *Ledger) publish() error {
	l.publishing.Lock()
	defer l.publishing.Unlock()
	l.mu.RLock()
	year, batch := l.years[len(l.years)-1], l.waiting
	l.mu.RUnlock()
	if len(batch) == 0 {
		return nil
	}
	err := year.grow(batch, l.key)
	l.mu.Lock()
	if (err == nil) != (l.publishError == nil) {
		l.tell(err)
	}
	l.publishError = err
	if err == nil {
		l.waiting = append([][]byte(nil), l.waiting[len(batch):]...)
		for _, r := range batch {
			l.waitingBytes -= len(r)
		}
		close(l.published)
		l.published = make(chan struct{})
	}
	l.mu.Unlock()
	if err == nil {
		signal(l.copying)
	}
	return err
}

func (l *Ledger) tell(err error) {
	if err != nil {
		l.log.Error("no checkpoint can be signed; records are kept and it is tried again", "cause", err.Error())
		return
	}
	l.log.Info("checkpoints are signed again")
}

// Chain is how the first record of a year's log names the last checkpoint of the
// year before: the digest of the checkpoint's text.
func Chain(checkpoint []byte) string { return digest(checkpoint) }

// OpeningVerb is the verb of the first record of a year's log.
const OpeningVerb = "audit.open"

// openTree opens the tree of the year's newest checkpoint, to go on.
func (y *yearLog) openTree() error {
	if y.tree != nil {
		return nil
	}
	c := y.newest.Load()
	tree, err := tiles.Open(y.dir, c.Size, c.Hash)
	if err != nil {
		return fmt.Errorf("could not open the evidence log of %d: %w; run fairway audit verify, and restore it from the copy", y.year, err)
	}
	y.tree = tree
	return nil
}
