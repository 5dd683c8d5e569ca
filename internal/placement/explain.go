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

// explain says of each cell that got new instances why it was taken before the next
// best, and which cells were excluded by which rule.
func (k *look) explain() {
	if !k.policy.Explain {
		return
	}
	told := 0
	for _, c := range k.cells {
		if c.DCN != k.dcn || len(c.seats) <= len(c.before) {
			continue
		}
		if told++; told > mostTold {
			break
		}
		k.say(k.component, k.dcn, "Chosen", "cell %s %s", c.Key(), k.chosen(c))
	}
	k.tellTags()
	k.processors()
	k.unnamed()
	k.excluded()
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
		if k.spots[i].room == but || k.space(i) == 0 || k.spots[i].share != nil && k.spots[i].room.cluster != but.cluster || k.pools[k.spots[i].pool].quota == 0 {
			continue
		}
		if p := k.price(i, k.inZone.at(k.spots[i].zone)); best < 0 || p < cost {
			best, cost = i, p
		}
	}
	return best
}

// excluded says which cells filters keep away, by rule: those last in the order of the
// filters first, since they are the nearest misses.
func (k *look) excluded() {
	type rule struct {
		name   string
		cells  int
		causes []string
	}
	var rules []*rule
	for _, r := range k.closed(k.component, k.dcn) {
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
			break
		}
		slices.Sort(r.causes)
		if more := len(r.causes) - mostCauses; more > 0 {
			r.causes = append(r.causes[:mostCauses], fmt.Sprintf("and %d causes more", more))
		}
		k.say(k.component, k.dcn, r.name, "excludes %s: %s", cells(r.cells), strings.Join(r.causes, "; "))
	}
}

func cells(n int) string {
	if n == 1 {
		return "1 cell"
	}
	return fmt.Sprintf("%d cells", n)
}
