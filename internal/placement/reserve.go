// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// The reserve for successors (Policy.Surge): while a Release replaces instances side by
// side, old and new ones both hold room. So that a Release finds it, who grows may not
// take all: some hosts of a pool count as if they were not there. Who does not grow,
// neither in number nor in size, may take all. Once the old instances are gone the
// reserve is as it was.

// kept is a room without the hosts whose worth is kept for successors.
type kept struct {
	// n is how many hosts are left out.
	n     int64
	hosts hosts
	lean  []hosts
}

// keptOf names a pool's rooms of one environment.
type keptOf struct{ pool, environment string }

// reserve has the rooms of pools in an environment keep what a policy asks for.
func (f *Fleet) reserve(pools []string, environment string, percent int32) {
	for _, pool := range pools {
		key := keptOf{pool, environment}
		if f.kept[key] == percent {
			continue
		}
		f.kept[key] = percent
		bySite := map[string][]*room{}
		for _, r := range f.inPool[pool] {
			if c := f.clusters[r.cluster]; c != nil && c.Environment == environment {
				r.kept = nil
				bySite[c.DataCenter] = append(bySite[c.DataCenter], r)
			}
		}
		for _, rooms := range bySite {
			keep(rooms, percent)
		}
	}
}

// unreserve has what a pool keeps found out again.
func (f *Fleet) unreserve(pool string) {
	maps.DeleteFunc(f.kept, func(k keptOf, _ int32) bool { return k.pool == pool })
}

// keep spreads a share of the hosts of one pool and data centre, in whole hosts, over its
// rooms: to each in proportion, what is left over to the largest fractions, of two alike
// to the first by name. A room never keeps its last host.
func keep(rooms []*room, percent int32) {
	total := int64(0)
	for _, r := range rooms {
		total += int64(len(r.names))
	}
	if total == 0 || percent <= 0 {
		return
	}
	want := (total*int64(percent) + 99) / 100
	share := make([]int64, len(rooms))
	left := want
	order := make([]int, len(rooms))
	for i, r := range rooms {
		share[i] = want * int64(len(r.names)) / total
		left -= share[i]
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		x, y := want*int64(len(rooms[a].names))%total, want*int64(len(rooms[b].names))%total
		return cmp.Or(cmp.Compare(y, x), rooms[a].compare(rooms[b].roomKey))
	})
	for _, i := range order {
		if left > 0 && share[i] < int64(len(rooms[i].names)) {
			share[i]++
			left--
		}
	}
	for i, r := range rooms {
		if n := min(share[i], int64(len(r.names))-1); n > 0 {
			r.kept = keeping(r.hosts, n)
		}
	}
}

// keeping is hosts without n of them: each time one of the class that there are most of,
// of two alike the larger, so that no kind of host is kept as a whole while there is more
// of another.
func keeping(h hosts, n int64) *kept {
	k := &kept{n: n, hosts: h}
	for range n {
		most := 0
		for i, c := range k.hosts.classes {
			if m := k.hosts.classes[most]; cmp.Or(cmp.Compare(c.count, m.count), compareClass(c, m)) > 0 {
				most = i
			}
		}
		k.hosts = k.hosts.without(most)
	}
	for i, c := range k.hosts.classes {
		if c.count > 0 {
			k.lean = append(k.lean, k.hosts.without(i))
		}
	}
	return k
}

func compareClass(a, b class) int {
	return cmp.Or(cmp.Compare(a.room.CPU, b.room.CPU), cmp.Compare(a.room.Memory, b.room.Memory), cmp.Compare(a.room.Instances, b.room.Instances), cmp.Compare(a.arch, b.arch))
}

// open are the room's hosts that a policy lets count, and the same without any one.
func (r *room) open(p Policy) (all hosts, lean []hosts) {
	if p.Surge > 0 && r.kept != nil {
		return r.kept.hosts, r.kept.lean
	}
	return r.hosts, r.lean
}

// growing has the board count, from now on, with the hosts that the component's instances
// in a DCN may use: all of them where they do not grow.
func (n *numbers) growing(dcn string) {
	n.policy.Surge = 0
	if n.surge == 0 {
		return
	}
	if count, asked := find(n.counts, func(c Count) bool { return c.DCN == dcn }); asked && n.grows(count) {
		n.policy.Surge = n.surge
	}
}

// grows reports whether instances in a DCN are more than before, or larger.
func (n *numbers) grows(count Count) bool {
	before := n.machines(count.DCN)
	for _, a := range n.request.Previous {
		if a.Component != n.component.Name || a.Cell.DCN != count.DCN || len(a.Seats) == 0 {
			continue
		}
		if !n.component.Size.Within(a.Size) {
			return true
		}
		before += len(a.Seats)
	}
	return int(count.Count) > before
}

// mostMore is how many hosts more are tried before nobody says how many would do: of two
// new ones at least one is not kept.
func (b *board) mostMore(missing int64) int64 {
	if b.policy.Surge > 0 {
		return 2 * missing
	}
	return missing + 1 // one of them may be the spare
}

// keeps says what a policy keeps free in a room, for whom; "" if nothing.
func (r *room) keeps(p Policy) string {
	text := ""
	if p.Surge > 0 && r.kept != nil {
		text = fmt.Sprintf("; the placement policy keeps %s worth of room for Releases", hostsOf(r.kept.n))
	}
	if p.SpareFrom > 0 && len(r.names) >= p.SpareFrom {
		text += "; the placement policy keeps one host's worth of room for the loss of a host"
	}
	return text
}

func hostsOf(n int64) string {
	if n == 1 {
		return "one host's"
	}
	return fmt.Sprintf("%d hosts'", n)
}
