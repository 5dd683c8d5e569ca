// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement

import (
	"cmp"
	"slices"
)

// WhatIf is a change of the fleet that nobody has made.
type WhatIf struct {
	// Lose names what is gone.
	Lose []Loss
	// Add says which hosts come.
	Add []Addition
	// Whole are applications of which all finds room or nothing does, as when they are released.
	// Of all others those components move that find room.
	Whole []string
}

// Loss names something of the fleet.
type Loss struct {
	// Kind is "DataCenter", "Cluster", "Rack", "Pool" or "Host". Empty: that of the only
	// thing of the fleet that is called so.
	Kind string
	// Name of it. A rack is named "<data centre>/<rack>", a host "<cluster>/<host>"; where
	// Kind is empty, their own names will do.
	Name string
}

// Addition is hosts that come to a rack of a pool.
type Addition struct {
	Pool    string
	Cluster string
	Rack    string
	Count   int
	// Room of each. Nothing: that of the pool's largest host in the cluster.
	Room Amount
	// Arch of each: amd64, arm64 or loong64. Empty: where Room is, that of the pool's largest
	// host in the cluster; else that of all its hosts there, or amd64 where they are not alike.
	Arch string
	// NewRack says that the rack does not exist yet. Others have to be in the list of the
	// cluster's data centre, or to hold hosts already: a name that was mistyped would be an
	// availability zone of its own.
	NewRack bool
}

// Outcome is what would follow of a change.
type Outcome struct {
	// Decisions about the Requests, in their order.
	Decisions []Decision
	// Moves by application, component, DCN and cell.
	Moves []Move
	// Unplaced are the instances that would find no place.
	Unplaced []Unplaced
	// Taken says where the instances of a DCN would count that is lost, what of virtual
	// machines is lost besides, which hosts come, and of which instances nobody knows whether
	// they are on a lost host.
	Taken []string
}

// Move is instances of a component that a cell gains, or loses where By is negative.
type Move struct {
	Application string
	Component   string
	Cell        Cell
	By          int
}

// Unplaced is an application that would not fit, and why.
type Unplaced struct {
	Application string
	Priority    int32
	Reasons     []Reason
}

// Simulate says where the applications would run after a change. The Requests are
// those of the applications as they run, with what they have as Previous. It goes by the rules
// by which losses are proposed (package lost): what is lost does not run any more; a DCN
// whose site is lost hands its instances to its partner; of hosts that are lost the rest of
// their cell takes what it has room for; all others stay where they are. What has volumes that
// do not move, and what runs on virtual machines, is not placed elsewhere. An error names
// something that the fleet does not know, or hosts that cannot be.
func Simulate(s Snapshot, requests []Request, w WhatIf, p Policy) (Outcome, error) {
	after, gone, err := w.apply(s)
	if err != nil {
		return Outcome{}, err
	}
	out := Outcome{Taken: slices.Concat(gone.heirs(s.DCNs), gone.virtual(s), gone.came)}
	lost := make([][]Reason, len(requests))
	moved := make([]Request, len(requests))
	for i, r := range requests {
		moved[i], lost[i] = gone.from(r, s)
	}
	known := map[string]bool{}
	for _, r := range requests {
		known[r.Application] = true
	}
	after.Reserved = nil
	for _, h := range s.Reserved {
		if !known[h.Application] && !gone.cell(h.Cell) {
			after.Reserved = append(after.Reserved, h)
		}
	}
	short := gone.crowd(after, moved)
	for i := range requests {
		lost[i] = append(lost[i], short[i].stay...)
		out.Taken = append(out.Taken, short[i].unseen...)
		for _, a := range moved[i].Previous {
			after.Reserved = append(after.Reserved, Reservation{Application: requests[i].Application, Tenant: requests[i].Tenant, Environment: requests[i].Environment, Assignment: a})
		}
	}
	all := make([]Moving, len(requests))
	for i := range requests {
		all[i] = Moving{Request: moved[i], Stay: requests[i]}
		if !slices.Contains(w.Whole, requests[i].Application) {
			all[i].May = touched(requests[i], moved[i])
		}
	}
	for i, d := range PlaceWhatFits(after, all, p) {
		out.Decisions = append(out.Decisions, d.Decision)
		stays := func(component string) bool { return d.Refused || slices.Contains(d.Left, component) }
		for _, r := range short[i].move {
			if stays(r.Component) {
				lost[i] = append(lost[i], r)
			}
		}
		lost[i] = append(lost[i], d.Lacks...)
		// What finds no place does not run where it was, either.
		d.Assignments = slices.DeleteFunc(slices.Clone(d.Assignments), func(a Assignment) bool { return stays(a.Component) })
		for _, a := range moved[i].Previous {
			if stays(a.Component) {
				d.Assignments = append(d.Assignments, a)
			}
		}
		if len(lost[i]) > 0 {
			out.Unplaced = append(out.Unplaced, Unplaced{Application: requests[i].Application, Priority: requests[i].Priority, Reasons: lost[i]})
		}
		out.Moves = append(out.Moves, moves(requests[i].Application, requests[i].Previous, d.Assignments)...)
	}
	slices.SortFunc(out.Unplaced, func(a, b Unplaced) int {
		return cmp.Or(cmp.Compare(b.Priority, a.Priority), cmp.Compare(a.Application, b.Application))
	})
	return out, nil
}

// touched are the components of a Request of which a change takes seats away.
func touched(before, after Request) []string {
	seats := map[string]int{}
	for _, a := range before.Previous {
		seats[a.Component] += len(a.Seats)
	}
	for _, a := range after.Previous {
		seats[a.Component] -= len(a.Seats)
	}
	var out []string
	for _, c := range before.Components {
		if seats[c.Name] > 0 {
			out = append(out, c.Name)
		}
	}
	return out
}

func refusals(d Decision) []Reason {
	return slices.DeleteFunc(slices.Clone(d.Reasons), func(r Reason) bool { return !r.Refusal })
}

// moves compares where instances were and are.
func moves(application string, before, after []Assignment) []Move {
	type at struct {
		component string
		cell      Cell
	}
	by := map[at]int{}
	for _, a := range after {
		by[at{a.Component, a.Cell}] += len(a.Seats)
	}
	for _, a := range before {
		by[at{a.Component, a.Cell}] -= len(a.Seats)
	}
	var out []Move
	for k, n := range by {
		if n != 0 {
			out = append(out, Move{Application: application, Component: k.component, Cell: k.cell, By: n})
		}
	}
	slices.SortFunc(out, func(a, b Move) int {
		return cmp.Or(cmp.Compare(a.Component, b.Component), cmp.Compare(a.Cell.DCN, b.Cell.DCN), a.Cell.compare(b.Cell))
	})
	return out
}

// Inherited are counts with those of lost DCNs where they go: to the heir of each, "" if it
// has none.
func Inherited(counts []Count, heirs map[string]string) []Count {
	var out []Count
	for _, c := range counts {
		if _, lost := heirs[c.DCN]; !lost {
			out = append(out, c)
		}
	}
	for _, c := range counts {
		heir, lost := heirs[c.DCN]
		if !lost || heir == "" {
			continue
		}
		if i := slices.IndexFunc(out, func(x Count) bool { return x.DCN == heir }); i >= 0 {
			out[i] = out[i].Plus(c.Count)
			continue
		}
		out = append(out, Count{DCN: heir, Count: c.Count})
	}
	return out
}

// apply is the fleet after the change.
func (w WhatIf) apply(s Snapshot) (Snapshot, losses, error) {
	l := losses{
		sites: map[string]bool{}, clusters: map[string]bool{}, pools: map[string]bool{}, racks: map[domainKey]bool{}, hosts: map[[2]string]bool{},
		siteOf: map[string]string{}, thinned: map[roomKey]bool{}, heir: map[string]string{},
	}
	for _, c := range s.Clusters {
		l.siteOf[c.Name] = c.DataCenter
	}
	for _, x := range w.Lose {
		if err := l.lose(s, x); err != nil {
			return s, l, err
		}
	}
	l.emptied(s)
	s.Pools = slices.Clone(s.Pools)
	for i := range s.Pools {
		p := &s.Pools[i]
		p.Racks = slices.Clone(p.Racks)
		for j := range p.Racks {
			r := &p.Racks[j]
			if l.cell(Cell{Cluster: r.Cluster, Pool: p.Name, Rack: r.Name}) {
				r.Hosts = nil
				continue
			}
			left := slices.DeleteFunc(slices.Clone(r.Hosts), func(h Host) bool { return l.hosts[[2]string{r.Cluster, h.Name}] })
			if len(left) < len(r.Hosts) {
				l.thinned[roomKey{r.Cluster, p.Name, r.Name}] = true
			}
			r.Hosts = left
		}
	}
	for _, a := range w.Add {
		came, err := a.to(&s)
		if err != nil {
			return s, l, err
		}
		l.came = append(l.came, came)
	}
	return s, l, nil
}
