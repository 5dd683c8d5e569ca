// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement

import (
	"maps"
	"slices"
	"strings"
)

// inZones is over how many availability zones of a DCN the component's instances lie, if it
// matters.
func (n *numbers) inZones(dcn string) int64 {
	if n.component.MinZones < 2 {
		return int64(n.component.MinZones)
	}
	return n.spans(dcn, func(rack int) int { return n.fleet.racks[rack].zone })
}

// inRacks is over how many racks, if it matters.
func (n *numbers) inRacks(dcn string) int64 {
	if n.component.MinRacks < 2 {
		return int64(n.component.MinRacks)
	}
	return n.spans(dcn, func(rack int) int { return rack })
}

// spans counts the domains of racks in which the component has instances of a DCN,
// those on virtual machines included.
func (n *numbers) spans(dcn string, of func(rack int) int) int64 {
	all := map[int]bool{}
	for _, c := range n.cells {
		if c.DCN == dcn && c.Zone == n.component.Zone && len(c.seats) > 0 {
			all[of(c.room.domain)] = true
		}
	}
	for _, m := range n.fleet.machines[instanceOf{n.request.Application, n.component.Name}] {
		if m.DCN == dcn {
			all[of(n.fleet.rackOf(m.DataCenter, m.Rack))] = true
		}
	}
	return int64(len(all))
}

// overDataCenters holds the counts against the number of data centres that the component
// must spread over. The counts name DCNs, so nothing can be moved: what grows is refused,
// and what is there already may go on as it is.
func (n *numbers) overDataCenters() {
	if n.component.MinDataCenters < 2 {
		return
	}
	sites, grows := map[string]bool{}, false
	for _, count := range n.counts {
		if d := n.fleet.dcns[count.DCN]; d != nil && count.Count > 0 {
			sites[d.DataCenter] = true
		}
		grows = grows || n.grows(count)
	}
	if len(sites) == 0 || len(sites) >= int(n.component.MinDataCenters) {
		return
	}
	const text = "instances must spread over %d data centres, and their DCNs lie in %d (%s): ask for instances in a DCN of another one"
	names := strings.Join(slices.Sorted(maps.Keys(sites)), ", ")
	if grows {
		n.refuse(n.component, "", "MinimumDataCenters", text, n.component.MinDataCenters, len(sites), names)
		return
	}
	n.say(n.component, "", "MinimumDataCenters", text, n.component.MinDataCenters, len(sites), names)
}
