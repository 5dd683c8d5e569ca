// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package crosscheck reads what API servers themselves noted (the audit log of
// Kubernetes, one JSON event per line) and finds writes that evidence knows
// nothing of: to Fairway's kinds on the hub, and in members by Fairway's account
// or in its namespaces. A Watch does so all the time.
package crosscheck

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/audit/index"
)

// Write is a write that an API server carried out.
type Write struct {
	// Time when it came.
	Time time.Time `json:"time"`
	// Person who asked, behind impersonation too.
	Person string `json:"person"`
	// Through is the account that acted under the person's name. Empty: nobody did.
	Through string `json:"through,omitempty"`
	// Verb of Kubernetes, such as create.
	Verb string `json:"verb"`
	// Subject that was written. The name is empty where the API server made it.
	Subject index.Subject `json:"subject"`
	// Part of the subject that was written, such as "status". Empty: itself.
	Part string `json:"part,omitempty"`
	// Audit is the event's id.
	Audit string `json:"event"`
	// Foreign says why no record can account for it. Empty: one can.
	Foreign string `json:"foreign,omitempty"`
}

func (w Write) String() string {
	what, by := strings.Trim(w.Subject.Key(), "/"), w.Person
	if w.Part != "" {
		what += " (" + w.Part + ")"
	}
	if w.Through != "" && w.Foreign != "" {
		by += " through " + w.Through
	}
	return fmt.Sprintf("%s: %s of %s by %s (event %s)", w.Time.UTC().Format(time.RFC3339), w.Verb, what, by, w.Audit)
}

// Hub reads the writes to Fairway's kinds that Fairway's own account did not make.
func Hub(log io.Reader) ([]Write, error) { return readAll(log, Rules{Hub: true}) }

// Member reads the writes of Fairway's account in a member. Leases and questions
// about rights are no writes to what runs.
func Member(log io.Reader) ([]Write, error) { return readAll(log, Rules{}) }

func readAll(log io.Reader, rules Rules) ([]Write, error) {
	in := newLines(log)
	var found []Write
	for number := 1; ; number++ {
		line, state, err := in.next()
		if err != nil {
			return found, fmt.Errorf("could not read the audit log: %w", err)
		}
		if len(bytes.TrimSpace(line)) > 0 || state == tooLong {
			noted, err := rules.Read(line)
			if err != nil {
				return found, fmt.Errorf("could not read line %d of the audit log: %w; a log that was cut in the middle ends here", number, err)
			}
			if noted.Write != nil {
				found = append(found, *noted.Write)
			}
		}
		if state == ended {
			return found, nil
		}
	}
}

// slack is how far the clocks of two machines may be apart.
const slack = 5 * time.Second

// longest is how long before a write its act may have been recorded.
const longest = 10 * time.Minute

// Window is the time in which acts can account for writes.
func Window(all []Write) (from, to time.Time) {
	for i, w := range all {
		if i == 0 || w.Time.Before(from) {
			from = w.Time
		}
		if i == 0 || w.Time.After(to) {
			to = w.Time
		}
	}
	return from.Add(-longest), to.Add(slack)
}

// Unaccounted returns the writes on the hub that no act accounts for: one of the
// same person on the same object, which was under way at that time.
func Unaccounted(all []Write, acts []index.Act) []Write {
	return without(all, acts, func(w Write, a index.Act) bool {
		return a.Person == w.Person && covers(index.SubjectOf(a.Subject), w.Subject)
	})
}

// covers says whether an act on one object writes another: itself, any of its kind
// where it names none, and what stands for the act (a decision on a request is an
// object of its own, and people are imported with their groups).
func covers(of, written index.Subject) bool {
	if of.Namespace != written.Namespace {
		return false
	}
	switch {
	case of.Kind == "approvalrequest" && written.Kind == "decision":
		rest, on := strings.CutPrefix(written.Name, of.Name+"-")
		return on && !strings.Contains(rest, "-") // the name of another request goes on
	case of.Kind == "person" && of.Name == "*":
		return written.Kind == "person" || written.Kind == "groupmapping" || written.Kind == "amendment"
	}
	return of.Kind == written.Kind && (written.Name == "" || of.Name == written.Name || of.Name == "" || of.Name == "*")
}

// UnaccountedIn returns the writes in a member that no act in that cluster
// accounts for.
func UnaccountedIn(cluster string, all []Write, acts []index.Act) []Write {
	return without(all, acts, func(_ Write, a index.Act) bool { return a.Cluster == cluster })
}

func without(all []Write, acts []index.Act, fits func(Write, index.Act) bool) []Write {
	var left []Write
	for _, w := range all {
		if w.Foreign != "" || !slices.ContainsFunc(acts, func(a index.Act) bool { return underWay(a, w.Time) && fits(w, a) }) {
			left = append(left, w)
		}
	}
	return left
}

// underWay says whether an act was being carried out at a moment. One that was
// refused was not, and what was found here before is no act of anybody's.
func underWay(a index.Act, at time.Time) bool {
	if at.Before(a.Time.Add(-slack)) || a.Result == audit.Refused || strings.HasPrefix(a.Verb, verbPrefix) {
		return false
	}
	if a.Ended == nil {
		return at.Before(a.Time.Add(longest))
	}
	return !at.After(a.Ended.Add(slack))
}

// The verbs of what is found.
const (
	verbPrefix      = "audit.unaccounted"
	VerbUnaccounted = verbPrefix
	VerbLate        = verbPrefix + "Late"
)
