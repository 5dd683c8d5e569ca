// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package ledger

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/fairway-cloud/fairway/internal/audit"
)

// AdoptedSource is the source of records that an earlier version kept as JSON
// lines in one file.
const AdoptedSource = "journal"

// AdoptedSuffix is appended to the name of such a file once its records are here.
const AdoptedSuffix = ".adopted"

// oldRecord is one line of such a file.
type oldRecord struct {
	Sequence int64          `json:"seq"`
	Time     time.Time      `json:"time"`
	Kind     audit.Kind     `json:"kind"`
	Act      *audit.Act     `json:"act"`
	Intent   int64          `json:"intent"`
	Outcome  *audit.Outcome `json:"outcome"`
}

// Adopt takes the records of such a file into the log, with their own numbers and
// times, and renames the file. Where there is none it does nothing; begun and
// broken off, it goes on.
func (l *Ledger) Adopt(path string) error {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("could not take over evidence of an earlier version: %w", err)
	}
	defer file.Close()
	open := map[int64]bool{}
	in := bufio.NewReaderSize(file, 64<<10)
	for n := 1; ; n++ {
		raw, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			break // a line without its end was acknowledged to nobody
		}
		old := oldRecord{}
		if err == nil {
			err = json.Unmarshal(raw, &old)
		}
		if err != nil {
			return fmt.Errorf("could not take over line %d of %q: %w; keep a copy of it and look at it before anything is changed", n, path, err)
		}
		record := audit.Record{Source: AdoptedSource, Sequence: old.Sequence, Time: old.Time.UTC(), Kind: old.Kind, Act: old.Act, Intent: old.Intent, Outcome: old.Outcome}.Fitted()
		e := &entry{record: record, given: true, result: make(chan error, 1)}
		if err := l.enqueue(l.live, e); err != nil {
			return err
		}
		if err := <-e.result; err != nil {
			return fmt.Errorf("could not take over line %d of %q: %w", n, path, err)
		}
		if open[old.Sequence] = old.Kind == audit.KindIntent; old.Kind == audit.KindOutcome {
			delete(open, old.Intent)
			delete(open, old.Sequence)
		}
	}
	for n := range open {
		if err := l.put(unknownOutcome(audit.Left{Source: AdoptedSource, Sequence: n})); err != nil {
			return err
		}
	}
	if err := os.Rename(path, path+AdoptedSuffix); err != nil {
		return fmt.Errorf("could not put away evidence of an earlier version, which is in the log now: %w", err)
	}
	return nil
}
