// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package ledger

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fairway-cloud/fairway/internal/audit/spool"
	"github.com/fairway-cloud/fairway/internal/audit/tiles"
	"github.com/fairway-cloud/fairway/internal/platform/sealing"
)

// Open opens or makes the log in a folder, which one process at a time holds.
// What a crash left without an outcome is marked Unknown.
func Open(o Options) (*Ledger, error) {
	if o.Dir == "" {
		return nil, errors.New("could not open the evidence log: no folder is named")
	}
	o.Source = cmp.Or(o.Source, "server")
	o.Interval = cmp.Or(o.Interval, 200*time.Millisecond)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	l := &Ledger{
		options: o, log: o.Log, queue: make(chan *entry, mostQueue), asks: make(chan func()), ended: make(chan struct{}), published: make(chan struct{}),
		wake: make(chan struct{}, 1), urgent: make(chan struct{}, 1), copying: make(chan struct{}, 1), recovering: make(chan struct{}, 1),
	}
	if err := l.hold(); err != nil {
		return nil, err
	}
	if err := l.load(); err != nil {
		return nil, errors.Join(err, l.release())
	}
	if l.wrong != nil {
		l.live, l.stop = context.WithCancel(context.Background())
		close(l.ended)
		return l, nil
	}
	l.start()
	l.begin()
	return l, nil
}

// hold takes the folder for this process.
func (l *Ledger) hold() error {
	if err := os.MkdirAll(l.options.Dir, 0o700); err != nil {
		return fmt.Errorf("could not make evidence folder %q: %w", l.options.Dir, err)
	}
	file, err := os.OpenFile(filepath.Join(l.options.Dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("could not hold evidence folder %q: %w", l.options.Dir, err)
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = file.Close()
		return fmt.Errorf("could not open the evidence log in %q: another process holds it; stop that one first", l.options.Dir)
	}
	l.lock = file
	return nil
}

func (l *Ledger) release() error {
	if l.pending != nil {
		_ = l.pending.close()
	}
	return l.lock.Close()
}

// load reads what there is.
func (l *Ledger) load() (err error) {
	if l.key, err = EnsureKey(l.options.Dir); err != nil {
		return err
	}
	if l.verifier, err = sealing.Verifier(l.key.Public); err != nil {
		return err
	}
	if l.cosigner, err = newCosigner(l.options.Witness); err != nil {
		return err
	}
	if l.spool, err = spool.Open(l.options.Spool, l.key, l.options.Now()); err != nil {
		l.log.Error("the spool cannot be used: while the log is away the records of the way back are kept in memory only", "cause", err.Error())
		if l.spool, err = spool.Open("", l.key, l.options.Now()); err != nil {
			return err
		}
	}
	err = l.loadRecords()
	if err == nil || !l.options.Serve {
		return err
	}
	l.wrong = err
	l.away.Store(true)
	l.log.Error("the evidence log is not as it was written, and nothing is written to it: acts are refused, reads go on, and the way back is kept in the spool; "+
		"keep the folder as it is, run fairway audit verify, restore from the second copy and start again", "folder", l.options.Dir, "cause", err.Error())
	return nil
}

// loadRecords reads what was written.
func (l *Ledger) loadRecords() (err error) {
	if err := l.loadYears(); err != nil {
		return err
	}
	last := l.years[len(l.years)-1]
	l.pending, l.waiting, err = openPending(last.dir, last.size())
	if err != nil {
		return err
	}
	for _, r := range l.waiting {
		l.waitingBytes += len(r)
	}
	return l.loadAccount()
}

// EnsureKey returns the key of the log in a folder; it makes one where there is none.
func EnsureKey(dir string) (*sealing.Key, error) {
	name := make([]byte, 4)
	if _, err := rand.Read(name); err != nil {
		return nil, err
	}
	// Two logs of a bank never have the same name, so that a witness can tell them apart.
	return sealing.Ensure(filepath.Join(dir, KeyFile), "fairway-"+hex.EncodeToString(name))
}

func (l *Ledger) loadYears() error {
	numbers, err := Years(l.options.Dir)
	if err != nil {
		return err
	}
	if n := len(numbers); n > 0 {
		if _, err := os.Stat(filepath.Join(l.options.Dir, fmt.Sprintf("%04d", numbers[n-1]), tiles.CheckpointFile)); errors.Is(err, os.ErrNotExist) {
			// The process ended while the year began; a log that has lost its checkpoint is something else.
			if err := emptyFolder(filepath.Join(l.options.Dir, fmt.Sprintf("%04d", numbers[n-1]))); err != nil {
				return err
			}
		}
	}
	if l.years, err = openYears(l.options.Dir, l.verifier); err != nil {
		return err
	}
	if len(l.years) == 0 {
		y, err := beginYear(l.options.Dir, l.options.Now().UTC().Year(), 0, l.key)
		if err != nil {
			return err
		}
		l.years = []*yearLog{y}
	}
	return l.years[len(l.years)-1].openTree()
}

func emptyFolder(dir string) error {
	files, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, f := range files {
		if f.Name() != tiles.CheckpointFile+".new" {
			return fmt.Errorf("could not open the evidence log in %q: it has records and no checkpoint; restore it from the copy", dir)
		}
	}
	return os.RemoveAll(dir)
}
