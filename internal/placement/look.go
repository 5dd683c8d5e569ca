// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement

import "slices"

// look is the search for the best cells of one component in one DCN.
type look struct {
	*numbers
	*scratch
	dcn string
	lot lot
	// pools of the spots.
	pools []ranked
	// scores are the policy's, with the weights that the component's wishes give them.
	scores []Score
	// tags says that the policy prices the component's tags.
	tags bool
	// moved says that instances were moved for the number of racks, or of clusters.
	moved bool
	// displaced counts those of them that ran.
	displaced int32
}

// ranked is a pool that is looked at: its rank among those that the component prefers,
// and how many instances more its quota allows.
type ranked struct {
	name        string
	rank, quota int64
	pack        bool
}

// spot is a room that is looked at.
type spot struct {
	Spot
	room *room
	// cell is nil until the component owns numbers there.
	cell *numbered
	zone int
	pool int
	// queue is the place of its zone among those that are searched.
	queue int
	// share is how many instances more its cluster takes; nil: as many as have room.
	share *int64
	// left is how many more fit; -1: not found out yet.
	left int64
}

// look finds the spots of a DCN.
func (n *numbers) look(dcn string) *look {
	f := n.fleet
	k := &look{numbers: n, scratch: &f.scratch, dcn: dcn, lot: n.lot(dcn), tags: n.profile != nil && len(n.profile.Tags) > 0 && len(n.policy.Apart) > 0}
	k.scores = spreading(n.policy.Scores, n.component.Spread)
	k.census()
	may := f.mayUse(dcn)
	near, nearZone := n.called(dcn)
	bars := n.bars(false)
	k.spots = k.spots[:0]
	last, pool := "", 0
	shares := n.shares(dcn)
	for _, r := range n.offered(n.component, dcn) {
		if !r.takesSome(k.lot.archs) || may != nil && !may[r.domain] || shares != nil && shares[r.cluster] == nil {
			continue
		}
		if n.ownRacks != nil && !n.ownRacks[r.domain] || len(bars) > 0 && n.barred(bars, r) != "" {
			continue
		}
		if r.pool != last {
			last, pool = r.pool, k.poolOf(r.pool)
		}
		k.spots = append(k.spots, spot{room: r, pool: pool, zone: r.zone, left: -1, share: shares[r.cluster]})
		s := &k.spots[len(k.spots)-1]
		s.Rank, s.Pack = k.pools[pool].rank, k.pools[pool].pack
		s.Filled = r.filled(Amount{}, 0)
		if len(k.known) > 0 {
			s.cell = k.known[r]
			s.Known = s.cell != nil
		}
		if near != nil {
			switch {
			case near[r.domain]:
			case nearZone[s.zone]:
				s.Far = 1
			default:
				s.Far = 2
			}
		}
	}
	return k
}

// census counts the component's instances of the DCN by rack and zone.
func (k *look) census() {
	k.inRack.clear()
	k.inZone.clear()
	clear(k.known)
	for _, c := range k.cells {
		if c.DCN != k.dcn || c.Zone != k.component.Zone {
			continue
		}
		if c.block >= 0 {
			k.known[c.room] = c
		}
		k.count(c.room.domain, int64(len(c.seats)))
	}
	for _, m := range k.fleet.machines[instanceOf{k.request.Application, k.component.Name}] {
		if m.DCN == k.dcn {
			k.count(k.fleet.rackOf(m.DataCenter, m.Rack), 1)
		}
	}
}

func (k *look) count(rack int, by int64) {
	if by != 0 {
		k.inRack.add(rack, by)
		k.inZone.add(k.fleet.racks[rack].zone, by)
	}
}

// poolOf is the number of a pool among those of the spots.
func (k *look) poolOf(name string) int {
	if i := slices.IndexFunc(k.pools, func(p ranked) bool { return p.name == name }); i >= 0 {
		return i
	}
	rank := slices.Index(k.component.Pools, name)
	if rank < 0 {
		rank = len(k.component.Pools)
	}
	k.pools = append(k.pools, ranked{name: name, rank: int64(rank), quota: k.quotaLeft(name, k.component.Size), pack: k.fleet.pools[name].Pack})
	return len(k.pools) - 1
}

// mayUse are the racks that a DCN may use; nil: any.
func (f *Fleet) mayUse(dcn string) map[int]bool {
	if d := f.dcns[dcn]; d != nil && f.paired[dcn] && d.Partner != "" {
		return f.divided(dcn, d.Partner, d.DataCenter)
	}
	return nil
}

// called are the racks and zones where the components are in the DCN that a
// component calls, of its own application or of others; nil: it calls none, or none is
// there.
func (n *numbers) called(dcn string) (racks, zones map[int]bool) {
	here := func(r *room) {
		if racks == nil {
			racks, zones = map[int]bool{}, map[int]bool{}
		}
		racks[r.domain], zones[r.zone] = true, true
	}
	for _, other := range n.all {
		if n.profile == nil || !slices.Contains(n.profile.Calls, other.component.Name) {
			continue
		}
		for _, c := range other.cells {
			if c.DCN == dcn && len(c.seats) > 0 {
				here(c.room)
			}
		}
	}
	for _, callee := range n.component.CallsOutside {
		if h := n.fleet.holding[callee.Application]; h != nil {
			for i := range h.list {
				if x := &h.list[i]; x.component == callee.Component && x.dcn == dcn {
					here(x.room)
				}
			}
		}
	}
	return racks, zones
}

// price is what one instance more costs in a spot, with so many in its zone.
func (k *look) price(i int, inZone int64) int64 {
	s := &k.spots[i]
	s.InRack, s.InZone, s.InCell = k.inRack.at(s.room.domain), inZone, 0
	if s.cell != nil {
		s.InCell = int64(len(s.cell.seats))
	}
	s.Hosts = int64(len(s.room.names))
	s.FilledThen = s.room.filled(k.component.Size, 1)
	if k.tags {
		s.Alike = k.fleet.alike(k.profile, s.room.domain, k.policy.Apart)
	}
	var sum int64
	for j := range k.scores {
		sum += k.scores[j].Weight * k.scores[j].Of(&s.Spot)
	}
	return sum
}

// alike is the price of the pairs that one instance more would make in a rack.
func (f *Fleet) alike(p *Profile, rack int, rules []Apart) int64 {
	in := f.tagged[rack]
	if in == nil {
		return 0
	}
	var sum int64
	for _, a := range rules {
		if slices.Contains(p.Tags, a.Tag) {
			sum += a.Price * in[a.Other]
		}
		if a.Tag != a.Other && slices.Contains(p.Tags, a.Other) {
			sum += a.Price * in[a.Tag]
		}
	}
	return sum
}

// roomFor is how many more instances a spot takes, whatever it costs.
func (k *look) roomFor(i int, missing int64) int64 {
	s := &k.spots[i]
	if s.left < 0 {
		upTo := missing
		if s.cell != nil {
			upTo = k.allowed(s.cell, missing)
		} else if most := k.component.mostPerHost(); most > 0 {
			upTo = min(upTo, most*int64(len(s.room.names)))
		}
		s.left = s.room.most(k.lot, min(upTo, SeatsPerBlock), k.policy, &k.held)
	}
	return min(s.left, k.quotaOf(i))
}

// byPrice are the spots, the cheapest first.
func (k *look) byPrice() []*spot {
	order := make([]priced, len(k.spots))
	for i := range k.spots {
		order[i] = priced{k.price(i, k.inZone.at(k.spots[i].zone)), i}
	}
	slices.SortFunc(order, comparePriced)
	out := make([]*spot, len(order))
	for i, p := range order {
		out[i] = &k.spots[p.spot]
	}
	return out
}

func (k *look) rooms() []*room {
	out := make([]*room, len(k.spots))
	for i := range k.spots {
		out[i] = k.spots[i].room
	}
	return out
}
