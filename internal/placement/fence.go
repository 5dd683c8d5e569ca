// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement

import (
	"fmt"
	"slices"
	"strings"
)

// Cut is instances of which two must not run at once and that would start elsewhere while
// nobody knows that they have stopped where they were (R86). Somebody cuts their hosts off
// first, and says how.
type Cut struct {
	Component string
	// Why two of them must not run at once, see Component.Sole.
	Why string
	// Cell that they leave, and their seats in it, ascending.
	Cell  Cell
	Seats []int32
}

func (c Cut) String() string {
	seats := "seat"
	if len(c.Seats) > 1 {
		seats = "seats"
	}
	return fmt.Sprintf("%s %s of component %s, which %s, leave rack %s of pool %s in cluster %s", seats, appendRange(nil, c.Seats), c.Component, c.Why, c.Cell.Rack, c.Cell.Pool, c.Cell.Cluster)
}

// Sole says why two of an instance must not run at once: it "keeps an identity", or "runs
// once only". Empty: two may.
func (c Component) Sole() string {
	switch {
	case c.InPlace:
		return "keeps an identity"
	case c.OneCell:
		return "runs once only"
	}
	return ""
}

// Cuts lists what has to be cut off before a decision is carried out: seats of components that
// run once or keep an identity, which are before in a cell that is silent, are not in it
// after, and for which others come elsewhere. By component, in the order of before.
func Cuts(components []Component, before, after []Assignment, silent func(Cell) bool) []Cut {
	var out []Cut
	for _, c := range components {
		if c.Sole() == "" || !comes(c.Name, before, after) {
			continue
		}
		for _, a := range before {
			if a.Component != c.Name {
				continue
			}
			if left := without(a.Seats, seatsOf(after, c.Name, a.Cell)); len(left) > 0 && silent(a.Cell) {
				out = append(out, Cut{Component: c.Name, Why: c.Sole(), Cell: a.Cell, Seats: left})
			}
		}
	}
	return out
}

// comes reports whether instances of a component come to some cell.
func comes(component string, before, after []Assignment) bool {
	return slices.ContainsFunc(after, func(a Assignment) bool {
		return a.Component == component && len(without(a.Seats, seatsOf(before, component, a.Cell))) > 0
	})
}

func seatsOf(all []Assignment, component string, cell Cell) []int32 {
	var out []int32
	for _, a := range all {
		if a.Component == component && a.Cell == cell {
			out = append(out, a.Seats...)
		}
	}
	return out
}

// without are the seats that are not among others, ascending.
func without(seats, others []int32) []int32 {
	left := slices.DeleteFunc(slices.Clone(seats), func(seat int32) bool { return slices.Contains(others, seat) })
	slices.Sort(left)
	return left
}

// mostCuts is how many cells are named to which people have to go: a data centre may have
// hundreds of racks.
const mostCuts = 4

// Unfenced says what is to be cut off, and what to do. Empty: nothing is.
func Unfenced(cuts []Cut) string {
	if len(cuts) == 0 {
		return ""
	}
	var parts []string
	for _, c := range cuts[:min(len(cuts), mostCuts)] {
		parts = append(parts, c.String())
	}
	if more := len(cuts) - len(parts); more > 0 {
		parts = append(parts, fmt.Sprintf("and so do others in %d racks more", more))
	}
	return strings.Join(parts, "; ") + ": they may still run there, and would run twice. Cut their old hosts off first (power or network), then start the release anew and say how that was done: --fenced \"…\" (spec.fenced)"
}

// Silent reports whether nobody can tell what runs in a cell: its cluster does not answer or
// is not in the fleet, or no host of its rack is ready, in whatever pool.
func (f *Fleet) Silent(c Cell) bool {
	if cluster := f.clusters[c.Cluster]; cluster == nil || cluster.Away != "" {
		return true
	}
	if o := f.rooms[c.room()]; o != nil && len(o.names) > 0 {
		return false
	}
	for k, o := range f.rooms {
		if k.cluster == c.Cluster && k.rack == c.Rack && len(o.names) > 0 {
			return false
		}
	}
	return true
}

// Silent reports the same as that of a Fleet.
func (s Snapshot) Silent(c Cell) bool {
	if !slices.ContainsFunc(s.Clusters, func(x Cluster) bool { return x.Name == c.Cluster && x.Away == "" }) {
		return true
	}
	for _, p := range s.Pools {
		for _, r := range p.Racks {
			if r.Cluster == c.Cluster && r.Name == c.Rack && len(r.Hosts) > 0 {
				return false
			}
		}
	}
	return true
}

// fence refuses what would start instances elsewhere that may still run where they were,
// where nobody has said that they were cut off.
func (b *board) fence() {
	if !b.request.Unfenced || b.decision.Refused {
		return
	}
	for _, n := range b.all {
		if n.component.Sole() == "" {
			continue
		}
		if cuts := Cuts([]Component{*n.component}, b.request.Previous, n.assigned(nil), b.fleet.Silent); len(cuts) > 0 {
			b.refuse(n.component, cuts[0].Cell.DCN, "Fenced", "%s", Unfenced(cuts))
		}
	}
}
