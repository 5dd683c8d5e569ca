// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement

import (
	"fmt"
	"maps"
	"slices"
)

// Away names the places that the counts of a Request ask for and that do not answer, in
// words: clusters that have a number of their own, and data centres of which no cluster
// answers. without is the Request as if it did not ask for them: other clusters of the DCN
// take their instances, and partners those of a DCN. What keeps an identity, runs once only
// or has volumes that do not move is left out only where the application has none of it in
// the place any more: moving it is for a person.
func (f *Fleet) Away(r Request) (names []string, without Request) {
	without = r
	without.Components = slices.Clone(r.Components)
	named := func(what string) {
		if !slices.Contains(names, what) {
			names = append(names, what)
		}
	}
	for i := range without.Components {
		c := &without.Components[i]
		heirs, counts := map[string]string{}, make([]Count, 0, len(c.Counts))
		for _, count := range c.Counts {
			site := f.silentSite(count.DCN, r.Environment)
			if site != "" && count.Count > 0 {
				named(fmt.Sprintf("data centre %s of DCN %s", site, count.DCN))
			}
			if site != "" && r.leaves(c, func(x Cell) bool { return x.DCN == count.DCN }) {
				heirs[count.DCN] = ""
				if partner := f.dcns[count.DCN].Partner; f.dcns[partner] != nil && f.silentSite(partner, r.Environment) == "" {
					heirs[count.DCN] = partner
				}
			}
			left, gone := count.Without(func(cluster string) bool {
				known := f.clusters[cluster]
				return site == "" && known != nil && known.Away != "" && r.leaves(c, func(x Cell) bool { return x.Cluster == cluster })
			})
			for _, x := range count.Clusters {
				if known := f.clusters[x.Cluster]; site == "" && x.Count > 0 && known != nil && known.Away != "" {
					named("cluster " + x.Cluster)
				}
			}
			if len(gone) == 0 {
				left = count
			}
			counts = append(counts, left)
		}
		c.Counts = Inherited(counts, heirs)
	}
	return names, without
}

// leaves reports whether instances of a component may be left out of a place: any that may
// stand elsewhere, and others once none is there.
func (r *Request) leaves(c *Component, in func(Cell) bool) bool {
	if c.movable() {
		return true
	}
	return !slices.ContainsFunc(r.Previous, func(a Assignment) bool { return a.Component == c.Name && len(a.Seats) > 0 && in(a.Cell) })
}

// silentSite is the data centre of a DCN, if it has clusters of the environment and none of
// them answers; empty otherwise.
func (f *Fleet) silentSite(dcn, environment string) string {
	d := f.dcns[dcn]
	if d == nil {
		return ""
	}
	some := false
	for _, name := range slices.Sorted(maps.Keys(f.clusters)) {
		if c := f.clusters[name]; c.DataCenter == d.DataCenter && c.Environment == environment {
			if c.Away == "" {
				return ""
			}
			some = true
		}
	}
	if !some {
		return ""
	}
	return d.DataCenter
}
