// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement

import (
	"fmt"
	"slices"
	"strings"
)

// advisor counts what fits into a pool as it is, and if its sizes had hosts of their own.
type advisor struct {
	fleet *Fleet
	// sizes that the pool takes.
	sizes []NamedSize
	// policies by environment.
	policies map[string]Policy
	// certain is how many of each size fit into each room as it is.
	certain map[*room][]int64
}

// add adds what fits into a room.
func (a *advisor) add(all []More, r *room) []More {
	more, certain := make([]More, len(a.sizes)), make([]int64, len(a.sizes))
	a.certain[r] = certain
	for i, size := range a.sizes {
		l := lot{size: size.Size}
		certain[i] = r.most(l, r.hosts.capacity(l), a.policy(r), &a.fleet.scratch.held)
		more[i] = More{Size: size.Name, Instances: certain[i], Separate: r.separate(l, certain[i], a.policy(r), &a.fleet.scratch.held)}
	}
	return sum(all, more)
}

func (a *advisor) policy(r *room) Policy { return a.policies[a.fleet.environmentOf(r)] }

// divided is how many more of a size fit if some sizes have hosts of their own: as many as now
// where nothing can be divided.
func (a *advisor) divided(r *room, size int, own bySize) int64 {
	l := lot{size: a.sizes[size].Size}
	if len(r.sizes(l.size)) > 1 {
		if more, ok := r.divided(l, own, a.policy(r), &a.fleet.scratch.held); ok {
			return more
		}
	}
	return a.certain[r][size]
}

// much is which part it takes of what all hosts together hold of a size, in hundredths, for
// advice to be worth following.
const much = 10

// advice says which sizes of a pool should have hosts of their own: the fewest, from the
// largest on, with which none has much less than it could have. Empty: it would not bring much.
func (a *advisor) advice(rooms []*room, more []More) string {
	then := make([]int64, len(more))
	for i, m := range more {
		then[i] = m.Instances
	}
	var own bySize
	named := a.named(rooms)
	for a.short(rooms, more, then) && len(own) < len(named)-1 {
		own = append(own, named[len(own)].Size)
		for i := range then {
			then[i] = 0
			for _, r := range rooms {
				then[i] += a.divided(r, i, own)
			}
		}
	}
	if len(own) == 0 {
		return ""
	}
	return a.words(rooms, named[:len(own)], more, then)
}

// short reports whether some size has much less than it could have.
func (a *advisor) short(rooms []*room, more []More, has []int64) bool {
	for i, m := range more {
		var all int64
		for _, r := range rooms {
			all += r.hosts.capacity(lot{size: a.sizes[i].Size})
		}
		if (m.Separate-has[i])*100 > all*much {
			return true
		}
	}
	return false
}

// named are the sizes that the pool takes or holds and that fit onto some host, the largest
// first.
func (a *advisor) named(rooms []*room) []NamedSize {
	var out []NamedSize
	add := func(s NamedSize) {
		fits := func(r *room) bool { return r.hosts.capacity(lot{size: s.Size}) > 0 }
		if !slices.ContainsFunc(out, func(o NamedSize) bool { return o.Size == s.Size }) && slices.ContainsFunc(rooms, fits) {
			out = append(out, s)
		}
	}
	for _, s := range a.sizes {
		add(s)
	}
	for _, r := range rooms {
		for _, x := range r.held {
			if x.n > 0 {
				add(NamedSize{Name: x.size.sizeWords(), Size: x.size})
			}
		}
	}
	slices.SortStableFunc(out, func(x, y NamedSize) int { return compareSizes(y.Size, x.Size) })
	return out
}

// words give the advice, with what it brings to each size.
func (a *advisor) words(rooms []*room, own []NamedSize, more []More, then []int64) string {
	var names, there, gains []string
	for _, s := range own {
		names = append(names, s.Name)
		if n, hosts := a.there(rooms, s.Size); n > 0 {
			there = append(there, fmt.Sprintf("; what is there of %s, %s, takes %s", s.Name, instances(n), inNumber(hosts)))
		}
	}
	for i, m := range more {
		if then[i] != m.Instances {
			gains = append(gains, fmt.Sprintf("%d %s instead of %d", then[i], m.Size, m.Instances))
		}
	}
	text := fmt.Sprintf("sizes get in each other's way on the same hosts: give %s hosts of its own, in a Pool with spec.sizes", names[0])
	if len(names) > 1 {
		text = fmt.Sprintf("sizes get in each other's way on the same hosts: give %s hosts of their own, each in a Pool with spec.sizes", list(names))
	}
	return text + strings.Join(there, "") + ". Of one size, so many more are certain then: " + strings.Join(gains, ", or ")
}

func inNumber(hosts int64) string {
	if hosts == 1 {
		return "1 host"
	}
	return fmt.Sprintf("%d hosts", hosts)
}

// there is how many instances of a size the rooms hold, and how many hosts hold these alone.
func (a *advisor) there(rooms []*room, size Amount) (n, of int64) {
	for _, r := range rooms {
		var all []held
		for _, x := range r.held {
			if x.n > 0 && x.size == size {
				all, n = append(all, x), n+x.n
			}
		}
		if len(all) == 0 {
			continue
		}
		h, _ := r.open(a.policy(r))
		if these, _, ok := h.holding(withoutStrangers(all), all[0].lot, a.policy(r)); ok {
			of += these.number(0)
		} else {
			of += h.number(0)
		}
	}
	return n, of
}
