// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement

import "slices"

// Cost is what a decision about a Request costs in a fleet that does not hold the
// decision yet: the sum over all instances that are new in their cells of what the
// policy's scores ask for, weight × price. Components count in the order in which they are
// placed, those that others call first, else by name, and DCNs by name, each on top of those
// before. Lower is better; there is no unit. Instances that stay where they are cost nothing,
// and a decision that is refused costs nothing either. The reference of the function is
// docs/reference/placement-policy.md.
func Cost(s Snapshot, r Request, d Decision, p Policy) int64 {
	f := Open(s)
	b := f.begin(&r, p)
	stays := map[*numbered]int{}
	for _, n := range b.all {
		for _, a := range d.Assignments {
			if a.Component != n.component.Name {
				continue
			}
			c := n.at(f.room(a.Cell.room()), a.Cell)
			for _, seat := range a.Seats {
				if slices.Contains(c.before, seat) {
					n.put(c, seat)
					stays[c]++
				}
			}
		}
	}
	var sum int64
	for _, n := range b.all {
		for _, count := range n.counts {
			sum += n.cost(count.DCN, d, stays)
		}
	}
	return sum
}

// cost is that of a component's new instances in a DCN.
func (n *numbers) cost(dcn string, d Decision, stays map[*numbered]int) int64 {
	k := n.look(dcn)
	var sum int64
	for _, a := range d.Assignments {
		if a.Component != n.component.Name || a.Cell.DCN != dcn {
			continue
		}
		r := n.fleet.room(a.Cell.room())
		i := slices.IndexFunc(k.spots, func(s spot) bool { return s.room == r })
		for more := len(a.Seats) - stays[n.at(r, a.Cell)]; more > 0 && i >= 0; more-- {
			sum += k.price(i, k.inZone.at(k.spots[i].zone))
			k.give(i)
		}
	}
	return sum
}

// cost is that of what was decided so far (see Cost), for the board to compare ways.
func (b *board) cost() int64 {
	type gain struct {
		of    *numbers
		cell  *numbered
		seats []int32
		more  int
	}
	var all []gain
	for _, n := range b.all {
		for _, c := range n.cells {
			stay := slices.DeleteFunc(slices.Clone(c.seats), func(seat int32) bool {
				_, had := slices.BinarySearch(c.before, seat)
				return !had
			})
			if more := len(c.seats) - len(stay); more > 0 {
				all = append(all, gain{n, c, c.seats, more})
				c.seats = stay
				n.take(c, -int64(more))
			}
		}
	}
	var sum int64
	for _, n := range b.all {
		for _, count := range n.counts {
			var k *look
			for _, g := range all {
				if g.of != n || g.cell.DCN != count.DCN {
					continue
				}
				if k == nil {
					k = n.look(count.DCN)
					b.weighed += len(k.spots)
					for i := range k.spots {
						if s := &k.spots[i]; s.Known && s.cell.fresh {
							s.Known = false
						}
					}
				}
				for i := k.spotOf(g.cell); g.more > 0 && i >= 0; g.more-- {
					sum += k.price(i, k.inZone.at(k.spots[i].zone))
					k.give(i)
				}
			}
		}
	}
	for _, g := range all {
		g.cell.seats = g.seats
	}
	return sum
}
