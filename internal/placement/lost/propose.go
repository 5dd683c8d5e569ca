// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package lost

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement"
)

// hit is what an application has in places that are lost.
type hit struct {
	// places by kind and name, of which something can move.
	places []placementv1.LostPlace
	// seats that were in each, by component and the place's words.
	seats map[[2]string]int
	// moves are the components of which instances move.
	moves []placement.Component
	// stays says of others why they do not, staying is how many instances these are, and
	// stayed where, in words.
	stays   []string
	staying int
	stayed  []string
}

// hit says what of an application is lost.
func (d *deciding) hit(a Application) hit {
	g := d.gone(a.Request.Environment)
	h := hit{seats: map[[2]string]int{}}
	for _, c := range a.Request.Components {
		by := map[*Loss]int{}
		for _, x := range a.Request.Previous {
			if l := g.of(x.Cell); x.Component == c.Name && l != nil && len(x.Seats) > 0 {
				by[l] += len(x.Seats)
			}
		}
		if len(by) == 0 {
			continue
		}
		if kind := c.Anchored(); kind != "" {
			n := 0
			var where []string
			for i := range g.losses {
				if by[&g.losses[i]] > 0 {
					n += by[&g.losses[i]]
					where = append(where, g.losses[i].String())
					if !slices.Contains(h.stayed, g.losses[i].String()) {
						h.stayed = append(h.stayed, g.losses[i].String())
					}
				}
			}
			h.staying += n
			h.stays = append(h.stays, fmt.Sprintf("%s of component %s in %s have %s volumes, which do not move: they come back with the place, or are restored", instances(n), c.Name, strings.Join(few(where, mostPlaces, "places"), ", "), kind))
			continue
		}
		h.moves = append(h.moves, c)
		for i := range g.losses {
			l := &g.losses[i]
			if by[l] == 0 {
				continue
			}
			h.seats[[2]string{c.Name, l.String()}] += by[l]
			if !slices.ContainsFunc(h.places, func(p placementv1.LostPlace) bool { return p.Kind == l.Kind && p.Name == l.Name }) {
				h.places = append(h.places, placementv1.LostPlace{Kind: l.Kind, Name: l.Name, Since: metav1.NewTime(l.Since.UTC().Truncate(time.Second))})
			}
		}
	}
	d.leftOut(&h, g)
	slices.SortFunc(h.places, func(a, b placementv1.LostPlace) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
	return h
}

// want asks for room for what is lost. kept is a proposal that stands and leaves components where
// they were; nil: there is none.
func (d *deciding) want(a Application, h hit, kept *Proposal) {
	g := d.gone(a.Request.Environment)
	r := a.Request
	r.Previous = slices.Clone(r.Previous)
	heirs, notes := d.heirs(a, g)
	w := wanted{hit: h, notes: notes, left: map[string][]string{}, moving: map[string]int{}, kept: kept}
	for i, x := range r.Previous {
		if g.of(x.Cell) == nil || !h.has(x.Component) {
			continue
		}
		if heir, orphan := heirs[x.Cell.DCN]; !orphan || heir != "" {
			w.moving[x.Component] += len(x.Seats)
		}
		r.Previous[i].Seats = nil
	}
	r.Components = slices.Clone(r.Components)
	for i, c := range r.Components {
		switch {
		case h.has(c.Name):
			r.Components[i].Counts, w.left[c.Name] = d.leave(g, c)
			r.Components[i] = r.Components[i].Inheriting(heirs)
			w.may = append(w.may, c.Name)
		case d.went(a, c, g):
			r.Components[i].Counts, _ = d.leave(g, c)
			r.Components[i] = r.Components[i].Inheriting(heirs)
		}
	}
	w.Propose = Propose{Application: a, Cause: placementv1.Cause{
		Kind: placementv1.CauseLost, Places: h.places, From: a.Placement, Policy: d.seen.policy(a.Request.Environment).Name,
		ProposedAt: metav1.NewTime(d.now.UTC().Truncate(time.Second)),
	}}
	d.wanted = append(d.wanted, w)
	d.requests = append(d.requests, r)
}

// has reports whether instances of a component move.
func (h hit) has(component string) bool {
	return slices.ContainsFunc(h.moves, func(c placement.Component) bool { return c.Name == component })
}

// without is what is hit without components that stay.
func (h hit) without(left []string) hit {
	h.moves = slices.DeleteFunc(slices.Clone(h.moves), func(c placement.Component) bool { return slices.Contains(left, c.Name) })
	return h
}

// in counts the seats of what moves that were in a place.
func (h hit) in(place string) (n int) {
	for _, c := range h.moves {
		n += h.seats[[2]string{c.Name, place}]
	}
	return n
}

// went reports whether a component has left what is lost already, with a proposal before.
func (d *deciding) went(a Application, c placement.Component, g gone) bool {
	runs := func(x placement.Assignment) bool { return x.Component == c.Name && len(x.Seats) > 0 }
	there := func(x placement.Assignment) bool { return runs(x) && g.of(x.Cell) != nil }
	machines := slices.ContainsFunc(d.seen.Fleet.Machines, func(m placement.Machine) bool {
		return m.Application == a.Request.Application && m.Component == c.Name
	})
	return slices.ContainsFunc(a.Request.Previous, runs) && !slices.ContainsFunc(a.Request.Previous, there) && !machines && a.Cause != nil && a.Cause.Kind == placementv1.CauseLost
}

// heirs says to which DCN the instances of DCNs go whose data centre is lost; empty: to
// none.
func (d *deciding) heirs(a Application, g gone) (heirs map[string]string, notes []string) {
	lost := g.sites()
	heirs = map[string]string{}
	for _, c := range a.Request.Components {
		for _, n := range c.Counts {
			if _, known := heirs[n.DCN]; known || n.Count == 0 {
				continue
			}
			i := slices.IndexFunc(d.seen.Fleet.DCNs, func(x placement.DCN) bool { return x.Name == n.DCN })
			if i < 0 || !lost[d.seen.Fleet.DCNs[i].DataCenter] {
				continue
			}
			j := slices.IndexFunc(d.seen.Fleet.DCNs, func(x placement.DCN) bool { return x.Name == d.seen.Fleet.DCNs[i].Partner })
			if j < 0 || lost[d.seen.Fleet.DCNs[j].DataCenter] {
				heirs[n.DCN] = ""
				notes = append(notes, fmt.Sprintf("DCN %s has no partner that is left: its instances run nowhere", n.DCN))
				continue
			}
			heirs[n.DCN] = d.seen.Fleet.DCNs[j].Name
			notes = append(notes, fmt.Sprintf("the instances of DCN %s go to its partner %s: have its database switched over there first", n.DCN, heirs[n.DCN]))
		}
	}
	slices.Sort(notes)
	return heirs, notes
}

// checks say what a person makes sure of first.
func checks(h hit) []string {
	var out []string
	more, others := 0, 0
	for _, p := range h.places {
		what := fmt.Sprintf("%s %s", word(p.Kind), p.Name)
		if h.in(what) == 0 {
			continue // its instances have gone elsewhere before, or stay
		}
		if len(out) == mostChecked {
			more, others = more+1, others+h.in(what)
			continue
		}
		silent := "has not answered"
		if p.Kind == placementv1.LostRack {
			silent = "has had no host that answers"
		}
		out = append(out, fmt.Sprintf("%s %s since %s: its %s may still run, and would run twice", what, silent, clock(p.Since.Time), instances(h.in(what))))
	}
	if more > 0 {
		out = append(out, fmt.Sprintf("so it is with %d places more: their %s may still run, and would run twice", more, instances(others)))
	}
	for _, c := range h.moves {
		switch why := c.Sole(); {
		case why != "" && len(c.Volumes) > 0:
			out = append(out, fmt.Sprintf("component %s %s: cut its old hosts off first (power or network), see that nothing writes to its shared volumes, and say in the release how that was done (--fenced)", c.Name, why))
		case why != "":
			out = append(out, fmt.Sprintf("component %s %s: cut its old hosts off first (power or network), and say in the release how that was done (--fenced)", c.Name, why))
		}
	}
	return append(out, few(h.stays, mostStaying, "components that stay")...)
}

// comeBack asks for the way back to places that are well again.
func (d *deciding) comeBack(a Application) {
	policy := d.seen.policy(a.Request.Environment)
	if a.Cause == nil || a.Cause.Kind != placementv1.CauseLost || len(a.Before) == 0 || a.Busy != "" || !policy.Return {
		return
	}
	cause := placementv1.Cause{Kind: placementv1.CauseRecovered, From: a.Placement, Policy: policy.Name, ProposedAt: metav1.NewTime(d.now.UTC().Truncate(time.Second))}
	for _, place := range a.Cause.Places {
		since, well := d.wellSince(place)
		if !well {
			return
		}
		if due := since.Add(policy.ReturnAfter); !since.IsZero() && d.now.Before(due) {
			d.at(due)
			return
		}
		if since.IsZero() {
			since = d.now
		}
		place.Since = metav1.NewTime(since.UTC().Truncate(time.Second))
		cause.Places = append(cause.Places, place)
		if place.Kind == placementv1.LostDataCenter {
			cause.Check = append(cause.Check, fmt.Sprintf("what was switched over from data centre %s is switched back first: databases above all", place.Name))
		}
	}
	r := a.Request
	r.Components = slices.Clone(r.Components)
	var gone []string
	for i, c := range r.Components {
		var left []string
		r.Components[i].Counts, left = d.leave(d.gone(r.Environment), c)
		gone = append(gone, left...)
	}
	cause.Check = append(cause.Check, few(gone, mostLeft, "numbers of clusters")...)
	r.Previous = slices.Clone(a.Before)
	n := 0
	for i, x := range r.Previous {
		if d.away(x.Cell) {
			r.Previous[i].Seats = seatsIn(a.Request.Previous, x) // nobody comes, and who is there stays
		}
		n += max(len(r.Previous[i].Seats)-len(seatsIn(a.Request.Previous, x)), 0)
	}
	for _, x := range a.Request.Previous {
		if !slices.ContainsFunc(r.Previous, func(y placement.Assignment) bool { return y.Component == x.Component && y.Cell == x.Cell }) {
			x.Seats = nil
			r.Previous = append(r.Previous, x)
		}
	}
	d.wanted = append(d.wanted, wanted{Propose: Propose{Application: a, Cause: cause}, instances: n})
	d.requests = append(d.requests, r)
}

// propose decides together about all that asks for room.
func (d *deciding) propose() {
	all := make([]placement.Moving, len(d.requests))
	for i, r := range d.requests {
		all[i] = placement.Moving{Request: r, Stay: d.wanted[i].Application.Request, May: d.wanted[i].may}
	}
	for i, decided := range placement.PlaceWhatFits(d.seen.Fleet, all, placement.DefaultPolicy()) {
		p := d.wanted[i]
		a := p.Application
		p.Cause.Gains = Gains(a.Request.Previous, decided.Assignments)
		if p.Cause.Kind == placementv1.CauseLost {
			d.proposeLost(p, decided)
			continue
		}
		switch {
		case decided.Refused && p.Cause.Kind == placementv1.CauseRecovered:
			d.unplaced(a, nil, p.instances, LackReturn, lacks(decided.Lacks))
		case decided.Refused:
			d.unplaced(a, nil, p.instances, LackRoom, lacks(decided.Lacks))
		case len(p.Cause.Gains) == 0 && p.Cause.Kind == placementv1.CauseNoRoom:
			d.unplaced(a, nil, p.instances, LackRoom, toldWaits(p.Cause.Waits)+", and no room elsewhere")
		case len(p.Cause.Gains) > 0:
			p.Decision, p.Cause.Check = decided.Decision, bounded(p.Cause.Check)
			d.do(p.Propose)
		}
	}
}

// Gains are the instances that come to each cluster, by its name.
func Gains(before, after []placement.Assignment) []placementv1.ClusterGain {
	type at struct {
		component string
		cell      placement.Cell
	}
	by := map[at]int{}
	for _, a := range after {
		by[at{a.Component, a.Cell}] += len(a.Seats)
	}
	for _, a := range before {
		by[at{a.Component, a.Cell}] -= len(a.Seats)
	}
	var out []placementv1.ClusterGain
	for k, n := range by {
		if n <= 0 {
			continue
		}
		i := slices.IndexFunc(out, func(g placementv1.ClusterGain) bool { return g.Cluster == k.cell.Cluster })
		if i < 0 {
			i, out = len(out), append(out, placementv1.ClusterGain{Cluster: k.cell.Cluster})
		}
		out[i].Instances += int32(n) //nolint:gosec // a Placement's seats are bounded
	}
	slices.SortFunc(out, func(a, b placementv1.ClusterGain) int { return cmp.Compare(a.Cluster, b.Cluster) })
	return out
}

// mostLacks is how many causes are told of what finds no place: a pool may have hundreds of
// racks, each of which lacks something.
const mostLacks = 4

// lacks says what was refused and why: the first causes, and the last one, which says
// what is wrong with all of them together where something is.
func lacks(refusals []placement.Reason) string {
	var parts []string
	for _, r := range refusals {
		parts = append(parts, fmt.Sprintf("component %s in %s: %s", r.Component, r.DCN, r.Message))
	}
	if more := len(parts) - mostLacks; more > 0 {
		parts = append(append(slices.Clip(parts[:mostLacks-1]), fmt.Sprintf("and %d causes more", more)), parts[len(parts)-1])
	}
	return strings.Join(parts, "; ")
}

// start has automation carry out a proposal, where policy and guards let it.
func (d *deciding) start(a Application, p Proposal, h hit) {
	environment := a.Request.Environment
	policy := d.seen.policy(environment)
	if !policy.Release || slices.ContainsFunc(d.seen.Started, func(r Started) bool { return r.Placement == p.Name && r.Application == p.Application }) {
		return
	}
	if len(d.held[environment]) > 0 {
		return // said for the whole environment
	}
	hold := func(g Guard, format string, args ...any) {
		d.Held = append(d.Held, Held{Environment: environment, Application: p.Application, Guard: g, Why: fmt.Sprintf(format, args...)})
	}
	if why := placement.Unsure(d.seen.Fleet.Machines, p.Application); why != "" {
		hold(GuardUnsure, "%s", why)
		return
	}
	for _, c := range h.moves {
		if why := c.Sole(); why != "" {
			hold(GuardIdentity, "component %s %s: a person makes sure first that it does not run any more where it was", c.Name, why)
			return
		}
	}
	if len(h.moves) == 0 {
		return // nobody knows whether its places are lost still
	}
	if a.Busy != "" {
		hold(GuardBusy, "release %s holds the application", a.Busy)
		return
	}
	for _, g := range p.Cause.Gains {
		n, until := spent(d.seen, g.Cluster, policy.Per, d.now)
		if n += d.moving[g.Cluster]; n+int(g.Instances) > policy.Budget {
			d.at(until)
			hold(GuardBudget, "%s", overBudget(int(g.Instances), g.Cluster, n, policy))
			return
		}
	}
	for _, g := range p.Cause.Gains {
		if d.moving == nil {
			d.moving = map[string]int{}
		}
		d.moving[g.Cluster] += int(g.Instances)
	}
	d.do(Start{Proposal: p, Why: told(p.Cause), Ticket: policy.Ticket})
}
