// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
)

// Where several sizes share hosts, each instance has to find a host however all others lie
// (order.go), and that keeps room free which hosts of one size would give away. This file
// says how much: it divides the hosts of a room among the sizes, as pools of their own
// (Pool.spec.sizes) would, and counts by the same rule.

// bySize are groups that hosts are divided among: each of the sizes is one, and all others
// together are the last.
type bySize []Amount

func (own bySize) group(size Amount) int {
	if i := slices.Index(own, size); i >= 0 {
		return i
	}
	return len(own)
}

// divided is how many more of a lot the room takes if groups of sizes divide its hosts:
// each group that holds something gets the fewest that hold it for certain, and the group of
// the lot gets all that are left. Such a division exists; a better one may, too. false: what
// is there does not find room in that way.
func (r *room) divided(l lot, own bySize, p Policy, scratch *[]held) (more int64, ok bool) {
	groups := make([][]held, len(own)+1)
	for _, x := range r.held {
		if x.n > 0 {
			g := own.group(x.size)
			groups[g] = append(groups[g], x)
		}
	}
	mine := own.group(l.size)
	left, _ := r.open(p)
	for g, all := range groups {
		if g == mine || len(all) == 0 {
			continue
		}
		_, rest, ok := left.holding(withoutStrangers(all), l, p)
		if !ok {
			return 0, false
		}
		left = rest
	}
	return most(left.capacity(l), func(n int64) bool { return left.certain(plus(groups[mine], l, n, scratch), p) }), true
}

// separate is how many more of a lot the room takes if the largest sizes have hosts of their own,
// as many sizes as are best for it, and no fewer than it takes as it is.
func (r *room) separate(l lot, asItIs int64, p Policy, scratch *[]held) int64 {
	sizes := r.sizes(l.size)
	for n := 1; n < len(sizes); n++ {
		if more, ok := r.divided(l, sizes[:n], p, scratch); ok {
			asItIs = max(asItIs, more)
		}
	}
	return asItIs
}

// holding parts hosts into as few as hold lots for certain, first those that another lot lacks
// least, and the rest. false: all of them do not hold the lots.
func (h hosts) holding(all []held, other lot, p Policy) (these, rest hosts, ok bool) {
	order := h.leastFor(other, slices.MaxFunc(all, func(a, b held) int { return compareSizes(a.size, b.size) }).lot)
	first := func(n int64) hosts {
		these := h
		these.classes = slices.Clone(h.classes)
		for _, k := range order {
			these.classes[k].count = min(n, h.classes[k].count)
			n -= these.classes[k].count
		}
		return these
	}
	total := int(h.number(0))
	n := sort.Search(total, func(i int) bool { return first(int64(i)+1).certain(all, p) }) + 1
	if n > total {
		return h, h, false
	}
	// With the last of them some before it may not be needed any more.
	these = first(int64(n))
	for _, k := range slices.Backward(order) {
		for these.classes[k].count > 0 && these.without(k).certain(all, p) {
			these = these.without(k)
		}
	}
	rest = h
	rest.classes = slices.Clone(h.classes)
	for k := range rest.classes {
		rest.classes[k].count -= these.classes[k].count
	}
	return these, rest, true
}

// leastFor are the classes of hosts by number: first those that hold fewest of a lot for each
// of another one that lies on them instead, of two alike the smaller.
func (h hosts) leastFor(l, instead lot) []int {
	order := make([]int, len(h.classes))
	for k := range order {
		order[k] = k
	}
	each := func(k int, l lot) int64 {
		one := h.classes[k]
		one.count = 1
		return hosts{classes: []class{one}}.capacity(l)
	}
	slices.SortFunc(order, func(a, b int) int {
		x, y := each(a, instead), each(b, instead)
		if x == 0 || y == 0 {
			return cmp.Or(cmp.Compare(min(y, 1), min(x, 1)), compareClass(h.classes[a], h.classes[b]))
		}
		return cmp.Or(cmp.Compare(each(a, l)*y, each(b, l)*x), compareClass(h.classes[a], h.classes[b]))
	})
	return order
}

// certain reports whether the hosts hold lots in any order, with any one of them lost where
// a policy wants a spare one.
func (h hosts) certain(all []held, p Policy) bool {
	if p.SpareFrom <= 0 || h.number(0) < int64(p.SpareFrom) {
		return h.anyOrder(all)
	}
	for k, c := range h.classes {
		if c.count > 0 && !h.without(k).anyOrder(all) {
			return false
		}
	}
	return true
}

// compareSizes orders sizes, the smaller first.
func compareSizes(a, b Amount) int {
	return cmp.Or(cmp.Compare(a.CPU, b.CPU), cmp.Compare(a.Memory, b.Memory), cmp.Compare(a.Instances, b.Instances))
}

// sizes are those of which the room holds instances, and one more, the largest first.
func (r *room) sizes(more Amount) []Amount {
	out := []Amount{more}
	for _, x := range r.held {
		if x.n > 0 && !slices.Contains(out, x.size) {
			out = append(out, x.size)
		}
	}
	slices.SortFunc(out, func(a, b Amount) int { return compareSizes(b, a) })
	return out
}

// unsure are the sizes in the room of which an instance might find no host beside n more of
// a lot.
func (r *room) unsure(l lot, n int64, p Policy) []Amount {
	all := plus(r.held, l, n, &[]held{})
	var total Amount
	for _, x := range all {
		total = total.Plus(x.size.Times(max(x.n, 0)))
	}
	h, lean := r.open(p)
	if p.SpareFrom <= 0 || len(r.names) < p.SpareFrom {
		lean = []hosts{h}
	}
	var out []Amount
	for _, x := range all {
		fails := func(h hosts) bool { return !h.finds(x, total, all) }
		if x.n > 0 && !slices.Contains(out, x.size) && slices.ContainsFunc(lean, fails) {
			out = append(out, x.size)
		}
	}
	return out
}

// mixing says of instances that find no room how many would if the sizes that share the
// hosts of these rooms had hosts of their own, which sizes are in the way, and what to do; ""
// if none would. It looks at the first of the rooms (mostMixed), as long as others are missing still. together says that all of them have to find room in one of the rooms.
func (b *board) mixing(rooms []*room, l lot, missing int64, together bool) string {
	var would int64
	var unsure []Amount
	largest := l.size
	for _, r := range rooms[:min(len(rooms), mostMixed)] {
		sizes := r.sizes(l.size)
		if len(sizes) < 2 {
			continue
		}
		now := r.most(l, missing, b.policy, &b.fleet.scratch.held)
		then := min(r.separate(l, now, b.policy, &b.fleet.scratch.held), missing)
		if now >= then || together && then < missing {
			continue
		}
		would += then - now
		for _, size := range r.unsure(l, now+1, b.policy) {
			if !slices.Contains(unsure, size) {
				unsure = append(unsure, size)
			}
		}
		if compareSizes(sizes[0], largest) > 0 {
			largest = sizes[0]
		}
		if would >= missing && !together {
			break
		}
	}
	if would == 0 {
		return ""
	}
	who := "all of them"
	if would = min(would, missing); would < missing {
		who = fmt.Sprintf("%d of %d", would, missing)
		if len(rooms) > mostMixed {
			who = "at least " + who
		}
	} else if missing == 1 {
		who = "it"
	}
	return fmt.Sprintf("sizes get in each other's way on the same hosts: %s would find room if sizes had hosts of their own; with one more there, %s might find no host in one order or another. Give those of %s a Pool of their own (spec.sizes)",
		who, anInstanceOf(unsure), largest.sizeWords())
}

// sizeWords says what a size is: "2 CPU and 4 GiB".
func (a Amount) sizeWords() string { return Amount{CPU: a.CPU, Memory: a.Memory}.words() }

// anInstanceOf names sizes, the largest first, some at most.
func anInstanceOf(sizes []Amount) string {
	slices.SortFunc(sizes, func(a, b Amount) int { return compareSizes(b, a) })
	var parts []string
	for i, size := range sizes {
		if i == mostCauses {
			parts = append(parts, fmt.Sprintf("of %d sizes more", len(sizes)-mostCauses))
			break
		}
		parts = append(parts, size.sizeWords())
	}
	text := "an instance of " + parts[0]
	for _, p := range parts[1:] {
		text += ", or of " + p
	}
	return text
}
