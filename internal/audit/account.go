// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package audit

import (
	"fmt"
	"maps"
	"slices"
)

// Head is what of a record its completeness hangs on.
type Head struct {
	// Source, Sequence, Kind and Intent as in Record.
	Source   string
	Sequence int64
	Kind     Kind
	Intent   int64
}

// Head of the record.
func (r Record) Head() Head {
	return Head{Source: r.Source, Sequence: r.Sequence, Kind: r.Kind, Intent: r.Intent}
}

// Account keeps the count of every source: its last number, and its intents
// without an outcome.
// Invariant: an open intent's number is at most its source's last.
type Account map[string]*Source

// Source is one source's count.
type Source struct {
	// Last number.
	Last int64 `json:"last"`
	// Open holds the numbers of the intents without an outcome.
	Open map[int64]bool `json:"open,omitempty"`
}

// Take counts one more record. It refuses what does not follow: a number that is
// missing or comes twice, an outcome without its intent.
func (a Account) Take(h Head) error {
	s := a[h.Source]
	if s == nil {
		s = &Source{Open: map[int64]bool{}}
	}
	if h.Sequence != s.Last+1 {
		return fmt.Errorf("number %d of source %q follows number %d", h.Sequence, h.Source, s.Last)
	}
	if h.Kind == KindOutcome && !s.Open[h.Intent] {
		return fmt.Errorf("the outcome number %d of source %q names intent %d, which is not open", h.Sequence, h.Source, h.Intent)
	}
	a[h.Source], s.Last = s, h.Sequence
	if h.Kind == KindOutcome {
		delete(s.Open, h.Intent)
		return nil
	}
	s.Open[h.Sequence] = true
	return nil
}

// Clone returns a copy that changes by itself.
func (a Account) Clone() Account {
	out := make(Account, len(a))
	for name, s := range a {
		out[name] = &Source{Last: s.Last, Open: maps.Clone(s.Open)}
	}
	return out
}

// Left is one intent without an outcome.
type Left struct {
	Source   string
	Sequence int64
}

// Left lists the intents without an outcome, by source and number.
func (a Account) Left() []Left {
	var left []Left
	for _, name := range slices.Sorted(maps.Keys(a)) {
		for _, n := range slices.Sorted(maps.Keys(a[name].Open)) {
			left = append(left, Left{name, n})
		}
	}
	return left
}

// Undo takes back the last record that Take counted.
func (a Account) Undo(h Head) {
	s := a[h.Source]
	s.Last--
	if h.Kind == KindOutcome {
		s.Open[h.Intent] = true
		return
	}
	delete(s.Open, h.Sequence)
}
