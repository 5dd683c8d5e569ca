// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement

// In a small room the bounds of cover.go are coarse: what a host lacks to be full counts for
// the next one, too, and half an instance lies on either. There every way to lay the others
// is tried instead, so that nothing is refused that is certain. It is tried only where the
// bounds refuse, and where few ways are left to try by what can be counted beforehand: what
// is decided must not depend on the order in which anything is looked at. That others may
// share no host either is left out: while a Release brings such a rule, there are pods that
// do not say so yet.
const (
	mostClosingHosts  = 8
	mostClosingLots   = 8
	mostClosingStates = 64
)

// closing is the search for a way to lay others onto hosts so that none takes an instance of
// a lot.
type closing struct {
	lot
	hosts  []class // that the lot may use, one by one
	others []held
	// steps are what one of each of the others less takes from the number of a way to go on
	// (closingState.number).
	steps [mostClosingLots]int
	// open are the states from which there is no way, by hosts that are closed and number.
	open [mostClosingHosts][mostClosingStates]bool
}

// closingState is how many of the others are left when so many hosts are closed.
type closingState struct {
	closed int
	left   [mostClosingLots]uint8
	// number is all that are left in one.
	number int
}

// closes reports whether the others may lie so that no host takes one more of a lot, or that
// it is too much to try. Of the lot itself there are all but one.
func (h hosts) closes(x held, all []held) bool {
	c := closing{lot: x.lot}
	var ofHosts [mostClosingHosts]class
	var ofOthers [mostClosingLots]held
	c.hosts, c.others = ofHosts[:0], ofOthers[:0]
	for i := range h.classes {
		k := &h.classes[i]
		if !x.archs.onto(k.arch) || !x.size.Within(k.room) {
			continue // it finds no place there anyway
		}
		for range k.count {
			if len(c.hosts) == mostClosingHosts {
				return true
			}
			c.hosts = append(c.hosts, *k)
		}
	}
	var first closingState
	states := int64(1)
	for _, o := range all {
		if o.lot == x.lot {
			o.n--
		}
		if o.n <= 0 || !x.archs.meets(o.archs) {
			continue
		}
		i := len(c.others)
		if i == mostClosingLots || states*(o.n+1) > mostClosingStates {
			return true
		}
		c.steps[i] = int(states)
		first.left[i] = uint8(o.n) //nolint:gosec // mostClosingStates
		first.number += int(o.n * states)
		states *= o.n + 1
		c.others = append(c.others, o)
	}
	return c.from(first)
}

// shutBy is how many instances of another lot on a host keep the lot off it, whatever room
// they leave; 0: none do.
func (l lot) shutBy(o lot) int64 {
	switch {
	case l.party != nil && o.party != nil && l.party.shuts(o.party):
		return 1
	case l.owner != 0 && l.owner == o.owner:
		return int64(l.bound)
	}
	return 0
}

// from tries to close the hosts that are not closed yet.
func (c *closing) from(s closingState) bool {
	if s.closed == len(c.hosts) {
		return true
	}
	if c.open[s.closed][s.number] {
		return false
	}
	if c.lay(s, 0, c.hosts[s.closed].room) {
		return true
	}
	c.open[s.closed][s.number] = true
	return false
}

// lay tries each number of each of the others, from one on, on a host with so much room
// left.
func (c *closing) lay(s closingState, from int, room Amount) bool {
	if !c.size.Within(room) {
		return c.close(s) // more on it would be wasted
	}
	if from == len(c.others) {
		return false
	}
	o := &c.others[from]
	most := min(int64(s.left[from]), perHost(room, o.size))
	if !o.archs.onto(c.hosts[s.closed].arch) {
		most = 0
	}
	if shut := c.shutBy(o.lot); shut > 0 && most >= shut {
		if c.close(c.less(s, from, shut)) {
			return true
		}
		most = shut - 1
	}
	for n := int64(0); n <= most; n++ {
		if n > 0 {
			s = c.less(s, from, 1)
			room = room.Plus(o.size.Times(-1))
		}
		if c.lay(s, from+1, room) {
			return true
		}
	}
	return false
}

// close goes on with the next host.
func (c *closing) close(s closingState) bool {
	s.closed++
	return c.from(s)
}

// less is a state with so many of one of the others less.
func (c *closing) less(s closingState, i int, n int64) closingState {
	s.left[i] -= uint8(n) //nolint:gosec // of those that are left
	s.number -= c.steps[i] * int(n)
	return s
}
