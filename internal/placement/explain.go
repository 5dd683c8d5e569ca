// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

const (
	// mostRules is how many rules a decision names that exclude cells, for a component
	// in a DCN, and mostCauses how many causes of each.
	mostRules  = 8
	mostCauses = 3
)

// explain says of each cell with instances why they are there: of new ones why it was taken
// before the next best, of those that run there already that they may stay, and at what
// price. Then it says which cells were excluded by which rule.
func (k *look) explain() {
	if !k.policy.Explain {
		return
	}
	k.sort()
	var kept, chosen []*numbered
	for _, c := range k.cells {
		if c.DCN != k.dcn || c.Zone != k.component.Zone || len(c.seats) == 0 {
			continue
		}
		if c.newest() >= 0 {
			chosen = append(chosen, c)
		}
		if len(c.staying()) > 0 {
			kept = append(kept, c)
		}
	}
	k.sayOf(kept, "Kept", k.kept, "which may stay where they are, too")
	k.sayOf(chosen, "Chosen", k.chosen, "by the same scores")
	k.tellTags()
	k.processors()
	k.unnamed()
	k.excluded(1)
}

// sayOf says something of cells, and what holds for the rest where there are more than are named.
func (k *look) sayOf(cells []*numbered, rule string, what func(c *numbered) string, rest string) {
	for i, c := range cells {
		if i == mostTold {
			k.say(k.component, k.dcn, rule, "and %s more, %s", groups(len(cells)-i), rest)
			return
		}
		k.say(k.component, k.dcn, rule, "cell %s %s", c.Key(), what(c))
	}
}

func groups(n int) string {
	if n == 1 {
		return "1 group"
	}
	return fmt.Sprintf("%d groups", n)
}

// staying are the seats of a cell that were there before.
func (c *numbered) staying() []int32 {
	var out []int32
	for _, seat := range c.seats {
		if _, had := slices.BinarySearch(c.before, seat); had {
			out = append(out, seat)
		}
	}
	return out
}

// kept says that instances may stay where they run, what the last of them costs there, and
// what it would cost elsewhere.
func (k *look) kept(c *numbered) string {
	seats := c.staying()
	text := fmt.Sprintf("keeps seats %s, which may stay where they are", appendRange(nil, seats))
	if len(seats) == 1 {
		text = fmt.Sprintf("keeps seat %d, which may stay where it is", seats[0])
	}
	if k.spotOf(c) < 0 {
		_, why := k.shutOut(c.room)
		return text + "; it takes nothing new: " + why
	}
	price := k.saved(c)
	next := k.next(c.room)
	if next < 0 {
		return fmt.Sprintf("%s: the last costs %d, and no other cell that may take instances has room", text, price)
	}
	k.undo(c)
	other := k.price(next, k.inZone.at(k.spots[next].zone))
	k.redo(c)
	cell := cellOf(k.spots[next].room, k.component.Zone, k.dcn)
	if other < price {
		return fmt.Sprintf("%s: the last costs %d and would cost %d in cell %s, but what runs is not moved for that", text, price, other, cell.Key())
	}
	return fmt.Sprintf("%s: the last costs %d and would cost %d in cell %s, the next best", text, price, other, cell.Key())
}

// chosen says what spoke for a cell.
func (k *look) chosen(c *numbered) string {
	next := k.next(c.room)
	if next < 0 {
		return "has room, and no other cell that may take instances has"
	}
	i := k.spotOf(c)
	k.undo(c)
	mine := k.prices(i)
	k.redo(c)
	if k.plan != nil {
		other := cellOf(k.spots[next].room, k.component.Zone, k.dcn)
		switch more := k.dearer(mine, next); {
		case more > 0:
			return fmt.Sprintf("costs %d more than cell %s, and leaves that to another component: together they cost less", more, other.Key())
		case more == 0 && other.compare(c.Cell) < 0:
			return fmt.Sprintf("is as good as cell %s, and leaves that to another component: together they cost less", other.Key())
		}
	}
	return k.lead(mine, next)
}

// dearer is how much more a cell with such prices costs than the next best spot.
func (k *look) dearer(mine []int64, next int) int64 {
	var sum int64
	for j, other := range k.prices(next) {
		sum += k.scores[j].Weight * (mine[j] - other)
	}
	return sum
}

// lead says by which score a cell with such prices was better than the next best spot.
func (k *look) lead(mine []int64, next int) string {
	others := k.prices(next)
	best, lead := -1, int64(0)
	for j, s := range k.scores {
		if d := s.Weight * (others[j] - mine[j]); d > lead {
			best, lead = j, d
		}
	}
	cell := cellOf(k.spots[next].room, k.component.Zone, k.dcn)
	if best < 0 {
		return fmt.Sprintf("is as good as cell %s, and comes before it by name", cell.Key())
	}
	return fmt.Sprintf("was better than cell %s by %s: %d there, %d here", cell.Key(), k.scores[best].Name, others[best], mine[best])
}

// prices are what the scores say of one instance more in a spot, without weights.
func (k *look) prices(i int) []int64 {
	k.price(i, k.inZone.at(k.spots[i].zone))
	out := make([]int64, len(k.scores))
	for j, s := range k.scores {
		out[j] = s.Of(&k.spots[i].Spot)
	}
	return out
}

// next is the cheapest spot outside a room that takes one more; -1: none does.
func (k *look) next(but *room) int {
	best, cost := -1, int64(0)
	for i := range k.spots {
		if k.spots[i].room == but || k.space(i) == 0 || k.spots[i].share != nil && k.spots[i].room.cluster != but.cluster || k.pools[k.spots[i].pool].quota == 0 && k.spots[i].room.pool != but.pool {
			continue
		}
		if p := k.price(i, k.inZone.at(k.spots[i].zone)); best < 0 || p < cost {
			best, cost = i, p
		}
	}
	return best
}

// excluded says which cells are left aside, by rule: those last in the order of the filters
// first, since they are the nearest misses, and before them those without room or quota for so
// many instances.
func (k *look) excluded(n int64) {
	type rule struct {
		name   string
		cells  int
		causes []string
	}
	var rules []*rule
	for _, r := range append(k.closed(k.component, k.dcn), k.full(n)...) {
		i := slices.IndexFunc(rules, func(x *rule) bool { return x.name == r.rule })
		if i < 0 {
			i = len(rules)
			rules = append(rules, &rule{name: r.rule})
		}
		rules[i].cells += r.cells
		if !slices.Contains(rules[i].causes, r.why) {
			rules[i].causes = append(rules[i].causes, r.why)
		}
	}
	order := k.order()
	slices.SortStableFunc(rules, func(a, b *rule) int { return cmp.Compare(order[b.name], order[a.name]) })
	for i, r := range rules {
		if i == mostRules {
			var names []string
			for _, x := range rules[i:] {
				names = append(names, x.name)
			}
			k.aside("Rules", "cells are excluded by %s, too", list(names))
			break
		}
		slices.Sort(r.causes)
		k.aside(r.name, "excludes %s: %s", cells(r.cells), strings.Join(some(r.causes, mostCauses, "cause"), "; "))
	}
}

// aside says what is left out, rather than what was decided.
func (k *look) aside(rule, format string, args ...any) {
	k.say(k.component, k.dcn, rule, format, args...)
	k.decision.Reasons[len(k.decision.Reasons)-1].Aside = true
}

// full are the open cells without an instance of the component that take no n more: those of
// pools without quota, and those without room.
func (k *look) full(n int64) []closed {
	type place struct{ pool, site string }
	racks := map[place][]string{}
	var order []place
	var out []closed
	quotas := map[string]int{}
	for i := range k.spots {
		s := &k.spots[i]
		if s.cell != nil && len(s.cell.seats) > 0 {
			continue
		}
		if k.pools[s.pool].quota < n {
			at, told := quotas[s.room.pool]
			if !told {
				at = len(out)
				quotas[s.room.pool] = at
				out = append(out, closed{"Quota", k.overQuota(s.room.pool, k.component.Size, n), 0})
			}
			out[at].cells++
			continue
		}
		if k.space(i) == 0 {
			p := place{s.room.pool, k.fleet.racks[s.room.domain].site}
			if racks[p] == nil {
				order = append(order, p)
			}
			racks[p] = append(racks[p], s.room.rack)
		}
	}
	for _, p := range order {
		out = append(out, closed{"RoomHostByHost", fmt.Sprintf("pool %s in %s has no room that is certain for %s more on %s", p.pool, p.site, instances(n), racksCalled(racks[p])), len(racks[p])})
	}
	return out
}

func cells(n int) string {
	if n == 1 {
		return "1 cell"
	}
	return fmt.Sprintf("%d cells", n)
}

// explainOneCell says why all instances are in one cell of those that hold them all.
func (k *look) explainOneCell(c *numbered, all int64) {
	if !k.policy.Explain {
		return
	}
	seats := c.seats
	k.fleet.put(c.room, k.lot, k.profile, c.DCN, -all)
	c.seats = nil
	for i := range k.spots {
		k.spots[i].left = -1
		if k.roomFor(i, all); k.spots[i].left < all {
			k.spots[i].left = 0
		}
	}
	switch next := k.next(c.room); {
	case len(c.before) > 0:
		k.say(k.component, k.dcn, "Kept", "cell %s holds all of them, as it did before", c.Key())
	case next < 0:
		k.say(k.component, k.dcn, "Chosen", "cell %s has room for all of them, and no other cell that may take instances has", c.Key())
	default:
		k.say(k.component, k.dcn, "Chosen", "cell %s %s", c.Key(), k.lead(k.prices(k.spotOf(c)), next))
	}
	k.fleet.put(c.room, k.lot, k.profile, c.DCN, all)
	c.seats = seats
	k.processors()
	k.unnamed()
	k.excluded(all)
}
