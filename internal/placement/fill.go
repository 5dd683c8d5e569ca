// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement

import (
	"fmt"
	"slices"
)

// machines counts the component's instances of a DCN on virtual machines.
func (n *numbers) machines(dcn string) int {
	sum := 0
	for _, m := range n.fleet.machines[instanceOf{n.request.Application, n.component.Name}] {
		if m.DCN == dcn {
			sum++
		}
	}
	return sum
}

// fill meets the counts: what is missing is added one by one in the best cell.
func (n *numbers) fill() {
	n.overDataCenters()
	n.clustersAgree()
	for _, count := range n.counts {
		n.growing(count.DCN)
		if n.component.OneCell {
			n.fillOneCell(count)
			continue
		}
		n.fillDCN(count)
	}
}

func (n *numbers) fillDCN(count Count) {
	kept := n.total(count.DCN)
	onMachines := n.machines(count.DCN)
	missing := int64(count.Count) - int64(kept) - int64(onMachines)
	racks, zones := min(int64(n.component.MinRacks), int64(count.Count)), min(int64(n.component.MinZones), int64(count.Count))
	if missing > 0 || n.inRacks(count.DCN) < racks || n.inZones(count.DCN) < zones {
		k := n.look(count.DCN)
		if len(k.spots) == 0 && missing > 0 && len(count.Clusters) == 0 {
			n.nowhere(n.component, count.DCN, missing)
			return
		}
		if lacking := k.makeWay(k.spread(k.follow(missing))); lacking > 0 && len(count.Clusters) > 0 {
			k.lacking(count)
			return
		} else if lacking > 0 {
			n.noRoom(n.component, count.DCN, lacking, k.rooms(), k.lot)
			return
		}
		// Zones first: what is moved between racks later leaves no zone empty.
		if !k.over(byZones, zones, missing > 0) || !k.over(byRacks, racks, missing > 0) {
			return
		}
		kept -= k.displaced
		if k.plan == nil && (k.moved || len(k.pools) > 1 || k.shared()) {
			k.improve(racks, zones)
		}
		defer n.tellApart(count.DCN)
		defer k.explain()
	} else if n.policy.Explain && kept > 0 {
		defer n.tellApart(count.DCN)
		defer n.look(count.DCN).explain()
	}
	n.tell(count, kept, onMachines)
}

// fillOneCell puts all instances into one cell of the fleet: the present one
// if it can hold them.
func (n *numbers) fillOneCell(count Count) {
	if count.Count == 0 {
		return
	}
	k := n.look(count.DCN)
	var cells []*numbered
	named := n.bars(true)
	for _, c := range n.cells {
		if c.DCN == count.DCN && len(c.before) > 0 {
			if rule, _ := n.refusedBy(n.candidate(n.component, c.Cell), true); rule == "" && n.names(c) && n.barred(named, c.room) == "" {
				cells = append(cells, c)
			}
		}
	}
	for _, s := range k.byPrice() {
		if c := n.at(s.room, cellOf(s.room, n.component.Zone, count.DCN)); !slices.Contains(cells, c) {
			cells = append(cells, c)
		}
	}
	for _, c := range cells {
		for int32(len(c.seats)) < count.Count && n.takes(c) { //nolint:gosec // at most SeatsPerBlock
			n.add(c)
		}
		if int32(len(c.seats)) == count.Count { //nolint:gosec // at most SeatsPerBlock
			n.say(n.component, count.DCN, "OneCell", "%s in cell %s, and nowhere else", instances(int64(count.Count)), c.Key())
			k.explainOneCell(c, int64(count.Count))
			n.tellApart(count.DCN)
			return
		}
		for len(c.seats) > 0 {
			n.remove(c)
		}
		if len(c.before) == 0 {
			n.disown(c)
		}
	}
	if len(count.Clusters) > 0 {
		k.lacking(count)
		return
	}
	if len(cells) == 0 {
		n.nowhere(n.component, count.DCN, int64(count.Count))
		return
	}
	rooms := make([]*room, len(cells))
	for i, c := range cells {
		rooms[i] = c.room
	}
	n.noRoom(n.component, count.DCN, int64(count.Count), rooms, k.lot)
}

// mostTold is how many cells a reason names.
const mostTold = 6

func (n *numbers) tell(count Count, kept int32, onMachines int) {
	n.sort()
	text := n.fleet.scratch.text[:0]
	named, more := 0, 0
	for _, c := range n.cells {
		switch {
		case c.DCN != count.DCN || len(c.seats) == 0:
			continue
		case named == mostTold:
			more++
			continue
		case named > 0:
			text = append(text, "; "...)
		}
		named++
		text = appendRange(text, c.seats)
		text = append(text, " in cell "...)
		text = c.appendKey(text)
	}
	switch {
	case named == 0:
		text = append(text, "none anywhere"...)
	case more > 0:
		text = fmt.Appendf(text, "; and %d cells more", more)
	}
	n.fleet.scratch.text = text
	machines := ""
	if onMachines > 0 {
		machines = fmt.Sprintf("%d on virtual machines, ", onMachines)
	}
	n.say(n.component, count.DCN, "Count", "%s asked for, %s%d kept, %d new: %s", instances(int64(count.Count)), machines, kept, max(n.total(count.DCN)-kept, 0), text)
	n.tellClusters(count, onMachines)
	n.tellMachines(count, onMachines)
}
