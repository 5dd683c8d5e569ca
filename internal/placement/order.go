// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement

import "slices"

// The question that this file answers: do all instances of a room find a host in
// whatever order the member's own scheduler takes them, now and after any of them
// has gone and come back?
//
// An instance is left over only if every host that it may use is too full for it in some
// respect; so it is enough that all others together cannot fill every such host that far.
// cover.go bounds how many hosts they can.

// lot is instances that are alike to a host.
type lot struct {
	size Amount
	// archs that they run on. 0: any.
	archs archs
	// owner is not 0 for instances of which a host may hold so many only (bound): those of
	// one owner.
	owner, bound int32
	// party is not nil for instances that keep apart from others, or others from them.
	party *party
}

// held is a lot and how many there are of it.
type held struct {
	lot
	n int64
}

// class is hosts that are alike.
type class struct {
	room  Amount
	arch  archs
	count int64
}

// archs is a set of processor architectures.
type archs uint8

// noHost is the set of what runs on no host of the fleet.
const noHost archs = 64

// archsOf is what an image runs on. Of names that nobody knows, no host is one.
func archsOf(names []string) archs {
	var set archs
	for _, n := range names {
		if one := archOf(n); one != unknownArch {
			set |= one
		}
	}
	if set == 0 && len(names) > 0 {
		return noHost
	}
	return set
}

// unknownArch is a host's that does not say what its processor is, or names one that
// nobody knows: only what runs anywhere may use it.
const unknownArch archs = 128

// archOf is a host's processor, a set of one.
func archOf(name string) archs {
	switch name {
	case "amd64":
		return 1
	case "arm64":
		return 2
	case "loong64":
		return 4
	}
	return unknownArch
}

// onto reports whether what runs on these may use a host.
func (a archs) onto(host archs) bool { return a == 0 || a&host != 0 }

// meets reports whether what runs on these may find itself on one host with others.
func (a archs) meets(other archs) bool { return a == 0 || other == 0 || a&other != 0 }

// hosts are a room's hosts by class, in ascending order of each respect.
type hosts struct {
	classes []class
	by      [respects][]int
}

const respects = 3

func (a Amount) respect(i int) int64 {
	switch i {
	case 0:
		return a.CPU
	case 1:
		return a.Memory
	}
	return a.Instances
}

func classify(list []Host) hosts {
	var h hosts
	for _, one := range list {
		c := class{room: one.Room, arch: archOf(one.Arch), count: 1}
		if i := slices.IndexFunc(h.classes, func(x class) bool { return x.room == c.room && x.arch == c.arch }); i >= 0 {
			h.classes[i].count++
			continue
		}
		h.classes = append(h.classes, c)
	}
	return h.ordered()
}

func (h hosts) ordered() hosts {
	for i := range respects {
		order := make([]int, len(h.classes))
		for j := range order {
			order[j] = j
		}
		slices.SortFunc(order, func(a, b int) int { return int(sign(h.classes[a].room.respect(i) - h.classes[b].room.respect(i))) })
		h.by[i] = order
	}
	return h
}

func sign(n int64) int64 { return min(max(n, -1), 1) }

// without is the hosts without one of a class.
func (h hosts) without(k int) hosts {
	h.classes = slices.Clone(h.classes)
	h.classes[k].count--
	return h
}

// with is the hosts and n more like one of them.
func (h hosts) with(one class, n int64) hosts {
	h.classes = slices.Clone(h.classes)
	one.count = n
	if i := slices.IndexFunc(h.classes, func(x class) bool { return x.room == one.room && x.arch == one.arch }); i >= 0 {
		h.classes[i].count += n
		return h
	}
	h.classes = append(h.classes, one)
	return h.ordered()
}

func (h hosts) number(a archs) int64 {
	var n int64
	for _, c := range h.classes {
		if a.onto(c.arch) {
			n += c.count
		}
	}
	return n
}

// capacity is how many of a lot alone the hosts hold.
func (h hosts) capacity(l lot) int64 {
	var n int64
	for _, c := range h.classes {
		if l.archs.onto(c.arch) {
			each := perHost(c.room, l.size)
			if l.owner != 0 {
				each = min(each, int64(l.bound))
			}
			n += c.count * each
		}
	}
	return n
}

func perHost(room, size Amount) int64 {
	n := room.Instances
	if size.CPU > 0 {
		n = min(n, room.CPU/size.CPU)
	}
	if size.Memory > 0 {
		n = min(n, room.Memory/size.Memory)
	}
	return max(n, 0)
}

// houses reports whether any of the hosts could take one of a lot if it were empty.
func (h hosts) houses(l lot) bool {
	return slices.ContainsFunc(h.classes, func(c class) bool {
		return c.count > 0 && l.archs.onto(c.arch) && perHost(c.room, l.size) > 0
	})
}

// anyOrder reports whether every instance of all lots finds a host whatever the
// order.
func (h hosts) anyOrder(all []held) bool {
	only, kinds := -1, 0
	var total Amount
	for i, x := range all {
		if x.n > 0 {
			only, kinds = i, kinds+1
			total = total.Plus(x.size.Times(x.n))
		}
	}
	switch kinds {
	case 0:
		return true
	case 1:
		return h.capacity(all[only].lot) >= all[only].n
	}
	for _, x := range all {
		if x.n > 0 && !h.finds(x, total, all) {
			return false
		}
	}
	return true
}

// finds reports whether an instance of a lot finds a host however all others lie.
func (h hosts) finds(x held, total Amount, all []held) bool {
	// Others of its kind keep one host each from it where no host may hold two, and
	// take no room of a second. Where it may hold more, cover.go counts them.
	kept, own := int64(0), int64(1)
	if x.owner != 0 {
		own = x.n
	}
	if x.bound == 1 {
		kept = x.n - 1
	}
	others := total.Plus(x.size.Times(-own))
	if x.archs != 0 {
		for i := range all {
			if !x.archs.meets(all[i].archs) {
				others = others.Plus(all[i].size.Times(-all[i].n))
			}
		}
	}
	rest := all
	if x.party != nil {
		rest, others, kept = x.apartFrom(all, others, kept)
	}
	return h.leaves(x, others, h.number(x.archs)-kept, rest) || !h.closes(x, all)
}
