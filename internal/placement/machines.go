// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Machine is an instance that runs on a virtual machine still (R50). It counts
// towards its component's number in the DCN, and towards the spread over racks and
// availability zones; it takes no room of a pool.
type Machine struct {
	// Application as "<namespace>/<name>", its component, and the DCN that it serves.
	Application string
	Component   string
	DCN         string
	// DataCenter and Rack that it runs in.
	DataCenter string
	Rack       string
	// Seat is its number in the bank's CMDB, from 1. Containers of the component keep
	// off the block in which it lies. 0: not known.
	Seat int32
	// Stale says why nobody can be sure that it still runs there. Empty: it is sure.
	Stale string
}

// SetMachines says which instances of an application run on virtual machines from now
// on, in place of those that did.
func (f *Fleet) SetMachines(application string, machines []Machine) {
	for k, before := range f.machines {
		if k.application != application {
			continue
		}
		for _, m := range before {
			f.serve(m.DCN, f.rackOf(m.DataCenter, m.Rack), -1)
		}
		delete(f.machines, k)
	}
	for _, m := range machines {
		if m.Application == application {
			f.addMachine(m)
		}
	}
}

func (f *Fleet) addMachine(m Machine) {
	k := instanceOf{m.Application, m.Component}
	f.machines[k] = append(f.machines[k], m)
	f.serve(m.DCN, f.rackOf(m.DataCenter, m.Rack), 1)
}

// Unsure says why whatever acts by itself must keep off an application: what is known of
// its instances on virtual machines may not be so any more. Empty: nothing is in doubt. A
// Release that a person asks for goes on, and its Placement says so.
func Unsure(machines []Machine, application string) string {
	var causes []string
	for _, m := range machines {
		if m.Application == application && m.Stale != "" && !slices.Contains(causes, m.Stale) {
			causes = append(causes, m.Stale)
		}
	}
	if len(causes) == 0 {
		return ""
	}
	slices.Sort(causes)
	return fmt.Sprintf("what is known of the virtual machines of %s may not be so any more: %s", application, strings.Join(some(causes, mostCauses, "cause"), "; "))
}

// Unsure says of an application what the function of that name does.
func (f *Fleet) Unsure(application string) string {
	var machines []Machine
	for k, some := range f.machines {
		if k.application == application {
			machines = append(machines, some...)
		}
	}
	return Unsure(machines, application)
}

// machineSeats are the numbers of a component's instances on virtual machines; nil: none
// has one.
func (f *Fleet) machineSeats(application, component string) map[int32]bool {
	var seats map[int32]bool
	for _, m := range f.machines[instanceOf{application, component}] {
		if m.Seat > 0 {
			if seats == nil {
				seats = map[int32]bool{}
			}
			seats[m.Seat] = true
		}
	}
	return seats
}

// machinesIn counts the numbers of a cell's block that virtual machines have.
func (n *numbers) machinesIn(c *numbered) int64 {
	var sum int64
	for seat := range n.onMachines {
		if c.block >= 0 && blockOf(seat) == c.block {
			sum++
		}
	}
	return sum
}

// blockOf is the block in which a seat number lies.
func blockOf(seat int32) int32 { return seat / SeatsPerBlock * SeatsPerBlock }

// tellMachines says how many of the instances run on virtual machines, where, and what of
// that is in doubt.
func (n *numbers) tellMachines(count Count, onMachines int) {
	if onMachines == 0 {
		return
	}
	racks := map[string]int{}
	var names, doubts []string
	for _, m := range n.fleet.machines[instanceOf{n.request.Application, n.component.Name}] {
		if m.DCN != count.DCN {
			continue
		}
		where := m.DataCenter + "/" + m.Rack
		if racks[where]++; racks[where] == 1 {
			names = append(names, where)
		}
		if m.Stale != "" && !slices.Contains(doubts, m.Stale) {
			doubts = append(doubts, m.Stale)
		}
	}
	slices.SortFunc(names, cmp.Compare[string])
	for i, where := range names {
		names[i] = fmt.Sprintf("%d in rack %s", racks[where], where)
	}
	n.say(n.component, count.DCN, "OnMachines", "%d of %d on virtual machines: %s", onMachines, count.Count, strings.Join(some(names, mostTold, "rack"), ", "))
	if more := onMachines - int(count.Count); more > 0 {
		n.say(n.component, count.DCN, "OnMachines", "%d more on virtual machines than asked for: shut them down, or ask for more", more)
	}
	if len(doubts) > 0 {
		slices.Sort(doubts)
		n.say(n.component, count.DCN, "MachinesStale", "the number on virtual machines is in doubt: %s", strings.Join(some(doubts, mostCauses, "cause"), "; "))
	}
}
