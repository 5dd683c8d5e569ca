// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/platform/sealing"
)

// StateFile is the name of the file with the count of every source. It is derived:
// without it the whole log is read once.
const StateFile = "state.json"

const (
	// saveEvery records, and at most so long after a change, the count is stored.
	saveEvery = 8192
	saveAfter = 10 * time.Second
)

// state is the count after so many records of all years.
type state struct {
	Records uint64        `json:"records"`
	Account audit.Account `json:"account"`
}

// stored is the file: a state and its digest, so that half a file is not believed.
type stored struct {
	Digest string          `json:"digest"`
	State  json.RawMessage `json:"state"`
}

func digest(b []byte) string { return sealing.Sum(b) }

// loadAccount counts every source: from the state file and what came after it.
func (l *Ledger) loadAccount() error {
	written := sizeOf(l.years) + uint64(len(l.waiting))
	s := l.readState(written)
	l.account = s.Account
	at := s.Records
	for at < sizeOf(l.years) {
		entries, err := readFrom(context.Background(), l.years, at, 4096)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := l.account.Take(e.Record.Head()); err != nil {
				return fmt.Errorf("could not open the evidence log: record %d is wrong: %w; run fairway audit verify, and restore it from the copy", e.Index, err)
			}
		}
		at += uint64(len(entries))
	}
	for i, line := range l.waiting {
		index := sizeOf(l.years) + uint64(i)
		if index < at {
			continue
		}
		record, err := audit.ParseRecord(line)
		if err == nil {
			err = l.account.Take(record.Head())
		}
		if err != nil {
			return fmt.Errorf("could not open the evidence log: pending record %d is wrong: %w", index, err)
		}
	}
	l.counted, l.savedFor, l.savedAt = written, s.Records, l.options.Now()
	return nil
}

// readState returns the stored count, or none where it is missing or does not fit.
func (l *Ledger) readState(written uint64) state {
	none := state{Account: audit.Account{}}
	raw, err := os.ReadFile(filepath.Join(l.options.Dir, StateFile))
	if err != nil {
		return none
	}
	file, s := stored{}, state{}
	if json.Unmarshal(raw, &file) != nil || digest(file.State) != file.Digest || json.Unmarshal(file.State, &s) != nil || s.Records > written || s.Account == nil {
		l.log.Info("the count of the sources is taken anew from the whole log", "file", StateFile)
		return none
	}
	for _, source := range s.Account {
		if source.Open == nil {
			source.Open = map[int64]bool{}
		}
	}
	return s
}

func (l *Ledger) saveSometimes() {
	if l.counted-l.savedFor >= saveEvery || l.options.Now().Sub(l.savedAt).Abs() >= saveAfter {
		l.saveAccount()
	}
}

// saveAccount stores the count. Nothing depends on it but the time of the next start.
func (l *Ledger) saveAccount() {
	l.savedAt = l.options.Now()
	if l.savedFor == l.counted {
		return
	}
	raw, err := json.Marshal(state{Records: l.counted, Account: l.account})
	if err != nil {
		return
	}
	path := filepath.Join(l.options.Dir, StateFile)
	if raw, err = json.Marshal(stored{Digest: digest(raw), State: raw}); err != nil || os.WriteFile(path+".new", raw, 0o600) != nil {
		return
	}
	if os.Rename(path+".new", path) == nil {
		l.savedFor = l.counted
	}
	_ = l.pending.tidy(l.last().size())
}
