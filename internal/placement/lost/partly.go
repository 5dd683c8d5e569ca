// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package lost

import (
	"fmt"
	"slices"
	"strings"

	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement"
)

// Of an application the components move that find room, each as a whole: what fits need not wait
// for what does not. A component that finds none stays where it is, with its numbers as they are, is
// named with what it lacks, and is proposed once there is room.

// proposeLost proposes what of a loss finds room, and tells of the rest.
func (d *deciding) proposeLost(p wanted, decided placement.Partly) {
	a := p.Application
	left := decided.Left
	if decided.Refused {
		left = p.may
	}
	if p.kept != nil {
		now := p.kept.leaves(p.hit, d.gone(a.Request.Environment))
		if starts := slices.ContainsFunc(d.Actions, func(x Action) bool {
			s, is := x.(Start)
			return is && s.Proposal.Name == p.kept.Name && s.Proposal.Application == p.kept.Application
		}); !starts && p.count(left) < p.count(now) {
			d.do(Withdraw{Proposal: *p.kept, Why: fmt.Sprintf("there is room for more than it moves: it leaves %s, and %d would do now", instances(p.count(now)), p.count(left))})
			return
		}
		left = now
		decided.Lacks = slices.DeleteFunc(decided.Lacks, func(r placement.Reason) bool { return !slices.Contains(left, r.Component) })
	}
	if n := p.count(left); n > 0 {
		why := lacks(decided.Lacks)
		if why == "" {
			why = fmt.Sprintf("component %s: what is proposed already takes the room that is there", strings.Join(left, ", "))
		}
		d.unplaced(a, p.hit.only(left).words(), n, LackRoom, why)
	}
	if decided.Refused || p.kept != nil || len(p.Cause.Gains) == 0 {
		return
	}
	moved := p.hit.without(left)
	p.Cause.Check = bounded(append(checks(moved), p.told(left)...))
	for _, c := range moved.moves {
		if c.Sole() != "" {
			p.Cause.Fence = append(p.Cause.Fence, c.Name)
		}
	}
	slices.Sort(p.Cause.Fence)
	p.Decision = decided.Decision
	d.do(p.Propose)
}

// count is how many instances of components are to move and could.
func (w *wanted) count(components []string) (n int) {
	for _, c := range components {
		n += w.moving[c]
	}
	return n
}

// told says what a proposal does otherwise than the Application, and what it leaves.
func (w *wanted) told(left []string) []string {
	out := slices.Clone(w.notes)
	var gone []string
	for _, c := range w.may {
		if !slices.Contains(left, c) {
			gone = append(gone, w.left[c]...)
		}
	}
	out = append(out, few(gone, mostLeft, "numbers of clusters")...)
	var stay []string
	for _, c := range left {
		stay = append(stay, fmt.Sprintf("%s of component %s that are lost find no room elsewhere: they are left out, and are proposed once there is room", instances(w.moving[c]), c))
	}
	return append(out, few(stay, mostLeft, "components")...)
}

// only is what is hit of some components.
func (h hit) only(components []string) hit {
	h.moves = slices.DeleteFunc(slices.Clone(h.moves), func(c placement.Component) bool { return !slices.Contains(components, c.Name) })
	h.places = slices.DeleteFunc(slices.Clone(h.places), func(p placementv1.LostPlace) bool { return h.in(word(p.Kind)+" "+p.Name) == 0 })
	return h
}

// leaves are the components that a proposal leaves in places that are lost, of those that move.
func (p *Proposal) leaves(h hit, g gone) []string {
	var out []string
	for _, c := range h.moves {
		if slices.ContainsFunc(p.Assignments, func(x placement.Assignment) bool {
			return x.Component == c.Name && len(x.Seats) > 0 && g.of(x.Cell) != nil
		}) {
			out = append(out, c.Name)
		}
	}
	return out
}

// From is the application with where it ran before its Placement, which has a Cause. One that moves
// what another one left of the same loss goes back to where all of it ran before both. of finds the
// application's Placements by name; nil: it is gone, and nobody knows.
func (a Application) From(of func(name string) *Proposal) Application {
	a.Before = nil
	if a.Cause == nil {
		return a
	}
	before := of(a.Cause.From)
	for before != nil {
		a.Before = before.Assignments
		if a.Cause.Kind != placementv1.CauseLost || before.Cause.Kind != placementv1.CauseLost || !within(a.Cause.Places, before.Cause.Places) {
			break
		}
		cause := *a.Cause
		cause.Places = before.Cause.Places
		a.Cause, before = &cause, of(before.Cause.From)
	}
	return a
}

// within reports whether all of some places are among others.
func within(some, all []placementv1.LostPlace) bool {
	return !slices.ContainsFunc(some, func(x placementv1.LostPlace) bool {
		return !slices.ContainsFunc(all, func(y placementv1.LostPlace) bool { return x.Kind == y.Kind && x.Name == y.Name })
	})
}
