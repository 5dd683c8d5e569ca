// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement

import (
	"fmt"
	"slices"
)

// Wait is seats of a component that wait in a cell for room: its hosts offer less than was
// counted.
type Wait struct {
	Component string
	Cell      Cell
	Seats     []int32
}

// Elsewhere is the Request with the seats that wait placed anew: they are not kept where
// they are, and the rooms in which they wait take nothing new of it. Instances that keep an
// identity, run in one cell, or have volumes that do not move stay where they are.
func (r Request) Elsewhere(waits []Wait) Request {
	for _, w := range waits {
		i := slices.IndexFunc(r.Components, func(c Component) bool { return c.Name == w.Component })
		if i < 0 || !r.Components[i].movable() {
			continue
		}
		var left []Assignment
		for _, a := range r.Previous {
			if a.Component == w.Component && a.Cell == w.Cell {
				a.Seats = slices.DeleteFunc(slices.Clone(a.Seats), func(seat int32) bool { return slices.Contains(w.Seats, seat) })
			}
			left = append(left, a)
		}
		r.Previous = left
		r.Full = append(slices.Clip(r.Full), w.Cell)
	}
	return r
}

// movable says whether an instance may be placed anew somewhere else.
func (c Component) movable() bool {
	return !c.InPlace && !c.OneCell && c.Anchored() == ""
}

// Anchored is the kind of volume for which a component's instances cannot leave their place;
// empty: they can. Without an identity an instance has a new volume wherever it comes: its data can
// be made again.
func (c Component) Anchored() string {
	for _, v := range c.Volumes {
		if v != "Shared" && c.InPlace {
			return v
		}
	}
	return ""
}

// full says whether a room takes nothing new of the Request.
func (r *Request) full(o *room) bool {
	return slices.ContainsFunc(r.Full, func(c Cell) bool { return c.room() == o.roomKey })
}

// notFull are the rooms of a list that take new instances of the Request.
func (r *Request) notFull(open []*room) []*room {
	if len(r.Full) == 0 {
		return open
	}
	return slices.DeleteFunc(slices.Clone(open), r.full)
}

// waiting says why a room takes nothing new of the Request.
func (o *room) waiting() string {
	return fmt.Sprintf("instances wait for room on rack %s of pool %s in cluster %s: its hosts offer less than was counted", o.rack, o.pool, o.cluster)
}
