// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement

import (
	"fmt"
	"slices"
)

// What a bound of each host (maxPerHost) and the seats of a cell have to do with instances
// that find no room.

// mayAdd is how many instances more the component may have in a room for its seats, and how
// many for what each host may hold of it, with so many hosts more.
func (n *numbers) mayAdd(dcn string, r *room, more int64) (seats, hosts int64) {
	have, machines := int64(0), int64(0)
	if c, ok := find(n.cells, func(c *numbered) bool { return c.room == r && c.DCN == dcn && c.Zone == n.component.Zone }); ok {
		have, machines = int64(len(c.seats)), n.machinesIn(c)
	}
	seats, hosts = SeatsPerBlock-have-machines, SeatsPerBlock
	if most := n.component.mostPerHost(); most > 0 {
		hosts = most*(int64(len(r.names))+more) - have
	}
	return seats, hosts
}

// wouldFit reports whether a room would take the missing instances if a host could hold any
// number of those that are bound and meant. false, too, where none is.
func (n *numbers) wouldFit(r *room, l lot, missing int64, meant func(lot) bool) bool {
	free, any := *r, false
	free.held = slices.Clone(r.held)
	loosen := func(l *lot) {
		if l.owner != 0 && meant(*l) {
			l.owner, l.bound, any = 0, 0, true
		}
	}
	for i := range free.held {
		loosen(&free.held[i].lot)
	}
	loosen(&l)
	return any && free.fits(l, missing, n.policy, &n.fleet.scratch.held)
}

// boundIn says that others in a room are bound by host, where that keeps the missing ones out.
func (n *numbers) boundIn(r *room, l lot, missing int64) string {
	if n.wouldFit(r, l, missing, func(x lot) bool { return x.owner != l.owner }) {
		return "; instances there have a bound of each host (maxPerHost), and must find one in any order, too"
	}
	return ""
}

func hostsAre(n int64) string {
	if n == 1 {
		return "one host is"
	}
	return fmt.Sprintf("%d hosts are", n)
}
