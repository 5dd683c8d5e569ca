// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement

import (
	"cmp"
	"slices"
)

// roomKey names the hosts that instances share: those of one pool in one rack of
// one cluster.
type roomKey struct{ cluster, pool, rack string }

func (c Cell) room() roomKey { return roomKey{c.Cluster, c.Pool, c.Rack} }

func (k roomKey) compare(o roomKey) int {
	return cmp.Or(cmp.Compare(k.cluster, o.cluster), cmp.Compare(k.pool, o.pool), cmp.Compare(k.rack, o.rack))
}

// room is those hosts, and what is held on them, whether it runs yet or not.
type room struct {
	// What every search reads of every room stands together: domain is the number of the
	// rack that the room lies in, zone that of its availability zone, and archs are the
	// processors of its hosts.
	domain, zone int
	archs        archs
	total, load  Amount

	roomKey
	// listed says that its pool lists the room.
	listed bool
	names  []string
	hosts  hosts
	// lean are the hosts without one, for each class that it may be of.
	lean []hosts
	held []held
	// stranded is what is held and finds none of the hosts, however empty they are: its own are
	// gone. It waits until one of its kind is there, wherever the others lie, and so keeps nobody
	// out.
	stranded []held
	// kept is the room without the hosts that are kept for successors; nil: it keeps none.
	kept *kept
}

// furnish gives the room its hosts.
func (r *room) furnish(list []Host) {
	r.names, r.lean, r.kept, r.total = make([]string, len(list)), nil, nil, Amount{}
	for i, h := range list {
		r.names[i] = h.Name
		r.total = r.total.Plus(h.Room)
	}
	slices.Sort(r.names)
	r.hosts, r.archs = classify(list), 0
	for k, c := range r.hosts.classes {
		r.archs |= c.arch
		r.lean = append(r.lean, r.hosts.without(k))
	}
	all := slices.Concat(r.held, r.stranded)
	r.held, r.stranded, r.load = r.held[:0], nil, Amount{}
	for _, x := range all {
		r.take(x.lot, x.n)
	}
}

// takesSome reports whether the room has a host that instances for these processors
// may use.
func (r *room) takesSome(a archs) bool { return r.archs != 0 && a.onto(r.archs) }

// take holds n instances of a lot, whether or not they fit; a negative n gives them
// back.
func (r *room) take(l lot, n int64) {
	is := func(x held) bool { return x.lot == l }
	if i := slices.IndexFunc(r.held, is); i >= 0 || r.hosts.houses(l) {
		r.load = r.load.Plus(l.size.Times(n))
		r.held = more(r.held, i, l, n)
		return
	}
	r.stranded = more(r.stranded, slices.IndexFunc(r.stranded, is), l, n)
}

// more are lots with n more of one, the i-th; with a negative i it is not among them yet.
func more(all []held, i int, l lot, n int64) []held {
	switch {
	case i < 0:
		return append(all, held{l, n})
	case all[i].n+n == 0:
		return slices.Delete(all, i, i+1)
	}
	all[i].n += n
	return all
}

// reserved is all that the room holds, what is stranded included.
func (r *room) reserved() Amount {
	all := r.load
	for _, x := range r.stranded {
		all = all.Plus(x.size.Times(x.n))
	}
	return all
}

// plus are lots and n more of one, as hosts tell them apart, in scratch.
func plus(all []held, l lot, n int64, scratch *[]held) []held {
	out := append((*scratch)[:0], all...)
	if i := slices.IndexFunc(out, func(x held) bool { return x.lot == l }); i >= 0 {
		out[i].n += n
	} else {
		out = append(out, held{l, n})
	}
	*scratch = out
	return withoutStrangers(out)
}

// fits reports whether n more of a lot find hosts in whatever order, and one host
// may be lost where the policy wants a spare one.
func (r *room) fits(l lot, n int64, p Policy, scratch *[]held) bool {
	all := plus(r.held, l, n, scratch)
	hosts, lean := r.open(p)
	if p.SpareFrom <= 0 || len(r.names) < p.SpareFrom {
		return hosts.anyOrder(all)
	}
	for _, h := range lean {
		if !h.anyOrder(all) {
			return false
		}
	}
	return true
}

// most is how many more of a lot fit, up to a number.
func (r *room) most(l lot, upTo int64, p Policy, scratch *[]held) int64 {
	return most(min(upTo, r.hosts.capacity(l)), func(n int64) bool { return r.fits(l, n, p, scratch) })
}

// most is the largest number that fits, up to one. What fits with more fits with fewer, so
// halving finds it.
func most(upTo int64, fits func(n int64) bool) int64 {
	if upTo <= 0 {
		return 0
	}
	if fits(upTo) {
		return upTo
	}
	low := int64(0)
	for high := upTo; high-low > 1; {
		if middle := (low + high) / 2; fits(middle) {
			low = middle
		} else {
			high = middle
		}
	}
	return low
}

// free is what is left over all hosts beside what may lie on them. It may be negative after a
// loss of hosts.
func (r *room) free() Amount { return r.total.Plus(r.load.Times(-1)) }

// filled is how much of the room's scarcest respect is held, in thousandths, after n
// more of a size.
func (r *room) filled(size Amount, n int64) int64 {
	var most int64
	for i := range respects {
		if all := r.total.respect(i); all > 0 {
			most = max(most, (r.load.respect(i)+n*size.respect(i))*1000/all)
		}
	}
	return max(most, 0)
}

// largest returns the largest kind of host that may take what runs on these processors, by
// CPU, memory and instances.
func (r *room) largest(on archs) (class, bool) {
	classes := slices.DeleteFunc(slices.Clone(r.hosts.classes), func(c class) bool { return !on.onto(c.arch) })
	if len(classes) == 0 {
		return class{}, false
	}
	return slices.MaxFunc(classes, compareClass), true
}
