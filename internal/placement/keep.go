// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement

import "slices"

// keepSame finds out which seats may stay, and leaves those whose instances do
// not change where they are.
func (n *numbers) keepSame() {
	if n.component.OneCell {
		return
	}
	bars := n.bars(true)
	for _, count := range n.counts {
		var stay []*numbered
		for _, c := range n.cells {
			if c.DCN != count.DCN || len(c.before) == 0 {
				continue
			}
			if rule, why := n.refusedBy(n.candidate(n.component, c.Cell), true); rule != "" {
				n.say(n.component, count.DCN, rule, "%s must leave cell %s: %s", instances(int64(len(c.before))), c.Key(), why)
				continue
			}
			if why := n.barred(bars, c.room); why != "" {
				n.say(n.component, count.DCN, "KeepApart", "%s must leave cell %s: %s", instances(int64(len(c.before))), c.Key(), why)
				continue
			}
			c.stay = slices.Clone(c.before)
			stay = append(stay, c)
		}
		n.trim(count, stay)
		for _, c := range stay {
			if c.same && len(c.stay) > 0 {
				c.seats, c.stay = c.stay, nil
				n.take(c, int64(len(c.seats)))
			}
		}
	}
}

// keepChanged leaves instances that change in their cells as far as the new ones
// find room there beside the old.
func (n *numbers) keepChanged() {
	for _, c := range n.cells {
		n.growing(c.DCN)
		for _, seat := range c.stay {
			switch {
			case n.takes(c):
				n.put(c, seat)
			case n.component.InPlace:
				n.refuse(n.component, c.DCN, "RoomHostByHost", "%s-%d cannot change in its place: pool %s %s", n.component.Name, seat, c.Pool, n.lack(c.DCN, []*room{c.room}, 1))
				n.put(c, seat)
			default:
				n.say(n.component, c.DCN, "RoomHostByHost", "%s-%d must leave cell %s, which cannot hold its successor beside it", n.component.Name, seat, c.Key())
			}
		}
		c.stay = nil
	}
}

// takes reports whether the cell can take one instance more.
func (n *numbers) takes(c *numbered) bool {
	return n.allowed(c, 1) > 0 && n.quotaLeft(c.Pool, n.component.Size) > 0 && c.room.fits(n.lot(c.DCN), 1, n.policy, &n.fleet.scratch.held)
}

// allowed is how many more instances of the component the cell may have, up to a
// number, whatever its room: seat numbers and the bound per host.
func (n *numbers) allowed(c *numbered, upTo int64) int64 {
	upTo = min(upTo, SeatsPerBlock-int64(len(c.seats))-n.machinesIn(c))
	if most := n.component.mostPerHost(); most > 0 {
		upTo = min(upTo, most*int64(len(c.room.names))-int64(len(c.seats)))
	}
	return max(upTo, 0)
}

// crowds counts the component's instances of a DCN on virtual machines by rack and zone.
func (n *numbers) crowds(dcn string) crowds {
	in := crowds{racks: map[int]int{}, zones: map[int]int{}}
	for _, m := range n.fleet.machines[instanceOf{n.request.Application, n.component.Name}] {
		if m.DCN == dcn {
			rack := n.fleet.rackOf(m.DataCenter, m.Rack)
			in.racks[rack]++
			in.zones[n.fleet.racks[rack].zone]++
		}
	}
	return in
}

// trim gives up the highest numbers of the fullest racks until the total is reached.
func (in crowds) trim(cells []*numbered, total int) {
	have := 0
	for _, c := range cells {
		have += len(c.stay)
		in.count(c, len(c.stay))
	}
	for ; have > total; have-- {
		var worst *numbered
		for _, c := range cells {
			if len(c.stay) == 0 {
				continue
			}
			if worst == nil || in.fuller(c, worst) {
				worst = c
			}
		}
		worst.stay = worst.stay[:len(worst.stay)-1]
		in.count(worst, -1)
	}
}

// crowds count seats, and instances on virtual machines, by rack and by availability zone.
type crowds struct{ racks, zones map[int]int }

func (in crowds) count(c *numbered, by int) {
	in.racks[c.room.domain] += by
	in.zones[c.room.zone] += by
}

// fuller says whether a cell gives up a seat before another one does: in the fuller rack, of
// two alike in the fuller zone, so that none is emptied without need, then with more seats,
// then the later by name.
func (in crowds) fuller(a, b *numbered) bool {
	for _, by := range [...]int{
		in.racks[a.room.domain] - in.racks[b.room.domain], in.zones[a.room.zone] - in.zones[b.room.zone], len(a.stay) - len(b.stay),
	} {
		if by != 0 {
			return by > 0
		}
	}
	return a.compare(b.Cell) > 0
}
