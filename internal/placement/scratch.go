// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement

import "slices"

// counter counts by number, and forgets quickly.
type counter struct {
	n       []int64
	touched []int
}

func (c *counter) add(i int, by int64) {
	for i >= len(c.n) {
		c.n = append(c.n, 0)
	}
	c.n[i] += by
	c.touched = append(c.touched, i)
}

func (c *counter) at(i int) int64 {
	if i >= len(c.n) {
		return 0
	}
	return c.n[i]
}

// positive is how many numbers have a count.
func (c *counter) positive() int64 {
	slices.Sort(c.touched)
	c.touched = slices.Compact(c.touched)
	var n int64
	for _, i := range c.touched {
		if c.n[i] > 0 {
			n++
		}
	}
	return n
}

func (c *counter) clear() {
	for _, i := range c.touched {
		c.n[i] = 0
	}
	c.touched = c.touched[:0]
}

// scratch is memory that decisions use one after another.
type scratch struct {
	held           []held
	inRack, inZone counter
	spots          []spot
	// cells of a component by room, in the DCN that is looked at.
	known map[*room]*numbered
	// zones that are searched, and their places by number.
	zones  []zoned
	zoneAt map[int]int
	// blanks are cells for decisions to use, of which so many are in use.
	blanks [][]numbered
	used   int
	// text that is being put together.
	text []byte
}

// blank is a cell for the decision that is being made.
func (s *scratch) blank() *numbered {
	const each = 64
	if s.used == len(s.blanks)*each {
		s.blanks = append(s.blanks, make([]numbered, each))
	}
	s.used++
	return &s.blanks[(s.used-1)/each][(s.used-1)%each]
}
