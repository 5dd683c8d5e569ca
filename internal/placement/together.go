// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement

import (
	"cmp"
	"slices"
)

// Components go one after another, each to where it is cheapest for itself. Where one takes
// room, or a quota, that a later one would rather have had, or cannot do without, the whole may
// be cheaper, or possible, if it goes elsewhere. This file looks for that once all are placed:
// some new instances of one component are taken out, the others move up, and those taken out
// find new places. What makes the whole cheaper by the function Cost stays so.
//
// Nothing is looked for where no component stood in another one's way, and no longer than a
// number of steps: in a large fleet what is left to gain is small.

// mostWeighed is how many steps are taken for that: spots that are looked at, and instances that
// are placed or priced.
const mostWeighed = 1 << 14

// stand is where new instances of a component are to go.
type stand struct {
	component, dcn string
	room           *room
}

// plan is how many of them go where.
type plan map[stand]int64

// planned is the plan of the decision as it is.
func (b *board) planned() plan {
	out := plan{}
	for _, n := range b.all {
		for _, c := range n.cells {
			if more := len(c.seats) - c.stays(); more > 0 {
				out[stand{n.component.Name, c.DCN, c.room}] = int64(more)
			}
		}
	}
	return out
}

// stays is how many of the cell's instances were there before.
func (c *numbered) stays() int {
	n := 0
	for _, seat := range c.seats {
		if _, had := slices.BinarySearch(c.before, seat); had {
			n++
		}
	}
	return n
}

// follow gives the spots what the plan says.
func (k *look) follow(missing int64) (left int64) {
	for i := range k.spots {
		for want := k.plan[stand{k.component.Name, k.dcn, k.spots[i].room}]; want > 0 && missing > 0 && k.roomFor(i, want) > 0; want-- {
			k.give(i)
			missing--
		}
	}
	return missing
}

// stoodInTheWay notes that a component would have taken a spot that is full, or whose quota is
// used up, if another component of the Request had not.
func (k *look) stoodInTheWay(i int) {
	if k.contended || len(k.all) < 2 {
		return
	}
	s := &k.spots[i]
	if s.share != nil && *s.share <= 0 || s.cell != nil && k.allowed(s.cell, 1) == 0 {
		return // it has all there that it may have
	}
	r := s.room
	for _, n := range k.all {
		if n == k.numbers {
			continue
		}
		for _, c := range n.cells {
			if (c.room == r || c.Pool == r.pool && k.pools[s.pool].quota <= 0) && len(c.seats) > 0 && c.newest() >= 0 {
				k.contended = true
				return
			}
		}
	}
}

// ways are the components of a board with what it takes to try other ways and to come back.
type ways struct {
	*board
	cells []saved
	// open are how many cells each component had.
	open     []int
	decision Decision
}

type saved struct {
	of    *numbers
	cell  *numbered
	seats []int32
}

func (b *board) save() ways {
	w := ways{board: b, decision: b.decision}
	for _, n := range b.all {
		w.open = append(w.open, len(n.cells))
		for _, c := range n.cells {
			w.cells = append(w.cells, saved{n, c, slices.Clone(c.seats)})
		}
	}
	return w
}

// back brings the board to what it was when it was saved.
func (w *ways) back() {
	for i, n := range w.all {
		for _, c := range n.cells[w.open[i]:] {
			n.take(c, -int64(len(c.seats)))
			c.seats = nil
			n.disown(c)
		}
		n.cells = n.cells[:w.open[i]]
	}
	for _, s := range w.cells {
		if by := len(s.seats) - len(s.cell.seats); by != 0 {
			s.of.take(s.cell, int64(by))
		}
		s.cell.seats = append(s.cell.seats[:0], s.seats...)
	}
	w.board.decision = w.decision
}

// worth is how good a decision is: how many instances lack a place or lie too near each other,
// and what it costs.
type worth struct{ lacking, cost int64 }

func (w worth) compare(o worth) int {
	return cmp.Or(cmp.Compare(w.lacking, o.lacking), cmp.Compare(w.cost, o.cost))
}

func (b *board) worth() worth {
	b.weighed += b.instances()
	return worth{b.lacking(), b.cost()}
}

// instances is how many the Request asks for.
func (b *board) instances() int {
	sum := int64(0)
	for _, n := range b.all {
		sum += n.asked()
	}
	return int(sum)
}

// lacking counts what the counts, and the numbers of racks and zones, ask for and do not have.
func (b *board) lacking() int64 {
	var sum int64
	for _, n := range b.all {
		for _, count := range n.counts {
			sum += max(int64(count.Count)-int64(n.total(count.DCN))-int64(n.machines(count.DCN)), 0)
			sum += max(min(int64(n.component.MinRacks), int64(count.Count))-n.inRacks(count.DCN), 0)
			sum += max(min(int64(n.component.MinZones), int64(count.Count))-n.inZones(count.DCN), 0)
		}
	}
	return sum
}

// stay is how many instances are where they were.
func (b *board) stay() int {
	sum := 0
	for _, n := range b.all {
		for _, c := range n.cells {
			sum += c.stays()
		}
	}
	return sum
}

// together looks for a better decision, and returns its plan; nil: none was found. The board is
// of no use after one was.
func (b *board) together(stay int) plan {
	if b.stay() != stay || slices.ContainsFunc(b.all, func(n *numbers) bool { return n.component.OneCell }) {
		return nil // what runs moved already
	}
	again := b.again
	b.again = true
	defer func() { b.again = again }()
	b.weighed = 0
	if b.instances() > mostWeighed/8 {
		return nil
	}
	best, found := b.worth(), false
	for better := true; better && b.weighed < mostWeighed; {
		better = false
		for _, n := range b.all {
			for _, out := range n.taken() {
				if b.weighed >= mostWeighed {
					break
				}
				w := b.save()
				b.decision.Refused = false
				if b.otherwise(n, out); b.stay() == stay && !b.decision.Refused {
					if now := b.worth(); now.compare(best) < 0 {
						best, better, found = now, true, true
						break
					}
				}
				w.back()
			}
		}
	}
	if !found || best.lacking > 0 {
		return nil
	}
	return b.planned()
}

// takenOut is how many new instances leave a cell.
type takenOut struct {
	cell *numbered
	n    int
}

// taken are the ways to take new instances of the component out: one of a cell, all of a cell,
// all of a rack, all of a DCN.
func (n *numbers) taken() [][]takenOut {
	var out [][]takenOut
	racks, dcns := map[int]map[string][]takenOut{}, map[string][]takenOut{}
	var dcnOrder []string
	var rackOrder []*numbered
	for _, c := range n.cells {
		more := len(c.seats) - c.stays()
		if more == 0 {
			continue
		}
		out = append(out, []takenOut{{c, 1}})
		if more > 1 {
			out = append(out, []takenOut{{c, more}})
		}
		if racks[c.room.domain] == nil {
			racks[c.room.domain] = map[string][]takenOut{}
		}
		if racks[c.room.domain][c.DCN] == nil {
			rackOrder = append(rackOrder, c)
		}
		if dcns[c.DCN] == nil {
			dcnOrder = append(dcnOrder, c.DCN)
		}
		racks[c.room.domain][c.DCN] = append(racks[c.room.domain][c.DCN], takenOut{c, more})
		dcns[c.DCN] = append(dcns[c.DCN], takenOut{c, more})
	}
	for _, c := range rackOrder {
		if all := racks[c.room.domain][c.DCN]; len(all) > 1 {
			out = append(out, all)
		}
	}
	for _, dcn := range dcnOrder {
		if all := dcns[dcn]; len(all) > 1 {
			out = append(out, all)
		}
	}
	return out
}

// otherwise takes instances out, has the other components move up, and finds other places for
// those taken out.
func (b *board) otherwise(n *numbers, out []takenOut) {
	dcn := out[0].cell.DCN
	for _, x := range out {
		for range x.n {
			n.remove(x.cell)
		}
	}
	for _, o := range b.all {
		if o != n {
			o.moveUp(dcn)
		}
	}
	n.moveUp(dcn)
}

// moveUp finds places for what a component lacks in a DCN, and better ones for what is new.
func (n *numbers) moveUp(dcn string) {
	for _, count := range n.counts {
		if count.DCN != dcn {
			continue
		}
		missing := int64(count.Count) - int64(n.total(dcn)) - int64(n.machines(dcn))
		if missing <= 0 && !slices.ContainsFunc(n.cells, func(c *numbered) bool { return c.DCN == dcn && c.newest() >= 0 }) {
			continue
		}
		n.growing(dcn)
		racks, zones := min(int64(n.component.MinRacks), int64(count.Count)), min(int64(n.component.MinZones), int64(count.Count))
		k := n.look(dcn)
		n.weighed += len(k.spots) + int(max(missing, 0))
		k.makeWay(k.spread(missing))
		if k.over(byZones, zones, true) && k.over(byRacks, racks, true) {
			k.improve(racks, zones)
		}
	}
}
