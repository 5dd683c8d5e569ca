// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// What availability zones and racks lack in which a component has to have instances and has none.

// lackByPool says it pool by pool, for rooms of one data centre.
func (n *numbers) lackByPool(dcn string, rooms []*room, missing int64) []string {
	in := map[string][]*room{}
	var pools []string
	for _, r := range rooms {
		if in[r.pool] == nil {
			pools = append(pools, r.pool)
		}
		in[r.pool] = append(in[r.pool], r)
	}
	var out []string
	for _, pool := range pools {
		why := n.overQuota(pool, n.component.Size, missing)
		if why == "" {
			why = fmt.Sprintf("pool %s %s", pool, n.lack(dcn, in[pool], missing))
		}
		if !slices.Contains(out, why) {
			out = append(out, why)
		}
	}
	return some(out, mostTold, "cause")
}

// lackingIn says, domain by domain, what those without an instance lack for one: the availability
// zones or racks of the DCN's data centre, by name.
func (k *look) lackingIn(t *tier) string {
	d := k.fleet.dcns[k.dcn]
	if d == nil {
		return ""
	}
	type domain struct {
		name   string
		open   []*room
		closed []*room
	}
	in := map[string]*domain{}
	name := func(rack string) string {
		zone := k.fleet.declared[d.DataCenter][rack]
		if t == byZones && zone != "" {
			return "zone " + zone
		}
		return "rack " + rack
	}
	spots := map[*room]bool{}
	for i := range k.spots {
		spots[k.spots[i].room] = true
	}
	has := map[string]bool{}
	for i, r := range k.fleet.racks {
		if r.site == d.DataCenter && t.counts(k).at(t.of(k.fleet, i)) > 0 {
			has[name(r.name)] = true
		}
	}
	see := func(rack string) *domain {
		called := name(rack)
		if in[called] == nil && !has[called] {
			in[called] = &domain{name: called}
		}
		return in[called]
	}
	for rack := range k.fleet.declared[d.DataCenter] {
		see(rack)
	}
	for _, rooms := range k.fleet.inPool {
		for _, r := range rooms {
			if k.fleet.racks[r.domain].site != d.DataCenter {
				continue
			}
			switch x := see(r.rack); {
			case x == nil:
			case spots[r]:
				x.open = append(x.open, r)
			default:
				x.closed = append(x.closed, r)
			}
		}
	}
	all := make([]*domain, 0, len(in))
	for _, x := range in {
		all = append(all, x)
	}
	slices.SortFunc(all, func(a, b *domain) int { return cmp.Compare(a.name, b.name) })
	var parts []string
	for i, x := range all {
		if i == mostTold {
			parts = append(parts, fmt.Sprintf("and %d %ss more", len(all)-i, t.what))
			break
		}
		parts = append(parts, fmt.Sprintf("in %s %s", x.name, k.lacksIn(x.open, x.closed)))
	}
	return strings.Join(parts, "; ")
}

// lacksIn says what a rack or zone lacks for one instance, by its rooms that are open, or by what
// closes the others where none is.
func (k *look) lacksIn(open, closed []*room) string {
	slices.SortFunc(open, func(a, b *room) int { return a.compare(b.roomKey) })
	slices.SortFunc(closed, func(a, b *room) int { return a.compare(b.roomKey) })
	var free []string
	for i := range k.spots {
		if slices.Contains(open, k.spots[i].room) && k.space(i) > 0 {
			free = append(free, k.spots[i].room.pool)
		}
	}
	switch {
	case len(free) > 0:
		why := "and no instance may leave another place for it"
		for _, pool := range free {
			if over := k.overQuota(pool, k.component.Size, 1); over != "" {
				why = over
			}
		}
		return fmt.Sprintf("pool %s has room: %s", free[0], why)
	case len(open) > 0:
		return strings.Join(k.lackByPool(k.dcn, open, 1), ", ")
	case len(closed) == 0:
		return "no pool lists a host"
	}
	var causes []string
	order, last := k.order(), -1
	for _, r := range closed {
		rule, why := k.shutOut(r)
		if order[rule] > last {
			causes, last = nil, order[rule]
		}
		if order[rule] == last && !slices.Contains(causes, why) {
			causes = append(causes, why)
		}
	}
	return strings.Join(some(causes, mostCauses, "cause"), ", ")
}
