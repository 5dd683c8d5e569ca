// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement

import (
	"cmp"
	"slices"
)

// calledFirst brings components into the order in which they are filled: those that
// others call before those that call them, so that callers find them (NearCalled), and
// by name where no call says otherwise. Of components that call each other in a circle the
// first by name goes first.
func calledFirst(all []*numbers) []*numbers {
	if !slices.ContainsFunc(all, func(n *numbers) bool { return n.profile != nil && len(n.profile.Calls) > 0 }) {
		return all
	}
	rest, out := slices.Clone(all), make([]*numbers, 0, len(all))
	waits := func(n *numbers) bool {
		return n.profile != nil && slices.ContainsFunc(rest, func(o *numbers) bool {
			return o != n && slices.Contains(n.profile.Calls, o.component.Name)
		})
	}
	for len(rest) > 0 {
		i := max(slices.IndexFunc(rest, func(n *numbers) bool { return !waits(n) }), 0)
		out = append(out, rest[i])
		rest = slices.Delete(rest, i, i+1)
	}
	return out
}

// byKeeping are the components' numbers in the order in which it is found out what may
// stay: those that name others of the Request come after these, since it is they who go
// where two are too near. Of two that name each other the first stays.
func (b *board) byKeeping() []*numbers {
	if !b.keepsApart() {
		return b.all
	}
	out := make([]*numbers, 0, len(b.all))
	seen := map[*numbers]bool{}
	var add func(*numbers)
	add = func(n *numbers) {
		if seen[n] {
			return
		}
		seen[n] = true
		for _, o := range b.all {
			if slices.ContainsFunc(n.component.KeepsFrom, func(k KeepsFrom) bool {
				return k.Application == b.request.Application && k.Component == o.component.Name
			}) {
				add(o)
			}
		}
		out = append(out, n)
	}
	for _, n := range b.all {
		add(n)
	}
	return out
}

// ground is an availability zone or a rack that components of a Request divide.
type ground struct {
	site, name string
	racks      []int
	// mine are the components that could use it, with how many instances each has room for,
	// and there those that are in it already.
	mine, there []*numbers
	room        map[*numbers]int64
}

// most is for how many instances of one component it has room.
func (g *ground) most() int64 {
	var most int64
	for _, n := range g.room {
		most = max(most, n)
	}
	return most
}

// mostGrounds is how many racks or zones are divided in every way. More are divided in one.
const mostGrounds = 4

// divide divides the racks, or the availability zones where the rule is about them, among
// the components of the Request that keep apart from each other, so that none takes all:
// what one is in already is its own, the rest goes to whoever has the least room for its
// number of instances, in the order of names; the largest first. It reports in how many ways
// two components can divide them where they are few: way says which of them to take instead,
// from 1 on. 0: there is nothing to divide; 1: no more than this one.
func (b *board) divide(way int) (ways int) {
	scope, parted := b.parted()
	if len(parted) < 2 {
		return 0
	}
	all := b.grounds(scope, parted)
	type at struct {
		who  *numbers
		site string
	}
	got := map[at]int64{}
	for _, n := range parted {
		n.ownRacks = map[int]bool{}
	}
	for i, g := range all {
		var owners []*numbers
		give := func(n *numbers) {
			owners = append(owners, n)
			got[at{n, g.site}] += g.room[n]
			for _, rack := range g.racks {
				n.ownRacks[rack] = true
			}
		}
		for _, n := range g.there {
			give(n)
		}
		for {
			var next *numbers
			for j, n := range g.mine {
				if slices.ContainsFunc(owners, func(o *numbers) bool { return o == n || n.partsFrom(o) }) {
					continue
				}
				if way > 0 && len(g.mine) == 2 {
					if j == (way-1)>>i&1 {
						next = n
					}
					continue
				}
				if next == nil || got[at{n, g.site}]*next.asked() < got[at{next, g.site}]*n.asked() {
					next = n
				}
			}
			if next == nil {
				break
			}
			give(next)
		}
	}
	if len(parted) > 2 || len(all) > mostGrounds {
		return 1
	}
	return 1 << len(all)
}

// parted are the components that share no rack or zone with another one of the Request,
// and which of the two; zones where both are named.
func (b *board) parted() (scope Scope, parted []*numbers) {
	scope = ScopeRack
	for _, n := range b.all {
		for _, o := range b.all {
			if n == o || !n.partsFrom(o) {
				continue
			}
			if n.party.bonds[bond{o.party, ScopeZone, true}]+n.party.bonds[bond{o.party, ScopeZone, false}] > 0 {
				scope = ScopeZone
			}
			if !slices.Contains(parted, n) {
				parted = append(parted, n)
			}
		}
	}
	return scope, parted
}

// partsFrom reports whether two components share no rack or no zone.
func (n *numbers) partsFrom(o *numbers) bool {
	if n.party == nil || o.party == nil {
		return false
	}
	for _, s := range [...]Scope{ScopeZone, ScopeRack} {
		if n.party.bonds[bond{o.party, s, true}]+n.party.bonds[bond{o.party, s, false}] > 0 {
			return true
		}
	}
	return false
}

// asked is how many instances a component asks for in all.
func (n *numbers) asked() int64 {
	var sum int64
	for _, c := range n.counts {
		sum += int64(c.Count)
	}
	return sum
}

// grounds are the racks or zones that components could use: those with most room first.
func (b *board) grounds(scope Scope, parted []*numbers) []*ground {
	by := map[domainKey]*ground{}
	at := func(rack int) *ground {
		place := b.fleet.racks[rack]
		key := domainKey{place.site, place.name}
		if scope == ScopeZone {
			key.rack = b.fleet.zoneName[place.zone]
		}
		if by[key] == nil {
			by[key] = &ground{site: key.site, name: key.rack, room: map[*numbers]int64{}}
		}
		g := by[key]
		if !slices.Contains(g.racks, rack) {
			g.racks = append(g.racks, rack)
		}
		return g
	}
	once := func(list []*numbers, n *numbers) []*numbers {
		if slices.Contains(list, n) {
			return list
		}
		return append(list, n)
	}
	for _, n := range parted {
		for _, count := range n.counts {
			if count.Count == 0 {
				continue
			}
			k := n.look(count.DCN)
			for i := range k.spots {
				if room := k.roomFor(i, int64(count.Count)); room > 0 {
					g := at(k.spots[i].room.domain)
					g.mine = once(g.mine, n)
					g.room[n] += room
				}
			}
		}
		for _, c := range n.cells {
			if len(c.seats) > 0 {
				g := at(c.room.domain)
				g.there = once(g.there, n)
			}
		}
	}
	out := make([]*ground, 0, len(by))
	for _, g := range by {
		out = append(out, g)
	}
	slices.SortFunc(out, func(x, y *ground) int {
		return cmp.Or(cmp.Compare(x.site, y.site), cmp.Compare(y.most(), x.most()), cmp.Compare(x.name, y.name))
	})
	return out
}
