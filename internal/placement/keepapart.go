// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement

import (
	"cmp"
	"slices"
)

// Components that an application keeps apart by name (spec.placement.antiAffinity, R48) share
// no availability zone, no rack or no host. The rule, KeepApart, is one of both sides: it
// holds while the instances of the one that names it hold their room, for whoever is placed
// later, too. For zones and racks it closes rooms. For hosts the member's scheduler keeps
// it (the pods of the one that names it carry a required anti-affinity, which schedulers
// obey both ways), and the room rule makes sure that all find hosts in any order: each
// instance of the one side shuts at most one host to the other.

// Scope is what two components that keep apart do not share, or what instances of one
// spread over.
type Scope string

// The scopes.
const (
	ScopeZone Scope = "AvailabilityZone"
	ScopeRack Scope = "Rack"
	ScopeHost Scope = "Host"
)

// words is what one of a scope is called.
func (s Scope) words() string {
	switch s {
	case ScopeZone:
		return "availability zone"
	case ScopeRack:
		return "rack"
	}
	return "host"
}

// KeepsFrom names a component that another one keeps apart from.
type KeepsFrom struct {
	// Application as "<namespace>/<name>", and its component.
	Application string
	Component   string
	Scope       Scope
}

// party is a component that keeps apart from others, or that others keep apart from.
type party struct {
	instanceOf
	// bonds counts what says so.
	bonds map[bond]int
}

// bond is what a party does not share with another one.
type bond struct {
	other *party
	scope Scope
	// named says that the party itself names the other one; the other one does otherwise.
	named bool
}

// meet makes parties of a component and of those that it keeps apart from. What is held of
// them in rooms is told apart from now on: nothing of them may be out of its rooms.
func (f *Fleet) meet(application, component string, from []KeepsFrom) {
	for _, k := range from {
		f.partyOf(instanceOf{application, component})
		f.partyOf(instanceOf{k.Application, k.Component})
	}
}

func (f *Fleet) partyOf(who instanceOf) *party {
	if p := f.parties[who]; p != nil {
		return p
	}
	p := &party{instanceOf: who, bonds: map[bond]int{}}
	f.parties[who] = p
	h := f.holding[who.application]
	if h == nil {
		return p
	}
	// Cells share their kin: all are out before one is told apart.
	for _, x := range h.list {
		if x.component == who.component {
			x.room.take(x.lot, -x.n)
		}
	}
	for _, x := range h.list {
		if x.component == who.component {
			x.lot.party = p
			x.room.take(x.lot, x.n)
		}
	}
	return p
}

// bind has a component keep apart from others, or with -1 no longer.
func (f *Fleet) bind(who instanceOf, from []KeepsFrom, way int) {
	for _, k := range from {
		one, other := f.parties[who], f.parties[instanceOf{k.Application, k.Component}]
		if one == other {
			continue // how many of a kind a host holds is another rule
		}
		count(one.bonds, bond{other, k.Scope, true}, way)
		count(other.bonds, bond{one, k.Scope, false}, way)
	}
}

func count[K comparable](counts map[K]int, key K, by int) {
	if counts[key] += by; counts[key] == 0 {
		delete(counts, key)
	}
}

// bind has the Request's components keep apart as they say, or with -1 no longer.
func (b *board) bind(way int) {
	for i := range b.request.Components {
		c := &b.request.Components[i]
		b.fleet.bind(instanceOf{b.request.Application, c.Name}, c.KeepsFrom, way)
	}
}

// parts reports whether components share no rack or zone with others of the same list.
func parts(components []Component) bool {
	return len(components) > 1 && slices.ContainsFunc(components, func(c Component) bool {
		return slices.ContainsFunc(c.KeepsFrom, func(k KeepsFrom) bool { return k.Scope != ScopeHost })
	})
}

// keepsApart reports whether any of the Request's components names another one.
func (b *board) keepsApart() bool {
	return slices.ContainsFunc(b.request.Components, func(c Component) bool { return len(c.KeepsFrom) > 0 })
}

// shuts reports whether the instances of one party shut their hosts to another.
func (p *party) shuts(other *party) bool {
	return p.bonds[bond{other, ScopeHost, true}] > 0 || p.bonds[bond{other, ScopeHost, false}] > 0
}

// apartFrom takes those out of all others that share no host with an instance: each shuts
// one host to it at most, and fills no other that it may use.
func (h held) apartFrom(all []held, others Amount, kept int64) ([]held, Amount, int64) {
	rest := make([]held, 0, len(all))
	for _, o := range all {
		if o.n <= 0 || o.party == nil || !h.party.shuts(o.party) {
			rest = append(rest, o)
			continue
		}
		if h.archs.meets(o.archs) { // those that do not are out already
			others = others.Plus(o.size.Times(-o.n))
			kept += o.n
		}
	}
	return rest, others, kept
}

// withoutStrangers has lots be no party that meet nobody whom they keep apart from, so that
// lots that are alike to the hosts of a room count as one.
func withoutStrangers(all []held) []held {
	if !slices.ContainsFunc(all, func(x held) bool { return x.party != nil }) {
		return all
	}
	for i := range all {
		p := all[i].party
		if p != nil && !slices.ContainsFunc(all, func(o held) bool { return o.n > 0 && o.party != nil && p.shuts(o.party) }) {
			all[i].party = nil
		}
	}
	out := all[:0]
	for _, x := range all {
		if i := slices.IndexFunc(out, func(o held) bool { return o.lot == x.lot }); i >= 0 {
			out[i].n += x.n
			continue
		}
		out = append(out, x)
	}
	return out
}

// bar is what keeps a component's new instances out of racks or zones.
type bar struct {
	bond
	// racks that the other one is in, and how many of it; where the scope is a zone, those
	// of the whole zone count.
	racks map[int]int64
}

// bars are a component's, in the order of the others' names; those of hosts are not among
// them. onlyNamed leaves out what others name.
func (n *numbers) bars(onlyNamed bool) []bar {
	if n.party == nil || len(n.party.bonds) == 0 {
		return nil
	}
	var out []bar
	for b := range n.party.bonds {
		if b.scope == ScopeHost || onlyNamed && !b.named {
			continue
		}
		out = append(out, bar{b, n.where(b.other)})
	}
	slices.SortFunc(out, func(a, b bar) int { return compareBonds(a.bond, b.bond) })
	return out
}

func compareBonds(a, b bond) int {
	side := func(x bond) int {
		if x.named {
			return 0
		}
		return 1
	}
	return cmp.Or(cmp.Compare(a.other.application, b.other.application), cmp.Compare(a.other.component, b.other.component),
		cmp.Compare(a.scope, b.scope), cmp.Compare(side(a), side(b)))
}

// where counts a party's instances by rack: what it holds, what the decision gave it, and
// those on virtual machines.
func (b *board) where(p *party) map[int]int64 {
	racks := map[int]int64{}
	held := b.fleet.holding[p.application]
	own := p.application == b.request.Application
	if held != nil {
		for i := range held.list {
			if x := &held.list[i]; x.component == p.component && !(own && b.request.standsIn(x)) {
				racks[x.room.domain] += x.n
			}
		}
	}
	for _, n := range b.all {
		if own && n.component.Name == p.component {
			for _, c := range n.cells {
				racks[c.room.domain] += int64(len(c.seats) + len(c.stay))
			}
		}
	}
	for _, m := range b.fleet.machines[p.instanceOf] {
		racks[b.fleet.rackOf(m.DataCenter, m.Rack)]++
	}
	return racks
}

// in counts the other one's instances in the rack or zone of a room.
func (x *bar) in(f *Fleet, r *room) int64 {
	if x.scope == ScopeRack {
		return x.racks[r.domain]
	}
	var sum int64
	for rack, n := range x.racks {
		if f.racks[rack].zone == r.zone {
			sum += n
		}
	}
	return sum
}

// barred says what keeps instances out of a room, or "".
func (n *numbers) barred(bars []bar, r *room) string {
	for i := range bars {
		if there := bars[i].in(n.fleet, r); there > 0 {
			return n.why(&bars[i], r, there)
		}
	}
	return ""
}

// numbersOf are those of a component of the Request.
func (b *board) numbersOf(c *Component) *numbers {
	n, _ := find(b.all, func(n *numbers) bool { return n.component == c })
	return n
}

// nearOthers says who of other applications, that one of the two keeps apart from the
// other, is in the rack or zone of what an application holds; "" if nobody is.
func (f *Fleet) nearOthers(application string, x *hold) string {
	p := f.parties[instanceOf{application, x.component}]
	if p == nil {
		return ""
	}
	b := &board{fleet: f, request: &Request{Application: application}}
	n := &numbers{board: b, component: &Component{Name: x.component}, party: p}
	return n.barred(slices.DeleteFunc(n.bars(false), func(o bar) bool { return o.other.application == application }), x.room)
}
