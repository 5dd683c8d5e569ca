// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// SeatsPerBlock is how many seat numbers a component owns in each cell.
const SeatsPerBlock = 1000

// numbers are the seats of one component while a decision is made.
type numbers struct {
	*board
	component Component
	// blocks are the first numbers of the cells, kept for good.
	blocks map[Cell]int32
	seats  map[Cell][]int32
	// same marks the cells whose instances do not change.
	same map[Cell]bool
	// hosts are the cells' hosts as they were.
	hosts map[Cell][]string
	// before are the seats of the Placement in force.
	before map[Cell][]int32
	// stay are those that may stay.
	stay map[Cell][]int32
	// counts by DCN.
	counts []Count
}

func newNumbers(b *board, c Component) *numbers {
	n := &numbers{
		board: b, component: c, blocks: map[Cell]int32{}, seats: map[Cell][]int32{}, before: map[Cell][]int32{},
		stay: map[Cell][]int32{}, same: map[Cell]bool{}, hosts: map[Cell][]string{}, counts: slices.Clone(c.Counts),
	}
	slices.SortFunc(n.counts, func(a, b Count) int { return cmp.Compare(a.DCN, b.DCN) })
	n.remember(b.request.Previous)
	return n
}

// remember takes over what the Placement in force says of the component.
func (n *numbers) remember(previous []Assignment) {
	for _, a := range previous {
		if a.Component != n.component.Name {
			continue
		}
		n.blocks[a.Cell] = a.Block
		n.before[a.Cell] = slices.Sorted(slices.Values(a.Seats))
		n.hosts[a.Cell] = slices.Sorted(slices.Values(a.Hosts))
		n.same[a.Cell] = a.Template == n.component.Template
	}
}

// keepSame finds out which seats may stay, and leaves those whose instances do
// not change where they are.
func (n *numbers) keepSame() {
	for _, count := range n.counts {
		if n.component.OneCell {
			continue
		}
		stay := map[Cell][]int32{}
		for _, cell := range sortedCells(maps.Keys(n.before)) {
			if cell.DCN != count.DCN || len(n.before[cell]) == 0 {
				continue
			}
			if rule, why := refusedBy(n.policy.Filters, n.snapshot, n.request, n.component, cell, true); rule != "" {
				n.say(n.component, count.DCN, rule, "%s must leave cell %s: %s", instances(int64(len(n.before[cell]))), cell.Key(), why)
				continue
			}
			stay[cell] = slices.Clone(n.before[cell])
		}
		trim(stay, int(count.Count))
		for cell, seats := range stay {
			if !n.same[cell] {
				n.stay[cell] = seats
				continue
			}
			for _, seat := range seats {
				n.put(cell, seat)
			}
		}
	}
}

// keepChanged leaves instances that change in their cells as far as the new ones
// find room there beside the old.
func (n *numbers) keepChanged() {
	for _, cell := range sortedCells(maps.Keys(n.stay)) {
		for _, seat := range n.stay[cell] {
			switch {
			case n.takes(cell):
				n.put(cell, seat)
			case n.component.InPlace:
				n.refuse(n.component, cell.DCN, "RoomHostByHost", "%s-%d cannot change in its place: pool %s %s", n.component.Name, seat, cell.Pool, n.lack(n.component, cell, 1))
				n.put(cell, seat)
			default:
				n.say(n.component, cell.DCN, "RoomHostByHost", "%s-%d must leave cell %s, which cannot hold its successor beside it", n.component.Name, seat, cell.Key())
			}
		}
	}
}

// fill meets the counts: what is missing is added one by one in the best cell.
func (n *numbers) fill() {
	for _, count := range n.counts {
		if n.component.OneCell {
			n.fillOneCell(count)
			continue
		}
		n.fillDCN(count)
	}
}

func (n *numbers) fillDCN(count Count) {
	kept := n.total(count.DCN)
	var open []Cell
	var closed []Reason
	if kept < count.Count {
		open, closed = n.candidates(n.component, count.DCN)
	}
	for missing := count.Count - kept; missing > 0; missing-- {
		if len(open) == 0 {
			n.nowhere(n.component, count.DCN, missing, closed)
			return
		}
		if !n.addOne(count.DCN, open) {
			n.noRoom(n.component, count.DCN, missing, open)
			return
		}
	}
	n.tell(count, kept)
}

// trim gives up the highest numbers of the fullest racks until the total is reached.
func trim(seats map[Cell][]int32, total int) {
	have := 0
	for _, s := range seats {
		have += len(s)
	}
	for ; have > total; have-- {
		racks := map[[2]string]int{}
		for cell, s := range seats {
			racks[[2]string{cell.Cluster, cell.Rack}] += len(s)
		}
		cells := slices.DeleteFunc(sortedCells(maps.Keys(seats)), func(c Cell) bool { return len(seats[c]) == 0 })
		cell := slices.MinFunc(cells, func(x, y Cell) int {
			return cmp.Or(cmp.Compare(racks[[2]string{y.Cluster, y.Rack}], racks[[2]string{x.Cluster, x.Rack}]),
				cmp.Compare(len(seats[y]), len(seats[x])), cmp.Compare(y.Key(), x.Key()))
		})
		seats[cell] = seats[cell][:len(seats[cell])-1]
	}
}

// takes reports whether the cell can take one instance more.
func (n *numbers) takes(cell Cell) bool {
	c := n.component
	if most := int64(c.MaxPerHost) * int64(len(n.rooms.at(cell).hosts)); c.MaxPerHost > 0 && int64(len(n.seats[cell])) >= most {
		return false
	}
	return len(n.seats[cell]) < SeatsPerBlock &&
		n.budget.refuses(n.request, cell.Pool, c.Size, 1) == "" &&
		n.rooms.at(cell).fits(c.Size, 1)
}

func (n *numbers) put(cell Cell, seat int32) {
	n.seats[cell] = append(n.seats[cell], seat)
	slices.Sort(n.seats[cell])
	n.rooms.at(cell).take(n.component.Size, 1)
	n.budget.take(cell.Pool, n.component.Size, 1)
}

func (n *numbers) remove(cell Cell) {
	n.seats[cell] = n.seats[cell][:len(n.seats[cell])-1]
	n.rooms.at(cell).take(n.component.Size, -1)
	n.budget.take(cell.Pool, n.component.Size, -1)
}

// addOne puts the lowest free number of the best cell to use.
func (n *numbers) addOne(dcn string, open []Cell) bool {
	for _, cell := range n.best(n.view(dcn), open) {
		if n.takes(cell) {
			n.put(cell, n.lowestFree(cell))
			return true
		}
	}
	return false
}

// fillOneCell puts all instances into one cell of the fleet: the present one
// if it can hold them.
func (n *numbers) fillOneCell(count Count) {
	if count.Count == 0 {
		return
	}
	open, closed := n.candidates(n.component, count.DCN)
	cells := n.best(n.view(count.DCN), open)
	for _, cell := range sortedCells(maps.Keys(n.before)) {
		if rule, _ := refusedBy(n.policy.Filters, n.snapshot, n.request, n.component, cell, true); rule == "" && cell.DCN == count.DCN && len(n.before[cell]) > 0 {
			cells = append([]Cell{cell}, slices.DeleteFunc(cells, func(c Cell) bool { return c == cell })...)
		}
	}
	for _, cell := range cells {
		for int32(len(n.seats[cell])) < count.Count && n.takes(cell) {
			n.put(cell, n.lowestFree(cell))
		}
		if int32(len(n.seats[cell])) == count.Count {
			n.say(n.component, count.DCN, "OneCell", "%s in cell %s, and nowhere else", instances(int64(count.Count)), cell.Key())
			return
		}
		for len(n.seats[cell]) > 0 {
			n.remove(cell)
		}
	}
	if len(cells) == 0 {
		n.nowhere(n.component, count.DCN, count.Count, closed)
		return
	}
	n.noRoom(n.component, count.DCN, count.Count, cells)
}

func (n *numbers) view(dcn string) View {
	v := View{Component: n.component, Taken: map[Cell]int32{}, Blocks: n.blocks, Free: func(c Cell) Amount { return n.rooms.at(c).free() }}
	for cell, seats := range n.seats {
		if cell.DCN == dcn {
			v.Taken[cell] = int32(len(seats))
		}
	}
	return v
}

func (n *numbers) total(dcn string) int32 {
	var sum int32
	for cell, seats := range n.seats {
		if cell.DCN == dcn {
			sum += int32(len(seats))
		}
	}
	return sum
}

// lowestFree returns the lowest number of the cell's block that nobody has.
func (n *numbers) lowestFree(cell Cell) int32 {
	block, ok := n.blocks[cell]
	if !ok {
		owned := slices.Sorted(maps.Values(n.blocks))
		for slices.Contains(owned, block) {
			block += SeatsPerBlock
		}
		n.blocks[cell] = block
	}
	seat := block
	for slices.Contains(n.seats[cell], seat) {
		seat++
	}
	return seat
}

// assignments returns what was decided, cells without seats included: they
// keep their numbers for the component.
func (n *numbers) assignments() []Assignment {
	var out []Assignment
	for _, cell := range sortedCells(maps.Keys(n.blocks)) {
		a := Assignment{
			Component: n.component.Name, Template: n.component.Template, Cell: cell,
			Block: n.blocks[cell], Seats: n.seats[cell], Size: n.component.Size,
		}
		if len(a.Seats) > 0 {
			a.Hosts = n.hostsOf(cell)
		}
		out = append(out, a)
	}
	return out
}

// hostsOf returns the hosts of a cell that are ready. Where none is, such as in a
// cluster that is away, the list stays as it was.
func (n *numbers) hostsOf(cell Cell) []string {
	var names []string
	for _, h := range n.rooms.at(cell).hosts {
		names = append(names, h.Name)
	}
	if len(names) == 0 {
		return n.hosts[cell]
	}
	return slices.Sorted(slices.Values(names))
}

func (n *numbers) tell(count Count, kept int32) {
	var where []string
	for _, cell := range sortedCells(maps.Keys(n.seats)) {
		if seats := n.seats[cell]; cell.DCN == count.DCN && len(seats) > 0 {
			where = append(where, fmt.Sprintf("%s in cell %s", seatRange(seats), cell.Key()))
		}
	}
	if len(where) == 0 {
		where = []string{"none anywhere"}
	}
	n.say(n.component, count.DCN, "Count", "%s asked for, %d kept, %d new: %s", instances(int64(count.Count)), kept, count.Count-kept, strings.Join(where, "; "))
}

// seatRange says numbers as "0-2, 5".
func seatRange(seats []int32) string {
	var parts []string
	for i := 0; i < len(seats); {
		j := i
		for j+1 < len(seats) && seats[j+1] == seats[j]+1 {
			j++
		}
		part := fmt.Sprint(seats[i])
		if j > i {
			part = fmt.Sprintf("%d-%d", seats[i], seats[j])
		}
		parts = append(parts, part)
		i = j + 1
	}
	return strings.Join(parts, ", ")
}
