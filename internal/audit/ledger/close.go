// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package ledger

import (
	"errors"
	"time"
)

// Close writes what waits, signs a last checkpoint and lets go of the folder.
func (l *Ledger) Close() error {
	l.entering.Lock()
	if l.shut {
		l.entering.Unlock()
		return nil
	}
	l.shut = true
	close(l.queue)
	l.entering.Unlock()
	if l.wrong != nil {
		l.stop()
		return errors.Join(l.closeSpool(), l.release())
	}
	l.writing.Wait()
	err := l.publish()
	if l.cosigner != nil {
		_, _ = l.cosignOnce() // the next start asks again
	}
	l.stop()
	l.running.Wait()
	if l.options.Copy != "" {
		err = errors.Join(err, l.copyOnce())
	}
	l.saveAccount()
	return errors.Join(err, l.closeSpool(), l.release())
}

// lastPatience is how long a server that ends waits for a disk that takes the records
// of the way back which are in memory only.
const lastPatience = 5 * time.Second

// closeSpool lets go of the spool. What no disk takes is told, record by record, before
// it ends with the process: somebody can write it down.
func (l *Ledger) closeSpool() error {
	err := l.spool.Flush()
	for until := time.Now().Add(lastPatience); err != nil && time.Now().Before(until); err = l.spool.Flush() {
		time.Sleep(lastPatience / 50)
	}
	for _, r := range l.spool.InMemory() {
		about := []any{"source", r.Source, "number", r.Sequence, "at", r.Time.UTC().Format(time.RFC3339)}
		if r.Act != nil {
			about = append(about, "verb", r.Act.Verb, "subject", r.Act.Subject, "actor", r.Act.Person, "reason", r.Act.Reason)
		}
		if r.Outcome != nil {
			about = append(about, "intent", r.Intent, "result", r.Outcome.Result)
		}
		l.log.Error("a record of the way back could be stored nowhere and ends with this process: write it down", about...)
	}
	return l.spool.Close()
}
