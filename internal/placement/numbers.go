// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement

import (
	"cmp"
	"slices"
	"strconv"
)

// SeatsPerBlock is how many seat numbers a component owns in each cell.
const SeatsPerBlock = 1000

// numbers are the seats of one component while a decision is made.
type numbers struct {
	*board
	component *Component
	profile   *Profile
	archs     archs
	cells     []*numbered
	// counts by DCN, and how many instances of each every cluster gets that is named: see limits.
	counts  []Count
	limited map[string]map[string]int64
	// owned are the blocks that the component has, and next the lowest that may be free.
	owned map[int32]bool
	next  int32
	// onMachines are the numbers that virtual machines have; nil where none has one.
	onMachines map[int32]bool
	// party is what it keeps apart from others as; nil: it does not, nor others from it.
	party *party
	// ownRacks are the racks that it may use where components divide them; nil: any.
	ownRacks map[int]bool
}

// numbered is a cell in which a component owns seat numbers.
type numbered struct {
	Cell
	room  *room
	block int32
	seats []int32
	// before are the seats of the Placement in force, and stay those of them that may.
	before, stay []int32
	// same says that the instances do not change, and fresh that the component never was there.
	same, fresh bool
	// hosts of the cell as they were.
	hosts []string
}

func newNumbers(b *board, c *Component) *numbers {
	n := &numbers{board: b, component: c, counts: slices.Clone(c.Counts), profile: b.profileOf(c), archs: archsOf(c.Archs)}
	n.party = b.fleet.parties[instanceOf{b.request.Application, c.Name}]
	n.onMachines = b.fleet.machineSeats(b.request.Application, c.Name)
	slices.SortFunc(n.counts, func(a, b Count) int { return cmp.Or(cmp.Compare(a.DCN, b.DCN), cmp.Compare(a.Count, b.Count)) })
	for _, a := range b.request.Previous {
		if a.Component != c.Name {
			continue
		}
		cell := n.at(b.fleet.room(a.Cell.room()), a.Cell)
		cell.block, cell.same = a.Block, a.Template == c.Template
		cell.before, cell.hosts = ascending(a.Seats), ascending(a.Hosts)
	}
	n.sort()
	return n
}

// ascending is a list in ascending order; it does not change the one it is given.
func ascending[T cmp.Ordered](list []T) []T {
	if slices.IsSorted(list) {
		return list
	}
	return slices.Sorted(slices.Values(list))
}

// sort brings the cells into the order of their names.
func (n *numbers) sort() {
	slices.SortFunc(n.cells, func(a, b *numbered) int { return a.compare(b.Cell) })
}

// at returns a cell of the component, one without numbers yet if it is new.
func (n *numbers) at(r *room, c Cell) *numbered {
	for _, found := range n.cells {
		if found.room == r && found.Zone == c.Zone && found.DCN == c.DCN {
			return found
		}
	}
	return n.open(r, c)
}

// open adds a cell that the component has no numbers in.
func (n *numbers) open(r *room, c Cell) *numbered {
	made := n.fleet.scratch.blank()
	*made = numbered{Cell: c, room: r, block: -1}
	n.cells = append(n.cells, made)
	return made
}

func (n *numbers) lot(dcn string) lot {
	if n.component.MaxPerHost == 0 {
		return lot{size: n.component.Size, archs: n.archs, party: n.party}
	}
	return n.fleet.lotOf(n.request.Application, Assignment{
		Component: n.component.Name, Template: n.component.Template, Cell: Cell{DCN: dcn}, Size: n.component.Size,
		MaxPerHost: n.component.MaxPerHost, Archs: n.component.Archs,
	})
}

func (n *numbers) put(c *numbered, seat int32) {
	i, _ := slices.BinarySearch(c.seats, seat)
	c.seats = slices.Insert(c.seats, i, seat)
	n.take(c, 1)
}

// remove takes the highest new instance out of a cell, or the highest of all where none is
// new, and returns its seat.
func (n *numbers) remove(c *numbered) (seat int32) {
	i := len(c.seats) - 1
	if j := c.newest(); j >= 0 {
		i = j
	}
	seat = c.seats[i]
	c.seats = slices.Delete(c.seats, i, i+1)
	n.take(c, -1)
	return seat
}

// newest is where the highest seat is that the application does not have yet; -1: nowhere.
func (c *numbered) newest() int {
	for i := len(c.seats) - 1; i >= 0; i-- {
		if _, had := slices.BinarySearch(c.before, c.seats[i]); !had {
			return i
		}
	}
	return -1
}

// take books n instances of the cell, or gives them back.
func (n *numbers) take(c *numbered, by int64) {
	n.fleet.put(c.room, n.lot(c.DCN), n.profile, c.DCN, by)
	n.spend(c.Pool, n.component.Size.Times(by))
}

// add puts the lowest free number of a cell to use.
func (n *numbers) add(c *numbered) {
	if c.block < 0 {
		c.block, c.fresh = n.freeBlock(), true
	}
	seat := c.block
	for _, s := range c.seats {
		if s != seat {
			break
		}
		seat++
	}
	if len(n.onMachines) > 0 {
		for n.onMachines[seat] || slices.Contains(c.seats, seat) {
			seat++
		}
	}
	n.put(c, seat)
}

// freeBlock is the lowest block that the component owns in no cell.
func (n *numbers) freeBlock() int32 {
	if n.owned == nil {
		n.owned = map[int32]bool{}
		for _, c := range n.cells {
			if c.block >= 0 {
				n.owned[c.block] = true
			}
		}
		// Machines keep the numbers that the CMDB knows them by, each with its block.
		for seat := range n.onMachines {
			n.owned[blockOf(seat)] = true
		}
	}
	for n.owned[n.next] {
		n.next += SeatsPerBlock
	}
	n.owned[n.next] = true
	return n.next
}

// disown gives a block back that was taken in this decision.
func (n *numbers) disown(c *numbered) {
	if c.block >= 0 {
		delete(n.owned, c.block)
		n.next, c.block = 0, -1
	}
}

// total counts the component's instances of a DCN, without those on machines.
func (n *numbers) total(dcn string) int32 {
	var sum int
	for _, c := range n.cells {
		if c.DCN == dcn {
			sum += len(c.seats)
		}
	}
	return int32(sum) //nolint:gosec // bounded by the count asked for
}

// assigned adds what was decided, cells without seats included: they keep their
// numbers for the component.
func (n *numbers) assigned(out []Assignment) []Assignment {
	n.sort()
	for _, c := range n.cells {
		if c.block < 0 {
			continue
		}
		a := Assignment{
			Component: n.component.Name, Template: n.component.Template, Cell: c.Cell, Block: c.block, Seats: c.seats,
			Size: n.component.Size, MaxPerHost: n.component.MaxPerHost, Archs: n.component.Archs,
			KeepsFrom: n.component.KeepsFrom,
		}
		if len(c.seats) > 0 {
			// Where no host is ready, such as in a cluster that is away, the list stays as it was.
			if a.Hosts = c.room.names; len(a.Hosts) == 0 {
				a.Hosts = c.hosts
			}
		}
		out = append(out, a)
	}
	return out
}

// appendRange says numbers as "0-2, 5".
func appendRange(out []byte, seats []int32) []byte {
	first := len(out)
	for i := 0; i < len(seats); {
		j := i
		for j+1 < len(seats) && seats[j+1] == seats[j]+1 {
			j++
		}
		if len(out) > first {
			out = append(out, ", "...)
		}
		out = strconv.AppendInt(out, int64(seats[i]), 10)
		if j > i {
			out = append(out, '-')
			out = strconv.AppendInt(out, int64(seats[j]), 10)
		}
		i = j + 1
	}
	return out
}
