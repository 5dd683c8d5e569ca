// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package index_test

import (
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/audit/index"
)

// plain is an act as a search without any cleverness sees it.
type plain struct {
	number  uint64
	time    time.Time
	act     audit.Act
	result  audit.Result
	message string
}

func dumb(entries []audit.Entry) []plain {
	var all []plain
	bySequence := map[int64]int{}
	for _, e := range entries {
		if e.Record.Act != nil {
			bySequence[e.Record.Sequence] = len(all)
			all = append(all, plain{number: e.Index, time: e.Record.Time, act: *e.Record.Act, result: "Open"})
			continue
		}
		a := &all[bySequence[e.Record.Intent]]
		a.result, a.message = e.Record.Outcome.Result, e.Record.Outcome.Message
	}
	return all
}

func (a plain) value(field string) string {
	parts := strings.Split(a.act.Subject, "/")
	namespace := ""
	if len(parts) == 3 {
		namespace = parts[1]
	}
	if a.act.Application != "" {
		namespace, _, _ = strings.Cut(a.act.Application, "/")
	}
	switch field {
	case "trace":
		return a.act.Trace
	case "ticket":
		return a.act.Ticket
	case "approval":
		if a.act.Approval == "" {
			return ""
		}
		return namespace + "/" + a.act.Approval
	case "release":
		return a.act.Release
	case "name":
		return parts[len(parts)-1]
	case "application":
		return a.act.Application
	case "person":
		return a.act.Person
	case "verb":
		return a.act.Verb
	case "room":
		room, _, _ := strings.Cut(a.act.Verb, ".")
		return room
	case "address":
		return a.act.From
	case "cluster":
		return a.act.Cluster
	case "result":
		return string(a.result)
	case "environment":
		return a.act.Environment
	case "namespace":
		return namespace
	case "kind":
		return strings.ToLower(parts[0])
	case "class":
		if a.act.Class == "" {
			return "system"
		}
		return string(a.act.Class)
	}
	return "?"
}

func (a plain) fits(q index.Query) bool {
	for name, want := range q.Equal {
		if a.value(name) != want {
			return false
		}
	}
	if q.Scopes != nil && !slices.Contains(q.Scopes, a.value("namespace")) {
		return false
	}
	if !q.From.IsZero() && (a.time.Before(q.From) || !a.time.Before(q.To)) {
		return false
	}
	spoken := " " + plainly(strings.Join(append([]string{
		a.act.Verb, a.act.Person, a.act.Subject, a.act.Application, a.act.Cluster, a.act.Environment, a.act.From, a.act.Release,
		a.value("approval"), a.act.Ticket, a.act.Reason, a.act.Verdict, a.message, a.act.Before, a.act.After,
	}, a.act.Details...), " "))
	for _, part := range strings.Fields(q.Text) {
		// A part begins where a word begins; within Chinese, anywhere.
		begin := " "
		if unicode.Is(unicode.Han, []rune(part)[0]) {
			begin = ""
		}
		if !strings.Contains(spoken, begin+strings.TrimSpace(plainly(part))) {
			return false
		}
	}
	return true
}

// plainly keeps letters and digits, small, with one space for anything else.
func plainly(text string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) }), " ")
}
