// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package crosscheck

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// State of the comparison with one cluster's audit log.
type State string

// The states. Of several the first that a person has to look at.
const (
	// StateAudited: the log arrives, and every write in it has its record.
	StateAudited State = "Audited"
	// StateUnaudited: no audit log of the cluster is read.
	StateUnaudited State = "Unaudited"
	// StateUnaccounted: there are writes that no record accounts for.
	StateUnaccounted State = "Unaccounted"
	// StateIncomplete: a part of the log cannot be read.
	StateIncomplete State = "Incomplete"
	// StateClockApart: the API server's clock is ahead of the server's.
	StateClockApart State = "ClockApart"
	// StateStale: the log does not show what the server did last.
	StateStale State = "Stale"
	// StateWaiting: the log is there, and what the server did is not in it yet.
	StateWaiting State = "Waiting"
)

// Status is what is told of one cluster.
type Status struct {
	// Cluster is the name of the Cluster, or "hub".
	Cluster string `json:"cluster"`
	// State of the comparison.
	State State `json:"state"`
	// Message says it in a sentence, and what to do.
	Message string `json:"message"`
	// Since when the log is compared. Zero: it is not.
	Since time.Time `json:"since,omitzero"`
	// Newest is the time of the newest line that was read.
	Newest time.Time `json:"newest,omitzero"`
	// Compared counts the writes that were compared.
	Compared int `json:"compared"`
	// Unaccounted counts the writes that nobody accounts for, of the last 7 days.
	Unaccounted int `json:"unaccounted"`
	// Found are the newest of them.
	Found []Found `json:"found,omitempty"`

	total int
}

// shownFor is how long what was found stays on the status. The record of it stays
// as long as its class says.
const shownFor = 7 * 24 * time.Hour

// mostFound is how many findings are kept beside evidence, mostShown how many are told.
const (
	mostFound    = 1000
	mostShown    = 20
	mostProblems = 100
)

// forget drops what is no longer shown, and what is too much.
func (k *kept) forget(now time.Time) {
	k.Found = slices.DeleteFunc(k.Found, func(f Found) bool { return now.Sub(f.At) > shownFor })
	k.Found = k.Found[max(0, len(k.Found)-mostFound):]
	k.Problems = slices.DeleteFunc(k.Problems, func(p Problem) bool { return now.Sub(p.At) > shownFor })
	k.Problems = k.Problems[max(0, len(k.Problems)-mostProblems):]
}

// statusOf tells what is known of a cluster's log, of which there are some files. A
// nil log is one that is not read at all.
func statusOf(cluster string, k *kept, files int, folder string, now time.Time, patience time.Duration) Status {
	s := Status{Cluster: cluster, State: StateUnaudited, Message: "no audit log of this cluster is read: ship it to the folder " + folder + " of the server's machine"}
	if folder == "" {
		s.Message = "no audit logs are read: start the server with --audit-logs"
	}
	if k == nil {
		return s
	}
	s.Since, s.Newest, s.Compared, s.Unaccounted, s.total = k.Since, k.Newest, k.Compared, len(k.Found), k.Total
	s.Found = slices.Clone(k.Found[max(0, len(k.Found)-mostShown):])
	slices.Reverse(s.Found)
	switch {
	case len(k.Found) > 0:
		last := k.Found[len(k.Found)-1].Write
		s.State = StateUnaccounted
		s.Message = fmt.Sprintf("%d writes within a week that no record accounts for, the last one a %s of %s by %s: fairway audit crosscheck names them",
			len(k.Found), last.Verb, strings.Trim(last.Subject.Key(), "/"), last.Person)
	case files == 0:
	case k.Newest.Sub(now) > slack:
		s.State, s.Message = StateClockApart, "the API server's clock is ahead of the server's by more than 5 s: writes cannot be compared with records by their times"
	case len(k.Problems) > 0:
		s.State, s.Message = StateIncomplete, "a part of the audit log cannot be read: "+k.Problems[len(k.Problems)-1].Text
	case k.Marked.IsZero() && now.Sub(k.Since) <= patience:
		s.State, s.Message = StateWaiting, "the audit log is read; what this server does is not in it yet"
	case now.Sub(k.Marked) > patience:
		s.State, s.Message = StateStale, "the audit log does not show what this server did last: it is not shipped any more, or its policy leaves out Fairway's writes"
	default:
		s.State, s.Message = StateAudited, "the audit log is read, and every write in it that concerns Fairway has its record"
	}
	return s
}
