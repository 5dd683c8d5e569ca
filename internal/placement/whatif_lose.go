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

// losses is what is gone.
type losses struct {
	sites, clusters, pools map[string]bool
	racks                  map[domainKey]bool
	// hosts by cluster and name.
	hosts map[[2]string]bool
	// siteOf a cluster.
	siteOf map[string]string
	// thinned are the rooms that have lost hosts and are not lost as a whole.
	thinned map[roomKey]bool
	// heir of each DCN whose site is lost; "": it has none.
	heir map[string]string
	// came says of hosts which they are.
	came []string
}

func (l losses) cell(c Cell) bool { return l.took(c) != "" }

// took is the loss that took a cell, in words; empty: none did.
func (l losses) took(c Cell) string {
	site := l.siteOf[c.Cluster]
	switch {
	case l.sites[site]:
		return "data centre " + site
	case l.clusters[c.Cluster]:
		return "cluster " + c.Cluster
	case l.racks[domainKey{site, c.Rack}]:
		return "rack " + site + "/" + c.Rack
	case l.pools[c.Pool]:
		return "pool " + c.Pool
	}
	return ""
}

// heirs finds out to which DCN the instances go of those whose site is lost, and says so.
func (l losses) heirs(dcns []DCN) []string {
	var out []string
	for _, d := range dcns {
		if !l.sites[d.DataCenter] {
			continue
		}
		partner, ok := find(dcns, func(x DCN) bool { return x.Name == d.Partner })
		switch {
		case !ok:
			l.heir[d.Name] = ""
			out = append(out, fmt.Sprintf("DCN %s has no partner: its instances run nowhere", d.Name))
		case l.sites[partner.DataCenter]:
			l.heir[d.Name] = ""
			out = append(out, fmt.Sprintf("DCN %s and its partner %s are both lost: their instances run nowhere", d.Name, partner.Name))
		default:
			l.heir[d.Name] = partner.Name
			out = append(out, fmt.Sprintf("DCN %s hands its instances to its partner %s", d.Name, partner.Name))
		}
	}
	slices.Sort(out)
	return out
}

// virtual says which instances on virtual machines are lost. They count on: who moves
// instances off a lost rack does not know whether its machines come back, and Fairway does not
// start them. Those of a DCN whose site is lost count at its heir.
func (l losses) virtual(s Snapshot) []string {
	by := map[[3]string]int64{}
	for _, m := range s.Machines {
		where := ""
		switch _, handed := l.heir[m.DCN]; {
		case handed:
		case l.sites[m.DataCenter]:
			where = "data centre " + m.DataCenter
		case l.racks[domainKey{m.DataCenter, m.Rack}]:
			where = "rack " + m.DataCenter + "/" + m.Rack
		}
		if where != "" {
			by[[3]string{m.Application, m.Component, where}]++
		}
	}
	var out []string
	for k, n := range by {
		out = append(out, fmt.Sprintf("%s of component %s of %s on virtual machines in %s: lost with it, and not replaced by containers", instances(n), k[1], k[0], k[2]))
	}
	slices.Sort(out)
	return out
}

// from is a Request without what is gone, and with the instances of lost DCNs counted
// where they go. lost says what of it runs nowhere then.
func (l losses) from(r Request, s Snapshot) (left Request, lost []Reason) {
	r.Previous, r.Components = slices.Clone(r.Previous), slices.Clone(r.Components)
	for i := range r.Components {
		c := &r.Components[i]
		if kind := c.Anchored(); kind != "" {
			lost = append(lost, l.anchored(r.Previous, c, kind)...)
			continue
		}
		hit, runs := false, slices.ContainsFunc(s.Machines, func(m Machine) bool { return m.Application == r.Application && m.Component == c.Name })
		for j := range r.Previous {
			if a := &r.Previous[j]; a.Component == c.Name && len(a.Seats) > 0 {
				runs = true
				if l.cell(a.Cell) {
					hit, a.Seats = true, nil
				}
			}
		}
		var counts []Count
		for _, count := range c.Counts {
			heir, handed := l.heir[count.DCN]
			if !handed {
				count, _ = count.Without(func(cluster string) bool { return l.clusters[cluster] })
			}
			if handed && heir == "" && count.Count > 0 {
				lost = append(lost, Reason{Component: c.Name, DCN: count.DCN, Rule: "Partner", Refusal: true, Message: instances(int64(count.Count)) + " would run nowhere: the DCN has no partner that is left"})
			}
			counts = append(counts, count)
		}
		c.Counts = counts
		if hit || !runs {
			*c = c.Inheriting(l.heir)
		}
	}
	return r, lost
}

// anchored says which instances of a component are lost that cannot leave their place.
func (l losses) anchored(previous []Assignment, c *Component, kind string) []Reason {
	by := map[string]int64{}
	for _, a := range previous {
		if where := l.took(a.Cell); where != "" && a.Component == c.Name && len(a.Seats) > 0 {
			by[where] += int64(len(a.Seats))
		}
	}
	var out []Reason
	for _, where := range slices.Sorted(maps.Keys(by)) {
		out = append(out, Reason{Component: c.Name, Rule: "Volumes", Refusal: true, Message: fmt.Sprintf("%s in %s have %s volumes, which do not move: they come back with the place, or are restored", instances(by[where]), where, kind)})
	}
	return out
}

// Inheriting is the component with the counts of lost DCNs where they go: to the heir of
// each, "" if it has none. Fewer data centres are the loss itself then, and no reason to run
// nowhere.
func (c Component) Inheriting(heirs map[string]string) Component {
	if slices.ContainsFunc(c.Counts, func(n Count) bool { _, lost := heirs[n.DCN]; return lost && n.Count > 0 }) {
		c.MinDataCenters = 0
	}
	c.Counts = Inherited(c.Counts, heirs)
	return c
}

// lose notes that something is gone.
func (l losses) lose(s Snapshot, x Loss) error {
	all := l.things(s)
	if x.Kind == "" {
		named, err := called(all, x.Name)
		if err != nil {
			return err
		}
		x = named
	}
	if _, some := lossWords[x.Kind]; !some {
		return fmt.Errorf("could not lose %s %q: what is lost is a DataCenter, Cluster, Pool, Rack or Host", x.Kind, x.Name)
	}
	if !slices.Contains(all, x) {
		return fmt.Errorf("could not lose %s %q: the fleet does not know it", x.Kind, x.Name)
	}
	before, name, _ := strings.Cut(x.Name, "/")
	switch x.Kind {
	case "DataCenter":
		l.sites[x.Name] = true
	case "Cluster":
		l.clusters[x.Name] = true
	case "Pool":
		l.pools[x.Name] = true
	case "Rack":
		l.racks[domainKey{before, name}] = true
	case "Host":
		l.hosts[[2]string{before, name}] = true
	}
	return nil
}

// lossWords are the kinds of what can be lost, as commands write them, and what several are
// called.
var lossWords = map[string][2]string{
	"DataCenter": {"datacenter", "data centres"}, "Cluster": {"cluster", "clusters"}, "Pool": {"pool", "pools"}, "Rack": {"rack", "racks"}, "Host": {"host", "hosts"},
}

// lossKinds are those kinds, the largest first.
func lossKinds() []string { return []string{"DataCenter", "Cluster", "Pool", "Rack", "Host"} }

// things are all that can be lost, by kind and name.
func (l losses) things(s Snapshot) []Loss {
	all := map[Loss]bool{}
	for _, c := range s.Clusters {
		all[Loss{"DataCenter", c.DataCenter}], all[Loss{"Cluster", c.Name}] = true, true
	}
	for _, p := range s.Pools {
		all[Loss{"Pool", p.Name}] = true
		for _, r := range p.Racks {
			all[Loss{"Rack", l.siteOf[r.Cluster] + "/" + r.Name}] = true
			for _, h := range r.Hosts {
				all[Loss{"Host", r.Cluster + "/" + h.Name}] = true
			}
		}
	}
	return slices.SortedFunc(maps.Keys(all), func(a, b Loss) int {
		return cmp.Or(cmp.Compare(slices.Index(lossKinds(), a.Kind), slices.Index(lossKinds(), b.Kind)), cmp.Compare(a.Name, b.Name))
	})
}

// called is the only thing that bears a name.
func called(all []Loss, name string) (Loss, error) {
	var found []Loss
	for _, x := range all {
		if x.Name == name || strings.HasSuffix(x.Name, "/"+name) && !strings.Contains(name, "/") {
			found = append(found, x)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return Loss{}, fmt.Errorf("could not lose %q: nothing of the fleet is called so; there are %s", name, inventory(all))
	}
	var parts []string
	for _, x := range found {
		parts = append(parts, lossWords[x.Kind][0]+"/"+x.Name)
	}
	return Loss{}, fmt.Errorf("could not lose %q: several things of the fleet are called so: name one of %s", name, strings.Join(fewOf(parts, mostCalled), ", "))
}

// mostNamed is how many things of a kind are named in an error, and mostCalled how many that
// are called alike.
const (
	mostNamed  = 5
	mostCalled = 20
)

// inventory says what there is, kind by kind.
func inventory(all []Loss) string {
	var parts []string
	for _, kind := range lossKinds() {
		var names []string
		for _, x := range all {
			if x.Kind == kind {
				names = append(names, x.Name)
			}
		}
		if len(names) > 0 {
			parts = append(parts, lossWords[kind][1]+" "+strings.Join(fewOf(names, mostNamed), ", "))
		}
	}
	if len(parts) == 0 {
		return "no clusters and no pools"
	}
	return strings.Join(parts, "; ")
}

// fewOf are the first of some names, and how many more there are.
func fewOf(names []string, most int) []string {
	if more := len(names) - most; more > 1 {
		return append(slices.Clip(names[:most]), fmt.Sprintf("and %d more", more))
	}
	return names
}
