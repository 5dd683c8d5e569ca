// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement

import (
	"cmp"
	"fmt"
	"slices"
)

// WhatIf is a change of the fleet that nobody has made.
type WhatIf struct {
	// Lose names what is gone.
	Lose []Loss
	// Add says which hosts come.
	Add []Addition
}

// Loss names something of the fleet.
type Loss struct {
	// Kind is "DataCenter", "Cluster", "Rack", "Pool" or "Host".
	Kind string
	// Name of it. A rack is named "<data centre>/<rack>", a host "<cluster>/<host>".
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
	// Arch of each. Empty: that of the pool's largest host in the cluster.
	Arch string
}

// Outcome is what would follow of a change.
type Outcome struct {
	// Decisions about the Requests, in their order.
	Decisions []Decision
	// Moves by application, component, DCN and cell.
	Moves []Move
	// Unplaced are the instances that would find no place.
	Unplaced []Unplaced
	// Taken says where the instances of a DCN would count that is lost.
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
// those of the applications as they run, with what they have as Previous. What is
// lost does not run any more; a DCN whose site is lost hands its instances to its
// partner; all others stay where they are unless their cell is gone. An error names
// something that the fleet does not know.
func Simulate(s Snapshot, requests []Request, w WhatIf, p Policy) (Outcome, error) {
	after, gone, err := w.apply(s)
	if err != nil {
		return Outcome{}, err
	}
	var out Outcome
	heirs := map[string]string{}
	for _, d := range s.DCNs {
		if !gone.sites[d.DataCenter] {
			continue
		}
		partner, ok := find(s.DCNs, func(x DCN) bool { return x.Name == d.Partner })
		switch {
		case !ok:
			out.Taken = append(out.Taken, fmt.Sprintf("DCN %s has no partner: its instances run nowhere", d.Name))
		case gone.sites[partner.DataCenter]:
			out.Taken = append(out.Taken, fmt.Sprintf("DCN %s and its partner %s are both lost: their instances run nowhere", d.Name, partner.Name))
		default:
			heirs[d.Name] = partner.Name
			out.Taken = append(out.Taken, fmt.Sprintf("DCN %s hands its instances to its partner %s", d.Name, partner.Name))
		}
	}
	slices.Sort(out.Taken)
	moved := make([]Request, len(requests))
	for i, r := range requests {
		moved[i] = gone.from(r, s.DCNs, heirs)
	}
	after.Reserved = nil
	for i := range requests {
		for _, a := range moved[i].Previous {
			after.Reserved = append(after.Reserved, Reservation{Application: requests[i].Application, Tenant: requests[i].Tenant, Environment: requests[i].Environment, Assignment: a})
		}
	}
	known := map[string]bool{}
	for _, r := range requests {
		known[r.Application] = true
	}
	for _, h := range s.Reserved {
		if !known[h.Application] && !gone.cell(h.Cell) {
			after.Reserved = append(after.Reserved, h)
		}
	}
	out.Decisions = Place(after, moved, p)
	for i, d := range out.Decisions {
		if d.Refused {
			out.Unplaced = append(out.Unplaced, Unplaced{Application: requests[i].Application, Priority: requests[i].Priority, Reasons: refusals(d)})
			d.Assignments = moved[i].Previous
		}
		out.Moves = append(out.Moves, moves(requests[i].Application, requests[i].Previous, d.Assignments)...)
	}
	slices.SortFunc(out.Unplaced, func(a, b Unplaced) int {
		return cmp.Or(cmp.Compare(b.Priority, a.Priority), cmp.Compare(a.Application, b.Application))
	})
	return out, nil
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

// losses is what is gone.
type losses struct {
	sites, clusters, pools map[string]bool
	racks                  map[domainKey]bool
	// siteOf a cluster.
	siteOf map[string]string
}

func (l losses) cell(c Cell) bool {
	site := l.siteOf[c.Cluster]
	return l.sites[site] || l.clusters[c.Cluster] || l.pools[c.Pool] || l.racks[domainKey{site, c.Rack}]
}

// from is a Request without what is gone, and with the instances of lost DCNs counted
// where they go.
func (l losses) from(r Request, dcns []DCN, heirs map[string]string) Request {
	r.Previous = slices.Clone(r.Previous)
	for i := range r.Previous {
		if l.cell(r.Previous[i].Cell) {
			r.Previous[i].Seats = nil
		}
	}
	r.Components = slices.Clone(r.Components)
	for i := range r.Components {
		if len(l.sites) > 0 {
			// Fewer data centres are the loss itself, no reason to run nowhere.
			r.Components[i].MinDataCenters = 0
		}
		var counts []Count
		gone := map[string]string{}
		for _, count := range r.Components[i].Counts {
			d, _ := find(dcns, func(x DCN) bool { return x.Name == count.DCN })
			if l.sites[d.DataCenter] {
				gone[count.DCN] = heirs[count.DCN]
			} else {
				count, _ = count.Without(func(cluster string) bool { return l.clusters[cluster] })
			}
			counts = append(counts, count)
		}
		r.Components[i].Counts = Inherited(counts, gone)
	}
	return r
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
	l := losses{sites: map[string]bool{}, clusters: map[string]bool{}, pools: map[string]bool{}, racks: map[domainKey]bool{}, siteOf: map[string]string{}}
	for _, c := range s.Clusters {
		l.siteOf[c.Name] = c.DataCenter
	}
	hosts := map[[2]string]bool{}
	for _, x := range w.Lose {
		if err := l.lose(s, x, hosts); err != nil {
			return s, l, err
		}
	}
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
			r.Hosts = slices.DeleteFunc(slices.Clone(r.Hosts), func(h Host) bool { return hosts[[2]string{r.Cluster, h.Name}] })
		}
	}
	s.Machines = slices.DeleteFunc(slices.Clone(s.Machines), func(m Machine) bool {
		return l.sites[m.DataCenter] || l.racks[domainKey{m.DataCenter, m.Rack}]
	})
	for _, a := range w.Add {
		if err := add(&s, a); err != nil {
			return s, l, err
		}
	}
	return s, l, nil
}

func (l losses) lose(s Snapshot, x Loss, hosts map[[2]string]bool) error {
	unknown := fmt.Errorf("could not lose %s %q: the fleet does not know it", x.Kind, x.Name)
	switch x.Kind {
	case "DataCenter":
		if !slices.ContainsFunc(s.Clusters, func(c Cluster) bool { return c.DataCenter == x.Name }) {
			return unknown
		}
		l.sites[x.Name] = true
	case "Cluster":
		if _, ok := l.siteOf[x.Name]; !ok {
			return unknown
		}
		l.clusters[x.Name] = true
	case "Pool":
		if _, ok := find(s.Pools, func(p Pool) bool { return p.Name == x.Name }); !ok {
			return unknown
		}
		l.pools[x.Name] = true
	case "Rack", "Host":
		found := false
		for _, p := range s.Pools {
			for _, r := range p.Racks {
				if x.Kind == "Rack" && l.siteOf[r.Cluster]+"/"+r.Name == x.Name {
					l.racks[domainKey{l.siteOf[r.Cluster], r.Name}] = true
					found = true
				}
				for _, h := range r.Hosts {
					if x.Kind == "Host" && r.Cluster+"/"+h.Name == x.Name {
						hosts[[2]string{r.Cluster, h.Name}] = true
						found = true
					}
				}
			}
		}
		if !found {
			return unknown
		}
	default:
		return fmt.Errorf("could not lose %s %q: what is lost is a DataCenter, Cluster, Pool, Rack or Host", x.Kind, x.Name)
	}
	return nil
}

// add brings hosts to a rack.
func add(s *Snapshot, a Addition) error {
	if a.Count < 1 || a.Count > 5000 {
		return fmt.Errorf("could not add %d hosts to pool %q: give a number from 1 to 5,000", a.Count, a.Pool)
	}
	if _, ok := find(s.Clusters, func(c Cluster) bool { return c.Name == a.Cluster }); !ok {
		return fmt.Errorf("could not add hosts to cluster %q: the fleet does not know it", a.Cluster)
	}
	i := slices.IndexFunc(s.Pools, func(p Pool) bool { return p.Name == a.Pool })
	if i < 0 {
		return fmt.Errorf("could not add hosts to pool %q: the fleet does not know it", a.Pool)
	}
	p := &s.Pools[i]
	like := Host{Room: a.Room, Arch: a.Arch}
	for _, r := range p.Racks {
		for _, h := range r.Hosts {
			if r.Cluster == a.Cluster && a.Room == (Amount{}) && (h.Room.CPU > like.Room.CPU || like.Room == (Amount{})) {
				like = Host{Room: h.Room, Arch: cmp.Or(a.Arch, h.Arch)}
			}
		}
	}
	if like.Room == (Amount{}) {
		return fmt.Errorf("could not add hosts to pool %q in cluster %q: it has none there to take the size from: say it", a.Pool, a.Cluster)
	}
	j := slices.IndexFunc(p.Racks, func(r Rack) bool { return r.Cluster == a.Cluster && r.Name == a.Rack })
	if j < 0 {
		p.Racks = append(p.Racks, Rack{Cluster: a.Cluster, Name: a.Rack})
		j = len(p.Racks) - 1
	}
	r := &p.Racks[j]
	r.Hosts = slices.Clone(r.Hosts)
	for n := range a.Count {
		r.Hosts = append(r.Hosts, Host{Name: fmt.Sprintf("what-if-%s-%s-%d", a.Cluster, a.Rack, n), Room: like.Room, Arch: like.Arch})
	}
	return nil
}
