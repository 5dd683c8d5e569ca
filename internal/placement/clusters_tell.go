// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// lacking says, cluster by cluster, what lacks for the numbers that they are to have.
func (k *look) lacking(count Count) {
	if k.again {
		k.refuse(k.component, k.dcn, "ClusterCount", "no room")
		return
	}
	limits := k.limits(count)
	for _, x := range count.Clusters {
		has := k.inCluster(k.dcn, x.Cluster)
		missing := limits[x.Cluster] - has
		if missing <= 0 {
			continue
		}
		var rooms []*room
		for i := range k.spots {
			if k.spots[i].room.cluster == x.Cluster {
				rooms = append(rooms, k.spots[i].room)
			}
		}
		if len(rooms) == 0 {
			rule, why := k.noCell(x.Cluster)
			k.refuse(k.component, k.dcn, cmp.Or(rule, "ClusterCount"), "cluster %s is to have %s, and takes none: %s", x.Cluster, x.Words(count.Count), why)
			continue
		}
		var whys []string
		if why := k.mixing(nearest(k.component, rooms, missing), k.lot, missing, k.component.OneCell); why != "" {
			whys = append(whys, why)
		}
		whys = append(whys, k.lackByPool(k.dcn, rooms, missing)...)
		k.refuse(k.component, k.dcn, "ClusterCount", "cluster %s is to have %s, and has a place for %d: %s", x.Cluster, x.Words(count.Count), limits[x.Cluster]-missing, strings.Join(whys, "; "))
	}
}

// noCell says why a cluster has no cell that takes instances of the component, by the rule that
// comes last in the order of the filters.
func (k *look) noCell(cluster string) (rule, why string) {
	if k.fleet.clusters[cluster] == nil {
		return "", fmt.Sprintf("cluster %s is not known: correct its name, or add the Cluster", cluster)
	}
	order := k.order()
	var causes []string
	told := func(by, cause string) {
		if rule == "" || order[by] > order[rule] {
			rule = by
		}
		if !slices.Contains(causes, cause) {
			causes = append(causes, cause)
		}
	}
	for _, r := range k.fleet.roomsIn(cluster) {
		told(k.shutOut(r))
	}
	if len(causes) == 0 {
		return "", "no pool lists any host there: add hosts of the cluster to a Pool"
	}
	slices.Sort(causes)
	if more := len(causes) - mostCauses; more > 0 {
		causes = append(causes[:mostCauses], fmt.Sprintf("and %d causes more", more))
	}
	return rule, strings.Join(causes, "; ")
}

// unnamed says which cells are left out because their clusters have no number.
func (k *look) unnamed() {
	count, _ := find(k.counts, func(c Count) bool { return c.DCN == k.dcn })
	limits := k.limits(count)
	if limits == nil {
		return
	}
	out := 0
	var names []string
	for _, r := range k.offered(k.component, k.dcn) {
		if limits[r.cluster] > 0 {
			continue
		}
		if out++; !slices.Contains(names, r.cluster) {
			names = append(names, r.cluster)
		}
	}
	if out > 0 {
		k.say(k.component, k.dcn, "ClusterCount", "excludes %s: no instance is for %s", cells(out), sorted(names))
	}
}

// tellClusters says how many instances each cluster has of those that the count asks for.
func (n *numbers) tellClusters(count Count, onMachines int) {
	if len(count.Clusters) == 0 {
		return
	}
	limits := n.limits(count)
	var parts []string
	for _, x := range count.Clusters {
		text := fmt.Sprintf("cluster %s %s", x.Cluster, x.Words(count.Count))
		if onMachines > 0 {
			text += fmt.Sprintf(", %d now", limits[x.Cluster])
		}
		parts = append(parts, text)
	}
	text := strings.Join(parts, "; ")
	if onMachines > 0 {
		text += fmt.Sprintf(": %d on virtual machines, which belong to no cluster", onMachines)
	}
	n.say(n.component, count.DCN, "ClusterCount", "%s", text)
}
