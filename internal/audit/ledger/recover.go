// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fairway-cloud/fairway/internal/audit"
)

// recover brings what the spool keeps into the log, and after a crash says of the
// acts that were under way that nobody knows. Where the log is away it tries again.
func (l *Ledger) recover(left []audit.Left) {
	defer l.running.Done()
	retry := time.NewTicker(time.Second)
	defer retry.Stop()
	for {
		select {
		case <-l.live.Done():
			return
		case <-retry.C:
		case <-l.recovering:
		}
		_ = l.restore(left)
	}
}

// restore brings in the spool, then sweeps: an outcome in the spool is better than
// none.
func (l *Ledger) restore(left []audit.Left) error {
	if err := l.reconcile(); err != nil {
		return err
	}
	return l.sweep(left)
}

// reconcile writes the records of the spool, oldest first, with their own times.
// Done twice, or half, it writes each record once.
func (l *Ledger) reconcile() error {
	for {
		records, err := l.spool.Next(256)
		if err != nil {
			if noted := l.note("audit.spool", err.Error()); noted != nil {
				return errors.Join(err, noted)
			}
			return l.spool.SetAside()
		}
		if len(records) == 0 {
			if n := l.spool.Dropped(); n > 0 {
				return l.note("audit.spool", fmt.Sprintf("%d records of the way back are lost: neither log nor spool nor memory could take them", n))
			}
			return nil
		}
		entries := make([]*entry, 0, len(records))
		for _, r := range records {
			own := r.Sequence > 0
			e := &entry{record: r, given: own, late: !own, result: make(chan error, 1)}
			if err = l.enqueue(l.live, e); err != nil {
				break
			}
			entries = append(entries, e)
		}
		done := 0
		for _, e := range entries {
			if failed := <-e.result; failed != nil {
				err = errors.Join(err, failed)
			} else if err == nil {
				done++
			}
		}
		if err := errors.Join(err, l.spool.Done(done)); err != nil {
			return err
		}
		l.log.Info("records that were kept while the log was away are in the log", "records", done)
	}
}

// sweep writes Unknown for what a crash left open: what was open at the start, and
// what an earlier process kept in its spool.
func (l *Ledger) sweep(left []audit.Left) error {
	if l.swept {
		return nil
	}
	asked := l.ask(func() {
		for _, open := range l.account.Left() {
			if open.Source != l.options.Source && open.Source != l.spool.Source() {
				left = append(left, open)
			}
		}
	})
	if !asked {
		return ErrClosed
	}
	for _, open := range left {
		if err := l.put(unknownOutcome(open)); err != nil {
			return err
		}
	}
	l.swept = true
	return nil
}

func unknownOutcome(of audit.Left) audit.Record {
	return audit.Record{Source: of.Source, Kind: audit.KindOutcome, Intent: of.Sequence, Outcome: &audit.Outcome{
		Result: audit.Unknown, Message: "the server stopped before the act ended; what came of it shows in the objects themselves",
	}}
}

// put writes a record unless its intent has an outcome already.
func (l *Ledger) put(r audit.Record) error {
	e := &entry{record: r, late: true, result: make(chan error, 1)}
	if err := l.enqueue(l.live, e); err != nil {
		return err
	}
	return <-e.result
}

// note records something that went wrong with the evidence itself.
func (l *Ledger) note(verb, message string) error {
	act := audit.Act{Verb: verb, Person: "fairway", Subject: "EvidenceLog//" + l.options.Source, From: l.options.Source}
	e, err := l.append(l.live, audit.Record{Kind: audit.KindIntent, Act: &act})
	if err != nil {
		return err
	}
	outcome := audit.Record{Kind: audit.KindOutcome, Intent: e.record.Sequence, Outcome: &audit.Outcome{Result: audit.Failed, Message: message}}
	if _, err := l.append(context.WithoutCancel(l.live), outcome.Fitted()); err != nil {
		return fmt.Errorf("could not note a failure of the evidence: %w", err)
	}
	return nil
}
