// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

func (n *numbers) why(x *bar, r *room, there int64) string {
	place := n.fleet.racks[r.domain]
	where := fmt.Sprintf("rack %s of %s", place.name, place.site)
	if x.scope == ScopeZone {
		where = fmt.Sprintf("%s of %s", n.fleet.zoneName[place.zone], place.site)
	}
	if x.named {
		return fmt.Sprintf("%s has %s of %s, which the component keeps apart from by %s", where, instances(there), n.naming(x.other), x.scope.words())
	}
	return fmt.Sprintf("%s has %s of %s, which keeps apart from the component by %s", where, instances(there), n.naming(x.other), x.scope.words())
}

// naming is what a party is called in an explanation: by its component alone where it
// belongs to the application that is placed.
func (b *board) naming(p *party) string {
	if p.application == b.request.Application {
		return "component " + p.component
	}
	return "component " + p.component + " of " + p.application
}

// shutIn says which instances in a room may shut hosts to the component, or "". It names the
// rack where it is one of several.
func (n *numbers) shutIn(r *room, several bool) string {
	if n.party == nil {
		return r.parted()
	}
	by := map[*party]int64{}
	for _, x := range r.held {
		if x.n > 0 && x.party != nil && n.party.shuts(x.party) {
			by[x.party] += x.n
		}
	}
	var parts []string
	for p, there := range by {
		parts = append(parts, fmt.Sprintf("%s of %s", instances(there), n.naming(p)))
	}
	if len(parts) == 0 {
		return r.parted()
	}
	slices.Sort(parts)
	it := "it"
	if several {
		it = "rack " + r.rack
	}
	return fmt.Sprintf("; %s has %d hosts, and %s may each shut one to it", it, len(r.names), strings.Join(some(parts, mostCauses, "component"), " and "))
}

// parted says that others in the room keep apart from each other, if they do.
func (r *room) parted() string {
	for _, x := range r.held {
		if x.n > 0 && x.party != nil && slices.ContainsFunc(r.held, func(o held) bool { return o.n > 0 && o.party != nil && x.party.shuts(o.party) }) {
			return "; instances there share no host with each other, and must find one in any order, too"
		}
	}
	return ""
}

// tellApart says where those are that the component keeps apart from, or that keep apart
// from it.
func (n *numbers) tellApart(dcn string) {
	if n.party == nil {
		return
	}
	bonds := make([]bond, 0, len(n.party.bonds))
	for b := range n.party.bonds {
		bonds = append(bonds, b)
	}
	slices.SortFunc(bonds, compareBonds)
	for _, b := range bonds {
		if !b.named {
			if n.party.bonds[bond{b.other, b.scope, true}] > 0 {
				continue // both name it: once is enough
			}
		}
		n.say(n.component, dcn, "KeepApart", "shares no %s with %s, which has %s", b.scope.words(), n.naming(b.other), n.racksOf(b, dcn))
	}
}

// racksOf tells where a party has instances; of hosts only the rooms that both are in.
func (n *numbers) racksOf(b bond, dcn string) string {
	type at struct {
		name string
		n    int64
	}
	var all []at
	if b.scope == ScopeHost {
		for _, c := range n.cells {
			var there int64
			for _, x := range c.room.held {
				if x.n > 0 && x.party == b.other {
					there += x.n
				}
			}
			if c.DCN == dcn && len(c.seats) > 0 && there > 0 {
				all = append(all, at{fmt.Sprintf("%d beside %d on the %d hosts of cell %s, where all find a host in any order", there, len(c.seats), len(c.room.names), c.Key()), 0})
			}
		}
		if len(all) == 0 {
			return "none on hosts that it may use"
		}
	} else {
		for rack, there := range n.where(b.other) {
			if there > 0 {
				all = append(all, at{fmt.Sprintf("rack %s of %s", n.fleet.racks[rack].name, n.fleet.racks[rack].site), there})
			}
		}
		if len(all) == 0 {
			return "none anywhere yet"
		}
	}
	slices.SortFunc(all, func(a, b at) int { return cmp.Compare(a.name, b.name) })
	var parts []string
	for i, x := range all {
		if i == mostTold {
			parts = append(parts, fmt.Sprintf("more in %d others", len(all)-mostTold))
			break
		}
		if x.n > 0 {
			x.name = fmt.Sprintf("%d in %s", x.n, x.name)
		}
		parts = append(parts, x.name)
	}
	return strings.Join(parts, ", ")
}
