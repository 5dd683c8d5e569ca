// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"sort"
)

const (
	// mostNear is how many rooms of a pool are looked at in detail to say how many hosts more
	// would do: those nearest to taking what lacks. A refusal must not take longer with each
	// rack of the fleet.
	mostNear = 3
	// mostMixed is in how many rooms it is found out whether sizes get in each other's way.
	mostMixed = 12
)

// place is a pool in a data centre.
type place struct{ pool, site string }

func (f *Fleet) placeOf(r *room) place { return place{r.pool, f.racks[r.domain].site} }

// noRoom says what lacks for the missing instances: what would help without more hosts first,
// then pool by pool and data centre by data centre what the racks that are open lack, then what
// keeps instances out of the others.
func (b *board) noRoom(c *Component, dcn string, missing int64, open []*room, l lot) {
	if b.again {
		b.refuse(c, dcn, "RoomHostByHost", "no room")
		return
	}
	n := b.numbersOf(c)
	quotas := map[string]string{}
	in := map[place][]*room{}
	var places []place
	var short []*room
	for _, r := range open {
		why, asked := quotas[r.pool]
		if !asked {
			why = b.overQuota(r.pool, c.Size, missing)
			quotas[r.pool] = why
			if why != "" {
				places = append(places, place{pool: r.pool})
			}
		}
		if why != "" {
			continue
		}
		p := b.fleet.placeOf(r)
		if in[p] == nil {
			places = append(places, p)
		}
		in[p] = append(in[p], r)
		short = append(short, r)
	}
	if why := b.mixing(nearest(c, short, missing), l, missing, c.OneCell); why != "" {
		b.refuse(c, dcn, "RoomHostByHost", "%s", why)
	}
	for i, p := range places {
		switch {
		case i == mostTold:
			b.refuse(c, dcn, "RoomHostByHost", "and %d pools more have no room or no quota", len(places)-i)
		case i > mostTold:
		case quotas[p.pool] != "":
			b.refuse(c, dcn, "Quota", "%s", quotas[p.pool])
		default:
			b.refuse(c, dcn, "RoomHostByHost", "pool %s in %s %s", p.pool, p.site, n.lack(dcn, in[p], missing))
		}
	}
	causes := map[string][]string{}
	for _, x := range n.closedBeside(b.offeredToAll(c, dcn), dcn) {
		if !slices.Contains(causes[x.rule], x.why) {
			causes[x.rule] = append(causes[x.rule], x.why)
		}
	}
	for _, rule := range besideFilters {
		for _, why := range some(causes[rule], mostTold, "cause") {
			b.refuse(c, dcn, rule, "%s", why)
		}
	}
}

// nearest are rooms in the order of about how many hosts more they need for the missing instances,
// by what is free on all of their hosts together and by their largest one; of two alike the one with
// more free first, then by name. Rooms none of whose hosts holds one come last.
func nearest(c *Component, rooms []*room, missing int64) []*room {
	type far struct{ hosts, free int64 }
	by := make(map[*room]far, len(rooms))
	for _, r := range rooms {
		f := far{hosts: math.MaxInt64, free: perHost(r.free(), c.Size)}
		if host, ok := r.largest(archsOf(c.Archs)); ok {
			if each := perHost(host.room, c.Size); each > 0 {
				f.hosts = (max(missing-f.free, 0) + each - 1) / each
			}
		}
		by[r] = f
	}
	return slices.SortedFunc(slices.Values(rooms), func(x, y *room) int {
		return cmp.Or(cmp.Compare(by[x].hosts, by[y].hosts), cmp.Compare(by[y].free, by[x].free), x.compare(y.roomKey))
	})
}

// lack says in numbers what rooms of one pool lack for instances that find no room in them, and
// how many hosts more would do.
func (n *numbers) lack(dcn string, rooms []*room, missing int64) string {
	c, l := n.component, n.lot(dcn)
	near := nearest(c, rooms, missing)
	others := ""
	if c.OneCell && len(rooms) > 1 {
		others = fmt.Sprintf(", the nearest to it of %d racks, since all run on one", len(rooms))
		rooms, near = near[:1], near[:1]
	}
	var free Amount
	var all hosts
	var racks []string
	full, bound := 0, 0
	for _, r := range rooms {
		f := r.free()
		free = free.Plus(Amount{CPU: max(f.CPU, 0), Memory: max(f.Memory, 0), Instances: max(f.Instances, 0)})
		all.classes = append(all.classes, r.hosts.classes...)
		racks = append(racks, r.rack)
		switch seats, hosts := n.mayAdd(dcn, r, 0); {
		case seats < missing:
			full++
		case hosts < missing:
			bound++
		}
	}
	racks = slices.Compact(slices.Sorted(slices.Values(racks)))
	where := "rack " + racks[0]
	if len(racks) > 1 {
		where = fmt.Sprintf("%d racks", len(racks))
	}
	tooFew := bound == len(rooms) || n.wouldFit(near[0], l, missing, func(x lot) bool { return x.owner == l.owner })
	lacks := c.Size.Times(missing).Plus(free.Times(-1)).words()
	var what string
	switch {
	case full == len(rooms):
		return fmt.Sprintf("has %s free on %s, but a component has at most %d seats in each cell, too few are left there for %s, and no host more there helps: hosts on another rack would do, or fewer instances in %s",
			cmp.Or(free.sizeWords(), "nothing"), where, SeatsPerBlock, instances(missing), dcn)
	case tooFew:
		what = fmt.Sprintf("has %s free on %s, but no host may hold more than %d of the component (maxPerHost), and its %s too few for %s", cmp.Or(free.sizeWords(), "nothing"), where, c.mostPerHost(), hostsAre(all.number(l.archs)), instances(missing))
	case lacks != "":
		what = fmt.Sprintf("lacks %s on %s for %s", lacks, where, instances(missing))
	default:
		what = fmt.Sprintf("has %s free on %s, but no host is certain to have %s in one piece for %s", free.sizeWords(), where, c.Size.sizeWords(), instances(missing))
	}
	what += others + all.others(c)
	if !tooFew {
		what += n.shutIn(near[0], len(racks) > 1) + n.boundIn(near[0], l, missing)
	}
	near = slices.DeleteFunc(near, func(r *room) bool {
		host, ok := r.largest(l.archs)
		return !ok || perHost(host.room, c.Size) == 0
	})
	if len(near) == 0 {
		return what + "; no host there is large enough for a single one"
	}
	what += near[0].keeps(n.policy)
	most, rack := int64(0), ""
	for _, r := range near[:min(len(near), mostNear)] {
		if more := n.hostsMore(dcn, r, l, missing); more > 0 && (most == 0 || more < most) {
			most, rack = more, r.rack
		}
	}
	if most == 0 {
		return what
	}
	what += "; " + hostsMore(most)
	if len(racks) > 1 {
		what += ", on rack " + rack
	}
	return what
}

// hostsMore is how many hosts more, like the largest that is there, a room needs for the missing
// instances; 0: so many as are tried (mostMore) do not do. More hosts never take less, so halving
// finds it.
func (n *numbers) hostsMore(dcn string, r *room, l lot, missing int64) int64 {
	host, ok := r.largest(l.archs)
	if seats, _ := n.mayAdd(dcn, r, 0); !ok || seats < missing {
		return 0
	}
	most := int(n.mostMore(missing))
	would := func(more int64) bool {
		if _, hosts := n.mayAdd(dcn, r, more); hosts < missing {
			return false
		}
		return r.with(host, more, n.surge).fits(l, missing, n.policy, &n.fleet.scratch.held)
	}
	if more := sort.Search(most, func(i int) bool { return would(int64(i) + 1) }) + 1; more <= most {
		return int64(more)
	}
	return 0
}

// with is the room with so many hosts more like one, of which successors' share is kept.
func (r *room) with(host class, more int64, surge int32) *room {
	wider := *r
	wider.hosts = r.hosts.with(host, more)
	wider.names = append(slices.Clone(r.names), make([]string, more)...)
	wider.lean = nil
	for k := range wider.hosts.classes {
		wider.lean = append(wider.lean, wider.hosts.without(k))
	}
	if r.kept != nil {
		wider.kept = keeping(wider.hosts, r.kept.n+(more*int64(surge)+99)/100)
	}
	return &wider
}
