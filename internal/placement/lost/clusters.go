// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package lost

import (
	"fmt"
	"slices"

	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement"
)

// leave are a component's counts without clusters that are lost: the other clusters of their
// DCN take the instances, so that for a time the numbers are not those of the Application.
// notes say so; the way back has the numbers as they were.
func (d *deciding) leave(g gone, c placement.Component) (counts []placement.Count, notes []string) {
	sites := g.sites()
	lost := func(cluster string) bool {
		return slices.ContainsFunc(g.losses, func(l Loss) bool {
			return l.Kind == placementv1.LostCluster && l.Name == cluster
		})
	}
	for _, count := range c.Counts {
		i := slices.IndexFunc(d.seen.Fleet.DCNs, func(x placement.DCN) bool { return x.Name == count.DCN })
		if i >= 0 && sites[d.seen.Fleet.DCNs[i].DataCenter] {
			counts = append(counts, count)
			continue
		}
		left, gone := count.Without(lost)
		counts = append(counts, left)
		for _, x := range gone {
			notes = append(notes, fmt.Sprintf("component %s is to have %s in cluster %s: %s, until it is back", c.Name, x.Words(count.Count), x.Cluster, takers(count, left)))
		}
	}
	return counts, notes
}

// takers say who has more than before.
func takers(before, after placement.Count) string {
	if len(after.Clusters) == 0 {
		return fmt.Sprintf("any other cluster of DCN %s takes them", after.DCN)
	}
	text := ""
	for _, x := range after.Clusters {
		i := slices.IndexFunc(before.Clusters, func(y placement.ClusterCount) bool { return y.Cluster == x.Cluster })
		if x.Count > before.Clusters[i].Count {
			if text != "" {
				text += ", "
			}
			text += fmt.Sprintf("cluster %s has %d instead of %d", x.Cluster, x.Count, before.Clusters[i].Count)
		}
	}
	return text
}
