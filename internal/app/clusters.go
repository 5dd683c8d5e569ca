// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package app

import (
	"slices"
	"strings"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
)

// checkClusters refuses what instances or split say of clusters that is not so (R49).
func checkClusters(c *checking, found func(component, format string, args ...any)) {
	for _, comp := range c.spec.Components {
		name, field := string(comp.Name), "instances"
		if comp.Split != nil {
			field = "split"
		}
		for _, n := range comp.Instances {
			if len(n.Clusters) == 0 {
				continue
			}
			var sum int64
			said := map[string]bool{}
			for _, x := range n.Clusters {
				sum += int64(x.Count)
				if said[x.Cluster] {
					found(name, "%s: cluster %q is named twice for DCN %q: name it once", field, x.Cluster, n.DCN)
				}
				said[x.Cluster] = true
				checkCluster(c, name, field, n.DCN, x.Cluster, found)
			}
			if sum != int64(n.Count) {
				found(name, "%s: the clusters of DCN %q add up to %d, and its count is %d: correct one of them, or leave clusters out", field, n.DCN, sum, n.Count)
			}
			if !runsForever(comp) && len(n.Clusters) > 1 {
				found(name, "%s: a %s runs in one cell of the fleet: name one cluster for DCN %q, with all its instances", field, comp.Kind, n.DCN)
			}
		}
	}
}

// checkCluster refuses a cluster in which a DCN cannot run.
func checkCluster(c *checking, component, field, dcnName, name string, found func(component, format string, args ...any)) {
	dcn, known := c.world.dcn(dcnName)
	if !known {
		return // said already
	}
	var could []string
	for _, m := range c.world.Members {
		if m.DataCenter == dcn.DataCenter && m.Environment == c.world.Environment {
			could = append(could, m.Name)
		}
	}
	slices.Sort(could)
	instead := "no cluster there serves the environment yet; leave clusters out"
	if len(could) > 0 {
		instead = "name one of " + strings.Join(could, ", ")
	}
	member, ok := named(c.world.Members, name, func(m Member) string { return m.Name })
	switch {
	case !ok:
		found(component, "%s: cluster %q does not exist, and DCN %q is to run in it; %s", field, name, dcnName, instead)
	case member.DataCenter != dcn.DataCenter:
		found(component, "%s: cluster %q is in data centre %q, DCN %q in %q; %s", field, name, member.DataCenter, dcnName, dcn.DataCenter, instead)
	case member.Environment != c.world.Environment:
		found(component, "%s: cluster %q serves environment %q, not %q; %s", field, name, member.Environment, c.world.Environment, instead)
	}
}

// ClusterWeights are the weights by which a component's split divides a DCN's instances over
// clusters, by name; nil: it does not, they are exact numbers.
func ClusterWeights(c appv1.Component, dcn string) map[string]int32 {
	if c.Split == nil {
		return nil
	}
	dcns, sites := slices.Clone(c.Split.DCNs), slices.Clone(c.Split.DataCenters)
	for _, r := range c.Split.Regions {
		sites = append(sites, r.DataCenters...)
	}
	for _, s := range sites {
		dcns = append(dcns, s.DCNs...)
	}
	i := slices.IndexFunc(dcns, func(d appv1.DCNShare) bool { return d.DCN == dcn })
	if i < 0 || len(dcns[i].Clusters) == 0 {
		return nil
	}
	out := map[string]int32{}
	for _, x := range dcns[i].Clusters {
		out[x.Cluster] = x.Weight
	}
	return out
}
