// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement

import (
	"cmp"
	"maps"
	"slices"
)

// PoolCapacity is what a pool holds and could hold (R06).
type PoolCapacity struct {
	Pool  string
	Hosts int
	// Pack says that it fills hosts that are in use first.
	Pack bool
	// Spare is how many hosts' worth of room it keeps free for lost hosts, and Kept how many
	// for successors.
	Spare, Kept int
	// Total is what its hosts could hold in all, Held what Placements reserve of it.
	Total, Held Amount
	// Classes are its hosts by size and processor, and what is free on them, by name.
	Classes []HostClass
	// More is how many instances more of each size fit that the pool takes, and Sites are
	// the same in each data centre, by name.
	More  []More
	Sites []Site
	// Advice says which sizes should have hosts of their own, and what that brings, where
	// it brings much. Empty: none.
	Advice string
	// Losses say what is left free, for the whole pool, when its largest rack or data
	// centre is lost and what it held has come to the rest. Negative: that much lacks.
	Losses []Left
}

// HostClass is the hosts of a pool that are alike.
type HostClass struct {
	// Class is their size and processor, such as "4 CPU and 16 GiB, amd64".
	Class string
	Hosts int64
	// Free is what they are certain to have free, and AtMost what they may have: where hosts
	// of several classes stand in a rack, the member's scheduler chooses among them. Neither
	// looks at what is kept free, nor whether it is in one piece.
	Free, AtMost Amount
}

// More is how many instances more of a size fit, each size on its own.
type More struct {
	// Size by name.
	Size string
	// Instances that are certain: host by host, in any order, beside what is kept free.
	Instances int64
	// Separate is how many would be if the sizes that are there had hosts of their own
	// (Pool.spec.sizes), as many of them as is best for this one. It is never fewer.
	Separate int64
}

// Site is what a pool has in one data centre.
type Site struct {
	DataCenter string
	// Free is what its hosts there could hold beside what Placements reserve.
	Free Amount
	More []More
}

// Left is what is left after a loss.
type Left struct {
	// Kind is "Rack" or "DataCenter", and Name is its name, a rack's as
	// "<data centre>/<rack>".
	Kind, Name string
	Free       Amount
}

// NamedSize is a size of instances that capacity is counted in.
type NamedSize struct {
	Name string
	Size Amount
}

// Capacity says, for each pool by name, what it holds and could hold.
func Capacity(s Snapshot, sizes []NamedSize, policy func(environment string) Policy) []PoolCapacity {
	f := Open(s)
	var out []PoolCapacity
	policies := map[string]Policy{}
	for _, r := range f.clusters {
		if _, known := policies[r.Environment]; !known {
			policies[r.Environment] = policy(r.Environment)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(f.pools)) {
		for environment, p := range policies {
			f.reserve([]string{name}, environment, p.Surge)
		}
		out = append(out, f.capacity(name, sizes, policies))
	}
	return out
}

// capacity is what a pool holds and could hold, with policies by environment.
func (f *Fleet) capacity(pool string, sizes []NamedSize, policies map[string]Policy) PoolCapacity {
	c := PoolCapacity{Pool: pool, Pack: f.pools[pool].Pack}
	if takes := f.pools[pool].Sizes; len(takes) > 0 {
		sizes = slices.DeleteFunc(slices.Clone(sizes), func(s NamedSize) bool { return !slices.Contains(takes, s) })
	}
	a := advisor{fleet: f, sizes: sizes, policies: policies, certain: map[*room][]int64{}}
	sites := map[string]*Site{}
	for _, r := range f.inPool[pool] {
		c.Hosts += len(r.names)
		p := policies[f.environmentOf(r)]
		if p.Surge > 0 && r.kept != nil {
			c.Kept += int(r.kept.n)
		}
		if p.SpareFrom > 0 && len(r.names) >= p.SpareFrom {
			c.Spare++
		}
		c.Total, c.Held = c.Total.Plus(r.total), c.Held.Plus(r.reserved())
		for _, k := range r.byClass() {
			if i := slices.IndexFunc(c.Classes, func(x HostClass) bool { return x.Class == k.Class }); i >= 0 {
				x := &c.Classes[i]
				x.Hosts, x.Free, x.AtMost = x.Hosts+k.Hosts, x.Free.Plus(k.Free), x.AtMost.Plus(k.AtMost)
				continue
			}
			c.Classes = append(c.Classes, k)
		}
		name := f.racks[r.domain].site
		site := sites[name]
		if site == nil {
			site = &Site{DataCenter: name}
			sites[name] = site
		}
		site.Free = site.Free.Plus(r.total).Plus(r.reserved().Times(-1))
		site.More = a.add(site.More, r)
	}
	for _, name := range slices.Sorted(maps.Keys(sites)) {
		c.Sites = append(c.Sites, *sites[name])
		c.More = sum(c.More, sites[name].More)
	}
	slices.SortFunc(c.Classes, func(a, b HostClass) int { return cmp.Compare(a.Class, b.Class) })
	c.Advice = a.advice(f.inPool[pool], c.More)
	c.Losses = f.losses(pool, c)
	return c
}

// byClass are the room's hosts by class, and what is free on them. What is held lies on hosts
// that it may use, and of these on any: on a class lies at least what may use no other and
// what the others are too small for, at most all that may use it.
func (r *room) byClass() []HostClass {
	var out []HostClass
	for i, k := range r.hosts.classes {
		total, others := k.room.Times(k.count), Amount{}
		for j, o := range r.hosts.classes {
			if j != i {
				others = others.Plus(o.room.Times(o.count))
			}
		}
		var only, any Amount
		for _, x := range r.held {
			if !x.archs.onto(k.arch) {
				continue
			}
			any = any.Plus(x.size.Times(x.n))
			if !slices.ContainsFunc(r.hosts.classes, func(o class) bool { return o != k && x.archs.onto(o.arch) && perHost(o.room, x.size) > 0 }) {
				only = only.Plus(x.size.Times(x.n))
			}
		}
		// What may use the class and finds no room on all others lies on it.
		least := r.load.Plus(others.Times(-1)).atLeast(only)
		out = append(out, HostClass{Class: k.words(), Hosts: k.count, Free: total.Plus(any.Times(-1)).atLeast(Amount{}), AtMost: total.Plus(least.Times(-1)).atLeast(Amount{})})
	}
	return out
}

// sum adds what lists of the same sizes say.
func sum(all, more []More) []More {
	if len(all) == 0 {
		return slices.Clone(more)
	}
	for i := range all {
		all[i].Instances += more[i].Instances
		all[i].Separate += more[i].Separate
	}
	return all
}

func (f *Fleet) environmentOf(r *room) string {
	if c := f.clusters[r.cluster]; c != nil {
		return c.Environment
	}
	return ""
}

func (c class) words() string {
	text := Amount{CPU: c.room.CPU, Memory: c.room.Memory}.words()
	if c.arch == unknownArch {
		return text
	}
	return text + ", " + c.arch.words()
}

// losses finds the largest rack and data centre of a pool, by what they could hold.
func (f *Fleet) losses(pool string, c PoolCapacity) []Left {
	by := map[[2]string]Amount{}
	for _, r := range f.inPool[pool] {
		d := f.racks[r.domain]
		by[[2]string{"Rack", d.site + "/" + d.name}] = by[[2]string{"Rack", d.site + "/" + d.name}].Plus(r.total)
		by[[2]string{"DataCenter", d.site}] = by[[2]string{"DataCenter", d.site}].Plus(r.total)
	}
	largest := map[string][2]string{}
	for _, k := range slices.SortedFunc(maps.Keys(by), func(a, b [2]string) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) }) {
		if now, ok := largest[k[0]]; !ok || by[k].CPU > by[now].CPU || by[k].CPU == by[now].CPU && by[k].Memory > by[now].Memory {
			largest[k[0]] = k
		}
	}
	var out []Left
	for _, kind := range []string{"Rack", "DataCenter"} {
		if k, ok := largest[kind]; ok {
			out = append(out, Left{Kind: kind, Name: k[1], Free: c.Total.Plus(by[k].Times(-1)).Plus(c.Held.Times(-1))})
		}
	}
	return out
}
