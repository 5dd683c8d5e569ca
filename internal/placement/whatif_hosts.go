// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement

import (
	"cmp"
	"fmt"
	"slices"
)

// emptied are the racks of which every host is lost: a rack without a host is lost itself.
func (l losses) emptied(s Snapshot) {
	hit, left := map[domainKey]bool{}, map[domainKey]bool{}
	for _, p := range s.Pools {
		for _, r := range p.Racks {
			rack := domainKey{l.siteOf[r.Cluster], r.Name}
			for _, h := range r.Hosts {
				if l.hosts[[2]string{r.Cluster, h.Name}] {
					hit[rack] = true
				} else {
					left[rack] = true
				}
			}
		}
	}
	for rack := range hit {
		if !left[rack] {
			l.racks[rack] = true
		}
	}
}

// crowded says of one Request which instances find no host any more where they are.
type crowded struct {
	// move are those that are placed elsewhere, stay those that are not.
	move, stay []Reason
	// unseen says of which nobody knows whether their host is lost.
	unseen []string
}

// crowd has the rooms that have lost hosts hold what they have room for in any order, what
// cannot move and the more important first. The rest waits for room there, as it would in
// the member, and is to be placed elsewhere. What keeps to its host for its volumes stays with
// it: it comes back with a host that is lost, and is not touched on one that is left.
func (l losses) crowd(after Snapshot, requests []Request) []crowded {
	out := make([]crowded, len(requests))
	if len(l.thinned) == 0 {
		return out
	}
	type part struct {
		request    int
		assignment Assignment
		component  *Component
		// on are the hosts that are left and that instances keep to; those are none of the
		// assignment's seats here.
		on []string
	}
	var parts []part
	f := Open(after)
	for i := range requests {
		r := &requests[i]
		for _, a := range r.Previous {
			if !l.thinned[a.Cell.room()] || len(a.Seats) == 0 {
				continue
			}
			f.meet(r.Application, a.Component, a.KeepsFrom)
			f.bind(instanceOf{r.Application, a.Component}, a.KeepsFrom, 1)
			one := part{request: i, assignment: a}
			if j := slices.IndexFunc(r.Components, func(c Component) bool { return c.Name == a.Component }); j >= 0 {
				one.component = &r.Components[j]
			}
			if one.component != nil && one.component.KeepsToHost() {
				one.assignment.Seats, one.on = l.keepTo(r, a, &out[i])
			}
			parts = append(parts, one)
		}
	}
	stays := func(p part) int {
		if p.component != nil && p.component.movable() {
			return 1
		}
		return 0
	}
	slices.SortFunc(parts, func(a, b part) int {
		x, y := &requests[a.request], &requests[b.request]
		return cmp.Or(cmp.Compare(stays(a), stays(b)), cmp.Compare(y.Priority, x.Priority), cmp.Compare(x.Application, y.Application),
			cmp.Compare(a.assignment.Component, b.assignment.Component), a.assignment.Cell.compare(b.assignment.Cell), cmp.Compare(a.assignment.Template, b.assignment.Template))
	})
	taken := map[roomKey]map[string]Amount{}
	for _, p := range parts {
		key, lot := p.assignment.Cell.room(), f.lotOf(requests[p.request].Application, p.assignment)
		if lot.party != nil || lot.owner != 0 {
			f.room(key).take(lot, int64(len(p.on))) // wherever they are, they shut their hosts to others, or to more of their kind
			continue
		}
		for _, host := range p.on {
			if taken[key] == nil {
				taken[key] = map[string]Amount{}
			}
			taken[key][host] = taken[key][host].Plus(p.assignment.Size)
		}
	}
	f.settled(after, taken)
	waits := make([][]Wait, len(requests))
	for _, p := range parts {
		r, a, room := &requests[p.request], p.assignment, f.room(p.assignment.Cell.room())
		lot, n := f.lotOf(r.Application, a), int64(len(a.Seats))
		upTo := n
		if p.component != nil && p.component.mostPerHost() > 0 {
			upTo = max(min(upTo, p.component.mostPerHost()*int64(len(room.names))-int64(len(p.on))), 0)
		}
		holds := room.most(lot, upTo, Policy{}, &f.scratch.held)
		room.take(lot, holds)
		if holds == n {
			continue
		}
		why := Reason{Component: a.Component, DCN: a.Cell.DCN, Rule: "HostsLost", Refusal: true, Message: fmt.Sprintf(
			"%d of %s on rack %s of pool %s in cluster %s would find no host: those that are left are certain to hold %d", n-holds, instances(n), a.Cell.Rack, a.Cell.Pool, a.Cell.Cluster, holds)}
		if p.component != nil && p.component.movable() {
			waits[p.request] = append(waits[p.request], Wait{Component: a.Component, Cell: a.Cell, Seats: ascending(a.Seats)[holds:]})
			out[p.request].move = append(out[p.request].move, why)
			continue
		}
		why.Message += "; it keeps an identity, runs once only or has volumes that do not move, so that they wait there for a host"
		out[p.request].stay = append(out[p.request].stay, why)
	}
	for i := range requests {
		requests[i] = requests[i].Elsewhere(waits[i])
	}
	return out
}
