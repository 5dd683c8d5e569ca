// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package audit

import (
	"fmt"
	"strings"
)

// What one record may hold. The log's format takes 65,535 bytes an entry.
const (
	// MostBytes is the size of a record as it is written.
	MostBytes   = 65000
	mostText    = 4096
	mostDetails = 1000
	leastText   = 256
)

// Fitted returns the record with its texts valid and short enough that the whole
// fits the log. What is cut says so.
func (r Record) Fitted() Record {
	if r.Act != nil {
		act := r.Act.clipped(mostText, mostDetails)
		r.Act = &act
	}
	if r.Outcome != nil {
		outcome := *r.Outcome
		outcome.Result = Result(clip(string(outcome.Result), leastText))
		outcome.Message, outcome.After = clip(outcome.Message, mostText), clip(outcome.After, leastText)
		r.Outcome = &outcome
	}
	for details := mostDetails; r.Act != nil && len(r.Canonical()) > MostBytes; details /= 2 {
		text := mostText
		if details < 8 {
			text = leastText // it is the texts that are too long
		}
		act := r.Act.clipped(text, details)
		r.Act = &act
		if details == 0 {
			break
		}
	}
	return r
}

func (a Act) clipped(text, details int) Act {
	for _, field := range []*string{
		&a.Verb, &a.Person, &a.Subject, &a.Cluster, &a.Environment, &a.From, &a.Application, &a.Release, &a.Approval, &a.Verdict,
		&a.Reason, &a.Ticket, &a.Before, &a.After, &a.Trace,
	} {
		*field = clip(*field, text)
	}
	a.Class = Class(clip(string(a.Class), leastText))
	kept := make([]string, 0, min(len(a.Details), details+1))
	for i, d := range a.Details {
		if i == details {
			kept = append(kept, fmt.Sprintf("and %d more", len(a.Details)-i))
			break
		}
		kept = append(kept, clip(d, text))
	}
	if a.Details = kept; len(kept) == 0 {
		a.Details = nil
	}
	return a
}

// clip bounds a text and keeps it valid.
func clip(s string, most int) string {
	if len(s) > most {
		s = s[:most] + " …"
	}
	return strings.ToValidUTF8(s, "�")
}
