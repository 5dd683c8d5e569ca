// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package lost

import (
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

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

// leftOut adds to what is hit the clusters that are to have instances of a component that
// moves, and have none since a loss before this one: the numbers are those of the Application
// again once they are back, too.
func (d *deciding) leftOut(h *hit, g gone) {
	for _, l := range g.losses {
		named := slices.ContainsFunc(h.moves, func(c placement.Component) bool {
			return slices.ContainsFunc(c.Counts, func(n placement.Count) bool {
				return slices.ContainsFunc(n.Clusters, func(x placement.ClusterCount) bool { return x.Cluster == l.Name && x.Count > 0 })
			})
		})
		there := slices.ContainsFunc(h.places, func(p placementv1.LostPlace) bool { return p.Kind == l.Kind && p.Name == l.Name })
		if l.Kind == placementv1.LostCluster && named && !there {
			h.places = append(h.places, placementv1.LostPlace{Kind: l.Kind, Name: l.Name, Since: metav1.NewTime(l.Since.UTC().Truncate(time.Second))})
		}
	}
}

// mostTakers and mostLeft are how many clusters a check names and how many such checks there
// are: a Placement has room for 64 of 512 letters.
const (
	mostTakers = 2
	mostLeft   = 16
)

// takers say who has more than before.
func takers(before, after placement.Count) string {
	if len(after.Clusters) == 0 {
		return fmt.Sprintf("any other cluster of DCN %s takes them", after.DCN)
	}
	var parts []string
	for _, x := range after.Clusters {
		i := slices.IndexFunc(before.Clusters, func(y placement.ClusterCount) bool { return y.Cluster == x.Cluster })
		if x.Count > before.Clusters[i].Count {
			parts = append(parts, fmt.Sprintf("cluster %s has %d instead of %d", x.Cluster, x.Count, before.Clusters[i].Count))
		}
	}
	return strings.Join(few(parts, mostTakers, "clusters"), ", ")
}

// few are the first of some lines, and how many more there are.
func few(lines []string, most int, what string) []string {
	if more := len(lines) - most; more > 0 {
		return append(slices.Clip(lines[:most]), fmt.Sprintf("and %d %s more", more, what))
	}
	return lines
}
