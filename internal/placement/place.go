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

// board is the state of one decision.
type board struct {
	snapshot Snapshot
	request  Request
	policy   Policy
	rooms    rooms
	budget   budget
	decision Decision
}

// Place decides where the instances of a Request run. The Decision does not
// depend on the order of what it is given.
func Place(s Snapshot, r Request, p Policy) Decision {
	b := &board{snapshot: s, request: r, policy: p, rooms: countRooms(s, r), budget: countQuota(s, r)}
	components := slices.Clone(r.Components)
	slices.SortFunc(components, func(a, b Component) int { return cmp.Compare(a.Name, b.Name) })

	// What is there goes first, and of it what does not change: nothing new may
	// take its room.
	var all []*numbers
	for _, c := range components {
		all = append(all, newNumbers(b, c))
	}
	for _, n := range all {
		n.keepSame()
	}
	for _, n := range all {
		n.keepChanged()
	}
	for _, n := range all {
		n.fill()
		b.decision.Assignments = append(b.decision.Assignments, n.assignments()...)
	}
	if b.decision.Refused {
		b.decision.Assignments = nil
	}
	return b.decision
}

func (b *board) say(c Component, dcn, rule, format string, args ...any) {
	b.decision.Reasons = append(b.decision.Reasons, Reason{Component: c.Name, DCN: dcn, Rule: rule, Message: fmt.Sprintf(format, args...)})
}

func (b *board) refuse(c Component, dcn, rule, format string, args ...any) {
	b.say(c, dcn, rule, format, args...)
	b.decision.Reasons[len(b.decision.Reasons)-1].Refusal = true
	b.decision.Refused = true
}

// candidates returns the cells of a DCN that may take new instances, by key,
// and why the others may not.
func (b *board) candidates(c Component, dcn string) (open []Cell, closed []Reason) {
	all := map[Cell]bool{}
	for _, p := range b.snapshot.Pools {
		for _, rack := range p.Racks {
			all[Cell{Cluster: rack.Cluster, Pool: p.Name, Zone: c.Zone, Rack: rack.Name, DCN: dcn}] = true
		}
	}
	for _, cell := range sortedCells(maps.Keys(all)) {
		if rule, why := refusedBy(b.policy.Filters, b.snapshot, b.request, c, cell, false); rule != "" {
			closed = append(closed, Reason{Component: c.Name, DCN: dcn, Rule: rule, Message: why})
			continue
		}
		open = append(open, cell)
	}
	return open, closed
}

// best orders cells by the scores, best first.
func (b *board) best(v View, cells []Cell) []Cell {
	cells = slices.Clone(cells)
	slices.SortFunc(cells, func(x, y Cell) int {
		for _, score := range b.policy.Scores {
			if d := cmp.Compare(score.Of(v, y), score.Of(v, x)); d != 0 {
				return d
			}
		}
		return cmp.Compare(x.Key(), y.Key())
	})
	return cells
}

// nowhere says why a DCN has no cell at all for a component: each cause once,
// those last in the order of the filters first, since they are the nearest misses.
func (b *board) nowhere(c Component, dcn string, missing int32, closed []Reason) {
	order := map[string]int{}
	for i, f := range b.policy.Filters {
		order[f.Name] = i
	}
	slices.SortStableFunc(closed, func(x, y Reason) int {
		return cmp.Or(cmp.Compare(order[y.Rule], order[x.Rule]), cmp.Compare(x.Message, y.Message))
	})
	var causes []string
	for _, r := range closed {
		if !slices.Contains(causes, r.Message) {
			causes = append(causes, r.Message)
		}
	}
	rule := "NoPool"
	if len(closed) > 0 {
		rule = closed[0].Rule
	}
	const most = 6
	if rest := len(causes) - most; rest > 0 {
		causes = append(causes[:most], fmt.Sprintf("and %d causes more", rest))
	}
	if len(causes) == 0 {
		causes = []string{"no pool lists any host: add a Pool"}
	}
	b.refuse(c, dcn, rule, "no cell takes %s: %s", instances(int64(missing)), strings.Join(causes, "; "))
}

// noRoom says what each open cell lacks for the missing instances. What several
// cells lack in the same words is said once.
func (b *board) noRoom(c Component, dcn string, missing int32, open []Cell) {
	said := map[string]bool{}
	once := func(rule, why string) {
		if !said[why] {
			said[why] = true
			b.refuse(c, dcn, rule, "%s", why)
		}
	}
	for _, cell := range open {
		if why := b.budget.refuses(b.request, cell.Pool, c.Size, int64(missing)); why != "" {
			once("Quota", why)
			continue
		}
		cluster, _ := b.snapshot.cluster(cell.Cluster)
		once("RoomHostByHost", fmt.Sprintf("pool %s in %s %s", cell.Pool, cluster.DataCenter, b.lack(c, cell, missing)))
	}
}

// lack says in numbers what a cell lacks, and how many hosts would do.
func (b *board) lack(c Component, cell Cell, missing int32) string {
	r := b.rooms.at(cell)
	free, want := r.free(), c.Size.Times(int64(missing))
	over := Amount{CPU: want.CPU - free.CPU, Memory: want.Memory - free.Memory, Instances: want.Instances - free.Instances}
	what := fmt.Sprintf("has %s free on rack %s, but no host is certain to have %s in one piece for %s",
		Amount{CPU: free.CPU, Memory: free.Memory}.words(), cell.Rack, Amount{CPU: c.Size.CPU, Memory: c.Size.Memory}.words(), instances(int64(missing)))
	if lacks := over.words(); lacks != "" {
		what = fmt.Sprintf("lacks %s on rack %s for %s", lacks, cell.Rack, instances(int64(missing)))
	}
	host, ok := r.largest()
	if !ok || perHost(host, c.Size) == 0 {
		return what + "; no host there is large enough for a single one"
	}
	for more := int64(1); more <= int64(missing); more++ {
		if r.fits(c.Size, int64(missing), slices.Repeat([]Host{host}, int(more))...) {
			return what + "; " + hostsMore(more)
		}
	}
	return what
}

func sortedCells(cells func(yield func(Cell) bool)) []Cell {
	return slices.SortedFunc(cells, func(a, b Cell) int { return cmp.Compare(a.Key(), b.Key()) })
}
