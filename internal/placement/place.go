// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement

import (
	"cmp"
	"fmt"
	"slices"
)

// Place decides where the instances of the Requests run, all against one view of the
// fleet in which each decision reserves its room for those after it: the higher
// priority first, then by name. The Decisions are those of the Requests, in their
// order, and depend on nothing but the content of what they are given.
func Place(s Snapshot, requests []Request, p Policy) []Decision {
	return Open(s).Place(requests, p)
}

// Place decides as the function of that name does, and keeps the room that it gave
// away reserved in the Fleet.
func (f *Fleet) Place(requests []Request, p Policy) []Decision {
	order := make([]int, len(requests))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(requests[b].Priority, requests[a].Priority), cmp.Compare(requests[a].Application, requests[b].Application))
	})
	decisions := make([]Decision, len(requests))
	for _, i := range order {
		policy := p
		if own := requests[i].Policy; own != nil {
			policy = *own
		}
		decisions[i] = f.decide(requests[i], policy)
	}
	return decisions
}

// board is the state of one decision.
type board struct {
	fleet   *Fleet
	request *Request
	// policy counts its reserve for successors only while a component grows: see surge.
	policy Policy
	surge  int32
	// spent is what the decision takes of the quotas, by pool.
	spent    map[string]Amount
	decision Decision
	// all are the components' numbers.
	all []*numbers
	// again says that this is another try, whose reasons nobody reads if it is refused.
	again bool
	// contended says that a component stood in another one's way, plan where new instances
	// go because of that (nil: where it is cheapest for each), and weighed how many spots
	// were looked at to find it.
	contended bool
	plan      plan
	weighed   int
}

// decide decides about one Request. A component that finds no room after the others goes
// before them in another try, as often as that brings one to the front that was not
// there yet. If no try does, and components keep apart from each other, racks and zones are
// divided among them, in every way where they are few; then those that stood in the way make
// room. If that does not help, the first try's reasons tell what lacks. Where components stood
// in each other's way, all go to where they cost least together.
func (f *Fleet) decide(r Request, p Policy) Decision {
	last := turn{}
	decision, next := f.try(r, p, last)
	contended, hopeless := next.contended, next.hopeless
	again := func(t turn) {
		t.again = true
		var d Decision
		if d, next = f.try(r, p, t); !d.Refused {
			decision = d
		}
		last, contended, hopeless = t, contended || next.contended, hopeless || next.hopeless && !t.divided
	}
	for first := []string{}; next.late != "" && !slices.Contains(first, next.late); {
		first = slices.Insert(first, 0, next.late)
		again(turn{first: first})
	}
	if decision.Refused && parts(r.Components) {
		again(turn{divided: true})
		for way := 1; decision.Refused && !hopeless && way <= next.ways && next.ways > 1; way++ {
			again(turn{divided: true, way: way})
		}
	}
	if decision.Refused && !hopeless && (contended || parts(r.Components)) {
		again(turn{makeRoom: true})
	}
	if next.plan == nil {
		return decision
	}
	if d, _ := f.try(r, p, turn{plan: next.plan, makeRoom: decision.Refused, again: true}); !d.Refused {
		return d
	}
	if decision.Refused {
		return decision
	}
	last.settled = true
	decision, _ = f.try(r, p, last)
	return decision
}

// turn is in what way a try places components.
type turn struct {
	// first are components whose new instances go before those of the others.
	first []string
	// divided says that components that keep apart divide racks and zones beforehand, and way
	// in which way: see divide.
	divided bool
	way     int
	// plan says where new instances go.
	plan plan
	// makeRoom says that those that found room go elsewhere for others that found none.
	makeRoom bool
	// settled says that nothing better is looked for.
	settled bool
	// again says that reasons matter only if the try is not refused.
	again bool
}

// after is what a try found out.
type after struct {
	// late is the component that was refused first; "" if none was, or if it was the first
	// of all.
	late string
	// ways is in how many ways components divide racks and zones.
	ways int
	// hopeless says that a component was refused that went first, and contended that one stood
	// in another one's way.
	hopeless, contended bool
	// plan is a better decision; nil: none was found. The fleet then holds nothing of the try.
	plan plan
}

// try decides once.
func (f *Fleet) try(r Request, p Policy, t turn) (Decision, after) {
	b := f.begin(&r, p)
	b.again, b.plan = t.again, t.plan
	if !b.namedOnce() {
		b.end()
		return b.decision, after{}
	}
	// What is there goes first, and of it what does not change: nothing new may
	// take its room.
	for _, n := range b.byKeeping() {
		n.keepSame()
	}
	for _, n := range b.all {
		n.keepChanged()
	}
	refused := b.decision.Refused
	var then after
	stay := b.stay()
	if t.divided {
		then.ways = b.divide(t.way)
	}
	if then.ways > 0 {
		b.decision.Reasons = append(b.decision.Reasons, Reason{Rule: "Turn", Message: "components that keep apart from each other divided racks and availability zones: one after another they found no room"})
	}
	switch {
	case t.plan != nil && t.makeRoom:
		b.decision.Reasons = append(b.decision.Reasons, Reason{Rule: "Turn", Message: "one after another components found no room: some go elsewhere than they would alone, so that all find some"})
	case t.plan != nil:
		b.decision.Reasons = append(b.decision.Reasons, Reason{Rule: "Turn", Message: "components stood in each other's way: they go where they cost least together, not each where it is cheapest for itself"})
	}
	for i, n := range b.inTurn(t.first) {
		if i < len(t.first) {
			b.say(n.component, "", "Turn", "went before the other components: after them it found no room")
		}
		n.fill()
		if b.decision.Refused && !refused {
			refused = true
			if i > 0 {
				then.late = n.component.Name
			} else {
				then.hopeless = true
			}
		}
	}
	then.contended = b.contended
	if t.plan == nil && !t.settled && (refused && t.makeRoom || !refused && b.contended) {
		decision := b.decision
		then.plan = b.together(stay)
		b.decision = decision
	}
	if then.plan != nil {
		b.withdraw()
	} else {
		b.fence()
		b.end()
	}
	return b.decision, then
}

// inTurn are the components' numbers, some components' before those of the others.
func (b *board) inTurn(first []string) []*numbers {
	if len(first) == 0 {
		return b.all
	}
	turn := func(n *numbers) int {
		if i := slices.Index(first, n.component.Name); i >= 0 {
			return i
		}
		return len(first)
	}
	return slices.SortedStableFunc(slices.Values(b.all), func(a, b *numbers) int { return cmp.Compare(turn(a), turn(b)) })
}

// begin takes what the Request's own assignments stand in for out of the fleet.
func (f *Fleet) begin(r *Request, p Policy) *board {
	b := &board{fleet: f, request: r, policy: p, surge: p.Surge, spent: map[string]Amount{}}
	f.reserve(f.byTenant[r.Tenant], r.Environment, p.Surge)
	f.scratch.used = 0
	for i := range r.Components {
		f.meet(r.Application, r.Components[i].Name, r.Components[i].KeepsFrom)
	}
	f.move(f.holding[r.Application], -1)
	b.beside(1)
	b.bind(1)
	components := slices.Clone(r.Components)
	slices.SortFunc(components, func(a, b Component) int { return cmp.Compare(a.Name, b.Name) })
	for i := range components {
		b.all = append(b.all, newNumbers(b, &components[i]))
	}
	b.all = calledFirst(b.all)
	return b
}

// namedOnce refuses components that the Request names twice, and DCNs that a component does:
// which of the two numbers is meant, nobody can tell.
func (b *board) namedOnce() bool {
	components := map[string]bool{}
	for _, n := range b.all {
		if components[n.component.Name] {
			b.refuse(n.component, "", "Count", "the component is named twice: name it once")
		}
		components[n.component.Name] = true
		for i := 1; i < len(n.counts); i++ {
			if dcn := n.counts[i].DCN; dcn == n.counts[i-1].DCN && (i < 2 || dcn != n.counts[i-2].DCN) {
				b.refuse(n.component, dcn, "Count", "the DCN is named twice, with %d and %d instances: name it once, with its number", n.counts[i-1].Count, n.counts[i].Count)
			}
		}
	}
	return !b.decision.Refused
}

// end has the fleet hold what was decided beside what the application held, or brings
// it back to what it was.
func (b *board) end() {
	f, before := b.fleet, b.fleet.holding[b.request.Application]
	if b.decision.Refused {
		b.withdraw()
		return
	}
	cells := 0
	for _, n := range b.all {
		cells += len(n.cells)
	}
	b.decision.Assignments = make([]Assignment, 0, cells)
	for _, n := range b.all {
		b.decision.Assignments = n.assigned(b.decision.Assignments)
	}
	slices.SortStableFunc(b.decision.Assignments, func(x, y Assignment) int { return cmp.Compare(x.Component, y.Component) })
	now := b.holds(before, cells)
	if before == nil && b.asKnown() && !b.keepsApart() {
		// The rooms hold it already.
		f.charge(now, 1)
	} else {
		b.leave()
		f.move(now, 1)
	}
	f.holding[b.request.Application] = now
	if now == nil {
		delete(f.holding, b.request.Application)
	}
}

// withdraw brings the fleet back to what it was.
func (b *board) withdraw() {
	b.leave()
	b.fleet.move(b.fleet.holding[b.request.Application], 1)
}

// asKnown reports whether all components were placed with the tags by which the fleet
// counts them: those that only the Revision names are the decision's own.
func (b *board) asKnown() bool {
	return !slices.ContainsFunc(b.all, func(n *numbers) bool {
		return n.profile != b.fleet.profiles[instanceOf{b.request.Application, n.component.Name}]
	})
}

// leave takes what was decided out of the fleet again, and what stood beside it.
func (b *board) leave() {
	for _, n := range b.all {
		for _, c := range n.cells {
			if len(c.seats) > 0 {
				n.take(c, -int64(len(c.seats)))
			}
		}
	}
	b.beside(-1)
	b.bind(-1)
}

// beside holds what changes by standing side by side, or with -1 gives it back: it
// has room of its own until it is gone.
func (b *board) beside(way int64) {
	held := b.fleet.holding[b.request.Application]
	if held == nil {
		return
	}
	for i := range held.list {
		if h := &held.list[i]; !b.request.standsIn(h) {
			b.fleet.occupy(b.request.Application, h, way)
		}
	}
}

// holds is what was decided together with what the application held before.
func (b *board) holds(before *holding, cells int) *holding {
	now := &holding{application: b.request.Application, tenant: b.request.Tenant, environment: b.request.Environment, list: make([]hold, 0, cells)}
	if before != nil {
		now.list = append(now.list, before.list...)
	}
	for _, n := range b.all {
		var all kins
		for _, c := range n.cells {
			if len(c.seats) > 0 {
				k := all.share(kin{component: n.component.Name, template: n.component.Template, zone: c.Zone, dcn: c.DCN, lot: n.lot(c.DCN), keepsFrom: n.component.KeepsFrom})
				now.list = append(now.list, hold{kin: k, room: c.room, n: int64(len(c.seats))})
			}
		}
	}
	if len(now.list) == 0 {
		return nil
	}
	if before != nil {
		now.list = together(now.list, true)
	}
	now.count()
	return now
}

// standsIn reports whether the Request's own assignments replace a reservation
// of its application: the same instances, or instances that change in place.
func (r *Request) standsIn(h *hold) bool {
	for i := range r.Components {
		if c := &r.Components[i]; c.Name == h.component {
			return c.Template == h.template || c.InPlace || c.OneCell
		}
	}
	return false
}

func (b *board) say(c *Component, dcn, rule, format string, args ...any) {
	b.decision.Reasons = append(b.decision.Reasons, Reason{Component: c.Name, DCN: dcn, Rule: rule, Message: fmt.Sprintf(format, args...)})
}

func (b *board) refuse(c *Component, dcn, rule, format string, args ...any) {
	b.say(c, dcn, rule, format, args...)
	b.decision.Reasons[len(b.decision.Reasons)-1].Refusal = true
	b.decision.Refused = true
}

func (b *board) candidate(c *Component, cell Cell) *Candidate {
	f := b.fleet
	return &Candidate{
		Cell: cell, Request: b.request, Component: c, Cluster: f.clusters[cell.Cluster], Pool: f.pools[cell.Pool],
		DCN: f.dcns[cell.DCN], NetworkZone: f.zones[c.Zone], Level: f.levels[c.Level],
	}
}

func (b *board) refusedBy(c *Candidate, there bool) (rule, why string) {
	return refusedBy(b.policy.Filters, c, there)
}
