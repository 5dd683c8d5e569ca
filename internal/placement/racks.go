// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement

import "slices"

// move takes an instance out of a cell and puts one into a spot.
type move struct {
	from *numbered
	to   int
}

// tier is what instances spread over: availability zones, or racks.
type tier struct {
	// name of the rule, and what one is called.
	rule, what string
	// of is the number of a rack's.
	of     func(f *Fleet, rack int) int
	number func(r *room) int
	counts func(k *look) *counter
}

var (
	byRacks = &tier{"MinimumRacks", "rack", func(_ *Fleet, rack int) int { return rack }, func(r *room) int { return r.domain }, func(k *look) *counter { return &k.inRack }}
	byZones = &tier{"MinimumZones", "availability zone", func(f *Fleet, rack int) int { return f.racks[rack].zone }, func(r *room) int { return r.zone }, func(k *look) *counter { return &k.inZone }}
)

// in counts the component's instances in a room's rack or zone.
func (k *look) in(t *tier, r *room) int64 { return t.counts(k).at(t.number(r)) }

// over moves instances until they lie in as many racks or zones as wanted. It reports
// false if new instances break the rule; what is there already may go on as it is.
func (k *look) over(t *tier, want int64, grows bool) bool {
	for have := t.counts(k).positive(); have < want; have++ {
		moves := k.toEmpty(t)
		if moves == nil {
			if grows && k.again {
				k.refuse(k.component, k.dcn, t.rule, "too few")
				return false
			}
			lacks := k.lackingIn(t)
			if lacks != "" {
				lacks = ": " + lacks
			}
			if grows {
				k.refuse(k.component, k.dcn, t.rule, "instances must spread over %d %ss, and room was found in %d%s", want, t.what, have, lacks)
				return false
			}
			k.say(k.component, k.dcn, t.rule, "instances lie in %d %ss, fewer than the %d that they must spread over, and no other %s has room for one%s", have, t.what, want, t.what, lacks)
			return true
		}
		for _, m := range moves {
			k.lift(m.from)
			k.give(m.to)
		}
		k.moved = true
	}
	return true
}

// toEmpty finds moves that bring an instance into a rack or zone without one and leave
// none empty: the cheapest single one, else the shortest chain; nil: there is none. What
// runs moves only where new instances alone do not do.
func (k *look) toEmpty(t *tier) []move {
	for _, fromNew := range [...]bool{true, false} {
		if moves := k.intoEmpty(t, fromNew); moves != nil {
			return moves
		}
	}
	return nil
}

func (k *look) intoEmpty(t *tier, fromNew bool) []move {
	var best []move
	var cost int64
	for i := range k.spots {
		if k.in(t, k.spots[i].room) > 0 || k.space(i) == 0 {
			continue
		}
		from := k.crowded(t, i, fromNew)
		if from == nil {
			continue
		}
		if c := k.price(i, k.inZone.at(k.spots[i].zone)) - k.saved(from); best == nil || c < cost {
			best, cost = []move{{from, i}}, c
		}
	}
	if best == nil {
		best = k.chain(t, fromNew)
	}
	return best
}

// chain looks for moves one after another: an instance of the pool that has room in an
// empty rack or zone comes from where it is alone, another pool fills its place, and so on
// until an instance comes from where there is more than one. Of new instances only where it
// is asked so.
func (k *look) chain(t *tier, fromNew bool) []move {
	type step struct {
		at    int
		moves []move
	}
	var queue []step
	seen := map[int]bool{}
	for i := range k.spots {
		if r := t.number(k.spots[i].room); k.in(t, k.spots[i].room) == 0 && !seen[r] {
			seen[r] = true
			queue = append(queue, step{at: r})
		}
	}
	for len(queue) > 0 {
		now := queue[0]
		queue = queue[1:]
		for i := range k.spots {
			s := &k.spots[i]
			if t.number(s.room) != now.at || k.space(i) == 0 {
				continue
			}
			if from := k.crowded(t, i, fromNew); from != nil {
				if all := append(slices.Clone(now.moves), move{from, i}); k.withinQuotas(all) {
					return all
				}
			}
			for _, c := range k.cells {
				if c.DCN == k.dcn && len(c.seats) > 0 && !(fromNew && c.newest() < 0) && k.trades(c, i) && !seen[t.number(c.room)] {
					seen[t.number(c.room)] = true
					queue = append(queue, step{at: t.number(c.room), moves: append(slices.Clone(now.moves), move{c, i})})
				}
			}
		}
	}
	return nil
}

// space is how many instances a spot has room for, whatever the quota says.
func (k *look) space(i int) int64 {
	k.roomFor(i, 1)
	return k.spots[i].left
}

// crowded is the cell that gives up an instance for one in a spot: of the racks or zones
// with more than one a cell with new instances first, then one whose rack is not left empty
// where the number of racks matters, then the one that saves most.
func (k *look) crowded(t *tier, spot int, fromNew bool) *numbered {
	var worst *numbered
	for _, c := range k.cells {
		if c.DCN != k.dcn || len(c.seats) == 0 || fromNew && c.newest() < 0 || k.in(t, c.room) < 2 || !k.trades(c, spot) {
			continue
		}
		if worst == nil || k.rather(c, worst) {
			worst = c
		}
	}
	return worst
}

func (k *look) rather(a, b *numbered) bool {
	if x, y := len(a.seats) > len(a.before), len(b.seats) > len(b.before); x != y {
		return x
	}
	if x, y := k.inRack.at(a.room.domain) > 1, k.inRack.at(b.room.domain) > 1; x != y && k.component.MinRacks > 1 {
		return x
	}
	if x, y := k.saved(a), k.saved(b); x != y {
		return x > y
	}
	return a.compare(b.Cell) > 0
}

// saved is what the last instance of a cell costs.
func (k *look) saved(c *numbered) int64 {
	i := k.spotOf(c)
	if i < 0 {
		return 0
	}
	k.undo(c)
	price := k.price(i, k.inZone.at(k.spots[i].zone))
	k.redo(c)
	return price
}

// undo leaves the last instance of a cell out of every count, until redo.
func (k *look) undo(c *numbered) {
	k.fleet.put(c.room, k.lot, k.profile, c.DCN, -1)
	k.count(c.room.domain, -1)
	c.seats = c.seats[:len(c.seats)-1]
}

func (k *look) redo(c *numbered) {
	c.seats = c.seats[:len(c.seats)+1]
	k.count(c.room.domain, 1)
	k.fleet.put(c.room, k.lot, k.profile, c.DCN, 1)
}

// lift takes an instance out of a cell, and returns its seat: a new one where there is one.
func (k *look) lift(c *numbered) (seat int32) {
	seat = k.remove(c)
	k.count(c.room.domain, -1)
	if i := k.spotOf(c); i >= 0 {
		k.spots[i].left = -1
		if share := k.spots[i].share; share != nil {
			*share++
		}
	}
	if i := slices.IndexFunc(k.pools, func(p ranked) bool { return p.name == c.Pool }); i >= 0 {
		k.pools[i].quota++
	}
	return seat
}

func (k *look) spotOf(c *numbered) int {
	return slices.IndexFunc(k.spots, func(s spot) bool { return s.room == c.room })
}

// improve moves new instances as long as one move makes the whole cheaper. Taking the
// cheapest place for each in turn is cheapest already unless quotas of several pools
// or the number of racks or zones came between.
func (k *look) improve(racks, zones int64) {
	for range 4 * len(k.spots) {
		var best move
		gain := int64(0)
		for _, c := range k.cells {
			if c.DCN != k.dcn || len(c.seats) <= len(c.before) || k.spotOf(c) < 0 {
				continue
			}
			if m, g := k.better(c, racks, zones); g > gain {
				best, gain = m, g
			}
		}
		if gain == 0 {
			return
		}
		k.lift(best.from)
		k.give(best.to)
	}
}

// better is the best move for an instance of a cell, and what it saves.
func (k *look) better(c *numbered, racks, zones int64) (move, int64) {
	from := k.spotOf(c)
	k.weighed += len(k.spots)
	was := k.saved(c)
	k.count(c.room.domain, -1)
	defer k.count(c.room.domain, 1)
	haveRacks, haveZones := k.inRack.positive(), k.inZone.positive()
	// enough says that one instance more in a rack or zone makes as many as wanted.
	enough := func(t *tier, r *room, have, want int64) bool {
		if k.in(t, r) == 0 {
			have++
		}
		return have >= want
	}
	var best move
	gain := int64(0)
	for i := range k.spots {
		s := &k.spots[i]
		if i == from || !k.trades(c, i) || k.space(i) == 0 {
			continue
		}
		if !enough(byRacks, s.room, haveRacks, racks) || !enough(byZones, s.room, haveZones, zones) {
			continue
		}
		if g := was - k.price(i, k.inZone.at(s.zone)); g > gain {
			best, gain = move{c, i}, g
		}
	}
	return best, gain
}
