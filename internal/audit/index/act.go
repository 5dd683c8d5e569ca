// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package index

import (
	"strings"
	"time"

	"github.com/fairway-cloud/fairway/internal/audit"
)

// Underway is the result of an act whose outcome is not in the log yet.
const Underway audit.Result = "Open"

// Act is one act with its outcome.
type Act struct {
	// Index of its intent in the log.
	Index uint64 `json:"index"`
	// OutcomeIndex is that of its outcome. Nil: none yet.
	OutcomeIndex *uint64 `json:"outcomeIndex,omitempty"`
	// Source and Sequence number its intent.
	Source   string `json:"source"`
	Sequence int64  `json:"sequence"`
	// Time when it was about to begin, Ended when its outcome was recorded.
	Time  time.Time  `json:"time"`
	Ended *time.Time `json:"ended,omitempty"`
	// Namespace whose people may read it: of the application, else of the subject.
	Namespace string `json:"namespace,omitempty"`
	// Act as its intent says.
	audit.Act
	// Result, Open where there is no outcome yet, and Message of the outcome.
	Result  audit.Result `json:"result"`
	Message string       `json:"message,omitempty"`

	place int64
}

// Place is where the act stands in the order of time. It has no ties.
func (a Act) Place() int64 { return a.place }

// Subject names an object.
type Subject struct {
	// Kind in small letters and singular, such as "release".
	Kind string
	// Namespace of the object. Empty: it has none.
	Namespace string
	// Name of the object.
	Name string
}

// Key names the object for relations: "<kind>/<namespace>/<name>".
func (s Subject) Key() string { return s.Kind + "/" + s.Namespace + "/" + s.Name }

// SubjectOf reads what a record calls its subject: "<Kind>/<namespace>/<name>",
// "<Kind>/<name>", or the method and path of a request to the hub. What is
// neither has only a name.
func SubjectOf(text string) Subject {
	if _, path, ok := strings.Cut(text, " "); ok && strings.HasPrefix(path, "/") {
		return subjectOfPath(path)
	}
	parts := strings.SplitN(text, "/", 3)
	switch len(parts) {
	case 3:
		return Subject{Kind: strings.ToLower(parts[0]), Namespace: parts[1], Name: parts[2]}
	case 2:
		return Subject{Kind: strings.ToLower(parts[0]), Name: parts[1]}
	}
	return Subject{Name: text}
}

// subjectOfPath reads /apis/<group>/<version>[/namespaces/<namespace>]/<plural>[/<name>].
func subjectOfPath(path string) Subject {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	switch {
	case len(parts) > 3 && parts[0] == "apis":
		parts = parts[3:]
	case len(parts) > 2 && parts[0] == "api":
		parts = parts[2:]
	default:
		return Subject{Name: path}
	}
	s := Subject{}
	if len(parts) > 2 && parts[0] == "namespaces" {
		s.Namespace, parts = parts[1], parts[2:]
	}
	s.Kind = singular(parts[0])
	if len(parts) > 1 {
		s.Name = parts[1]
	}
	return s
}

// singular of the plurals that custom resource definitions have.
func singular(plural string) string {
	switch {
	case plural == "people":
		return "person"
	case strings.HasSuffix(plural, "ies"):
		return strings.TrimSuffix(plural, "ies") + "y"
	case strings.HasSuffix(plural, "sses"):
		return strings.TrimSuffix(plural, "es")
	}
	return strings.TrimSuffix(plural, "s")
}

// scopeOf is the namespace whose people may read the act: of the application or
// Release that it is about, else of its subject.
func scopeOf(act audit.Act, subject Subject) string {
	for _, of := range []string{act.Application, act.Release} {
		if namespace, _, ok := strings.Cut(of, "/"); ok {
			return namespace
		}
	}
	return subject.Namespace
}

// placeOf orders acts by time; the number in the log breaks ties.
func placeOf(began time.Time, number uint64) int64 {
	return placeAt(began) | int64(number&tie) //nolint:gosec // ten bits
}

// placeAt is the first place at a moment.
func placeAt(moment time.Time) int64 { return moment.UnixMicro() << tieBits }

const (
	tieBits = 10
	tie     = 1<<tieBits - 1
)

// approvalOf names an approval with its namespace.
func approvalOf(act audit.Act, scope string) string {
	if act.Approval == "" || scope == "" || strings.Contains(act.Approval, "/") {
		return act.Approval
	}
	return scope + "/" + act.Approval
}
