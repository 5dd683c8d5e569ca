// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement

import (
	"cmp"
	"maps"
	"slices"
)

// room is what the hosts of one pool in one rack hold, whether it runs yet or not.
type room struct {
	hosts []Host
	// held counts instances by size.
	held map[Amount]int64
}

func newRoom(hosts []Host) *room {
	return &room{hosts: hosts, held: map[Amount]int64{}}
}

// take reserves n instances of one size, whether or not they fit.
func (r *room) take(size Amount, n int64) {
	r.held[size] += n
	if r.held[size] == 0 {
		delete(r.held, size)
	}
}

// fits reports whether n more instances of the size fit on the hosts, and some
// hosts more, whatever the order in which all instances come and go.
func (r *room) fits(size Amount, n int64, more ...Host) bool {
	held := maps.Clone(r.held)
	held[size] += n
	return anyOrder(slices.Concat(r.hosts, more), held)
}

// anyOrder reports whether every instance finds a host whatever the order.
//
// With one size the hosts hold as many as each of them holds. With several, an
// instance is left over only if every host is too full for it in some respect;
// so it is enough that the others together cannot fill all hosts that far.
func anyOrder(hosts []Host, held map[Amount]int64) bool {
	if len(held) == 1 {
		for size, n := range held {
			return capacity(hosts, size) >= n
		}
	}
	var total Amount
	for size, n := range held {
		total = total.Plus(size.Times(n))
	}
	for size := range held {
		others := total.Plus(size.Times(-1))
		blocked := blockable(hosts, others.CPU, func(h Host) int64 { return h.Room.CPU - size.CPU }) +
			blockable(hosts, others.Memory, func(h Host) int64 { return h.Room.Memory - size.Memory }) +
			blockable(hosts, others.Instances, func(h Host) int64 { return h.Room.Instances - size.Instances })
		if blocked >= len(hosts) {
			return false
		}
	}
	return true
}

// blockable returns how many hosts a load can fill beyond their limit.
func blockable(hosts []Host, load int64, limit func(Host) int64) int {
	limits := make([]int64, len(hosts))
	for i, h := range hosts {
		limits[i] = max(limit(h)+1, 0)
	}
	slices.Sort(limits)
	n := 0
	for _, l := range limits {
		if load -= l; load < 0 {
			break
		}
		n++
	}
	return n
}

// capacity returns how many instances of one size empty hosts hold.
func capacity(hosts []Host, size Amount) int64 {
	var n int64
	for _, h := range hosts {
		n += perHost(h, size)
	}
	return n
}

func perHost(h Host, size Amount) int64 {
	n := h.Room.Instances
	if size.CPU > 0 {
		n = min(n, h.Room.CPU/size.CPU)
	}
	if size.Memory > 0 {
		n = min(n, h.Room.Memory/size.Memory)
	}
	return max(n, 0)
}

// free is what is left over all hosts. It may be negative after a loss of hosts.
func (r *room) free() Amount {
	var a Amount
	for _, h := range r.hosts {
		a = a.Plus(h.Room)
	}
	for size, n := range r.held {
		a = a.Plus(size.Times(-n))
	}
	return a
}

// largest returns the largest host, by CPU, memory and name.
func (r *room) largest() (Host, bool) {
	if len(r.hosts) == 0 {
		return Host{}, false
	}
	return slices.MaxFunc(r.hosts, func(a, b Host) int {
		return cmp.Or(cmp.Compare(a.Room.CPU, b.Room.CPU), cmp.Compare(a.Room.Memory, b.Room.Memory), cmp.Compare(b.Name, a.Name))
	}), true
}

// roomKey names the hosts that instances share: those of one pool in one rack.
type roomKey struct{ cluster, pool, rack string }

func (c Cell) room() roomKey { return roomKey{c.Cluster, c.Pool, c.Rack} }

// rooms are all rooms with what is reserved in them.
type rooms map[roomKey]*room

// countRooms fills the rooms with every reservation, except those of the
// requesting application that the new assignments will stand in for.
func countRooms(s Snapshot, r Request) rooms {
	all := rooms{}
	for _, p := range s.Pools {
		for _, rack := range p.Racks {
			key := roomKey{rack.Cluster, p.Name, rack.Name}
			if all[key] == nil {
				all[key] = newRoom(nil)
			}
			all[key].hosts = append(all[key].hosts, rack.Hosts...)
		}
	}
	for _, h := range together(s.Reserved, func(x Reservation) string { return x.Template }) {
		if h.Application == r.Application && r.standsIn(h) {
			continue
		}
		all.at(h.Cell).take(h.Size, int64(len(h.Seats)))
	}
	return all
}

func (a rooms) at(c Cell) *room {
	if a[c.room()] == nil {
		a[c.room()] = newRoom(nil)
	}
	return a[c.room()]
}

// standsIn reports whether the Request's own assignments replace a reservation
// of its application: the same instances, or instances that change in place.
// What changes by standing side by side holds room of its own until it is gone.
func (r Request) standsIn(h Reservation) bool {
	c, ok := find(r.Components, func(c Component) bool { return c.Name == h.Component })
	return ok && (c.Template == h.Template || c.InPlace || c.OneCell)
}

// together merges reservations of the same instances: one application's
// Placements name most of its instances again and again. The larger counts.
func together(reserved []Reservation, template func(Reservation) string) []Reservation {
	type key struct{ application, component, template, cell string }
	merged := map[key]Reservation{}
	for _, h := range reserved {
		k := key{h.Application, h.Component, template(h), h.Cell.Key()}
		if before, ok := merged[k]; ok {
			if len(before.Seats) > len(h.Seats) {
				h.Seats = before.Seats
			}
			h.Size = Amount{CPU: max(h.Size.CPU, before.Size.CPU), Memory: max(h.Size.Memory, before.Size.Memory), Instances: 1}
		}
		if len(h.Seats) > 0 {
			merged[k] = h
		}
	}
	out := slices.Collect(maps.Values(merged))
	slices.SortFunc(out, func(a, b Reservation) int {
		return cmp.Or(cmp.Compare(a.Application, b.Application), cmp.Compare(a.Component, b.Component),
			cmp.Compare(a.Template, b.Template), cmp.Compare(a.Cell.Key(), b.Cell.Key()))
	})
	return out
}
