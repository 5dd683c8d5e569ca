// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package window

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
)

// Scope is what a change touches. What is left empty touches everything: a freeze
// of any tenant then holds for a change that names none.
type Scope struct {
	Environment, Tenant, Application string
}

// Decision says whether a change may happen at a moment.
type Decision struct {
	// Open says that it may.
	Open bool
	// Reasons say why, or what closes; each is a sentence without a full stop.
	Reasons []string
	// Next is when it may be open next, as far as is known now. Zero: unknown, or
	// more than 400 days away.
	Next time.Time
	// Until is when what is open now closes. Zero: nothing closes it in 400 days.
	Until time.Time
}

// String is the decision in a line.
func (d Decision) String() string {
	word := "closed"
	if d.Open {
		word = "open"
	}
	return word + ": " + strings.Join(d.Reasons, "; ")
}

// ahead are the spans that are looked at, one after another, until there is an answer.
var ahead = []time.Duration{2 * 24 * time.Hour, 16 * 24 * time.Hour, 100 * 24 * time.Hour, 400 * 24 * time.Hour}

// Open decides whether a change in that scope may happen at that moment: every
// calendar has to be open, and no freeze may hold. Without calendars only freezes
// close. A calendar that is not there or cannot be read is closed, with Next zero.
func Open(calendars []Calendar, freezes []approvalv1.Freeze, scope Scope, at time.Time) Decision {
	v := view{at: at, freezes: holding(freezes, scope), zone: time.UTC}
	var unreadable []string
	for _, c := range calendars {
		t, err := read(c)
		if err != nil {
			unreadable = append(unreadable, fmt.Sprintf("calendar %q is closed: %v", c.Name, err))
			continue
		}
		v.tables = append(v.tables, t)
	}
	if len(v.tables) > 0 {
		v.zone = v.tables[0].zone
	}
	if len(unreadable) > 0 {
		return Decision{Reasons: append(unreadable, v.closedNow()...)}
	}
	return v.decide()
}

// view is what one question is answered from.
type view struct {
	at      time.Time
	tables  []*timetable
	freezes []freeze
	// zone in which moments are told that belong to no calendar.
	zone *time.Location
}

// freeze is a Freeze that covers the scope and has not passed.
type freeze struct {
	name, reason string
	kind         approvalv1.FreezeKind
	from, to     time.Time
	endless      bool
}

func (f freeze) within(s span) span {
	if f.endless {
		return span{f.from, s.to}
	}
	return span{f.from, f.to}
}

// holding returns the freezes that cover the scope, by name.
func holding(freezes []approvalv1.Freeze, scope Scope) []freeze {
	var out []freeze
	for i := range freezes {
		f := &freezes[i].Spec
		if !names(f.Scope.Environments, scope.Environment) || !names(f.Scope.Tenants, scope.Tenant) || !names(f.Scope.Applications, scope.Application) {
			continue
		}
		held := freeze{name: freezes[i].Name, reason: f.Reason, kind: cmp.Or(f.Kind, approvalv1.FreezeOrdered), from: f.From.Time, endless: true}
		if f.To != nil {
			held.to, held.endless = f.To.Time, false
		}
		if f.Ended != nil && (held.endless || f.Ended.Time.Before(held.to)) {
			held.to, held.endless = f.Ended.Time, false
		}
		out = append(out, held)
	}
	slices.SortFunc(out, func(a, b freeze) int { return cmp.Compare(a.name, b.name) })
	return out
}

func names(list []string, name string) bool {
	return len(list) == 0 || name == "" || slices.Contains(list, name)
}

func (v view) decide() Decision {
	d := Decision{Reasons: v.closedNow()}
	d.Open = len(d.Reasons) == 0
	if d.Open {
		d.Reasons = v.openNow()
	}
	if !d.Open && v.hopeless() {
		return d
	}
	for _, length := range ahead {
		within := span{v.at, v.at.Add(length)}
		spans := v.spans(within)
		switch {
		case !d.Open && len(spans) > 0:
			d.Next = spans[0].from.In(v.zone)
			return d
		case d.Open && len(spans) > 0 && spans[0].to.Before(within.to):
			d.Until = spans[0].to.In(v.zone)
			return d
		}
	}
	return d
}

// hopeless says that nothing known now ends what closes: it spares the search.
func (v view) hopeless() bool {
	endless := slices.ContainsFunc(v.freezes, func(f freeze) bool { return f.endless && !v.at.Before(f.from) })
	return endless || slices.ContainsFunc(v.tables, func(t *timetable) bool { return t.bounded && dayAt(v.at, t.zone) > t.known+1 })
}

func (v view) spans(within span) []span {
	open := []span{within}
	for _, t := range v.tables {
		open = both(open, t.spans(within))
	}
	for _, f := range v.freezes {
		open = without(open, merged([]span{f.within(within)}))
	}
	return open
}

// closedNow says what closes the moment. Empty: nothing does.
func (v view) closedNow() []string {
	var reasons []string
	now := span{v.at, v.at.Add(time.Second)}
	for _, t := range v.tables {
		if held := t.unknown(now); len(held) > 0 && held[0].holds(v.at) {
			reasons = append(reasons, fmt.Sprintf("calendar %q knows the holidays until %s: enter those of the days after (holidays, madeUpDays, knownUntil)", t.name, t.lastText))
			continue
		}
		closed := false
		for _, c := range t.closed {
			if to, ok := t.closedUntil(c, v.at); ok {
				closed = true
				reasons = append(reasons, fmt.Sprintf("calendar %q is closed for %s %q until %s", t.name, c.kind, c.name, tell(to, t.zone)))
			}
		}
		if !closed && !heldBy(t.openings(now), v.at) {
			reasons = append(reasons, fmt.Sprintf("calendar %q has no change window now", t.name))
		}
	}
	for _, f := range v.freezes {
		s := f.within(span{v.at, v.at.Add(time.Second)})
		switch {
		case !s.holds(v.at):
		case f.endless:
			reasons = append(reasons, fmt.Sprintf("%s %q holds until it is ended: %s", spoken(f.kind), f.name, f.reason))
		default:
			reasons = append(reasons, fmt.Sprintf("%s %q holds until %s: %s", spoken(f.kind), f.name, tell(f.to, v.zone), f.reason))
		}
	}
	return reasons
}

// closedUntil says when the period that closes the moment ends; days off that are
// part of it included.
func (t *timetable) closedUntil(c closing, at time.Time) (time.Time, bool) {
	to := at
	for {
		spans := t.closings(c, span{to, to})
		i := slices.IndexFunc(spans, func(s span) bool { return s.holds(to) })
		if i < 0 || to.Sub(at) > ahead[len(ahead)-1] {
			return to, !to.Equal(at)
		}
		to = spans[i].to
	}
}

func (v view) openNow() []string {
	var reasons []string
	for _, t := range v.tables {
		if len(t.windows) == 0 {
			reasons = append(reasons, fmt.Sprintf("calendar %q closes nothing now", t.name))
			continue
		}
		reasons = append(reasons, fmt.Sprintf("calendar %q has a change window now", t.name))
	}
	if len(reasons) == 0 {
		return []string{"no calendar and no freeze holds"}
	}
	return reasons
}

func heldBy(spans []span, at time.Time) bool {
	return slices.ContainsFunc(spans, func(s span) bool { return s.holds(at) })
}

func spoken(kind approvalv1.FreezeKind) string {
	switch kind {
	case approvalv1.FreezeBatch:
		return "the running batch"
	case approvalv1.FreezeProtection:
		return "the special protection"
	}
	return "the freeze"
}

func tell(at time.Time, zone *time.Location) string {
	at = at.In(zone)
	layout := "2006-01-02 15:04"
	if at.Second() != 0 || at.Nanosecond() != 0 {
		layout = "2006-01-02 15:04:05"
	}
	return at.Format(layout) + " " + zone.String()
}
