// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement

import (
	"cmp"
	"fmt"
	"slices"
)

// ClusterCount is an exact number of a DCN's instances in one cluster (R49).
type ClusterCount struct {
	Cluster string
	Count   int32
	// Weight of the cluster, of all Of, if the number comes of a split. Of is 0: it does not.
	Weight, Of int32
}

// Words say what the number comes of: "12 of 30 by weight 2 of 5".
func (c ClusterCount) Words(of int32) string {
	if c.Of == 0 {
		return fmt.Sprintf("%d of %d", c.Count, of)
	}
	return fmt.Sprintf("%d of %d by weight %d of %d", c.Count, of, c.Weight, c.Of)
}

// Weighted is a part of a total.
type Weighted struct {
	Name   string
	Weight int64
}

// Divide gives a total to parts by weight: each gets its share rounded down, and what is left
// over goes one by one to the largest fractions, of two alike to the first by name. With
// weights that are all 0 nobody gets anything.
func Divide(total int64, parts []Weighted) []int64 {
	out := make([]int64, len(parts))
	var sum int64
	for _, p := range parts {
		sum += p.Weight
	}
	if sum == 0 {
		return out
	}
	rest, order := total, make([]int, len(parts))
	for i, p := range parts {
		out[i] = total * p.Weight / sum
		rest -= out[i]
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(total*parts[b].Weight%sum, total*parts[a].Weight%sum), cmp.Compare(parts[a].Name, parts[b].Name))
	})
	for _, i := range order[:rest] {
		out[i]++
	}
	return out
}

// Scaled is the count with another number of instances, divided over its clusters as the
// count is.
func (c Count) Scaled(count int32) Count {
	c.Clusters = slices.Clone(c.Clusters)
	parts := make([]Weighted, len(c.Clusters))
	for i, x := range c.Clusters {
		parts[i] = Weighted{x.Cluster, int64(x.Count)}
	}
	for i, n := range Divide(int64(count), parts) {
		c.Clusters[i].Count = int32(n) //nolint:gosec // no more than the count
	}
	if c.Count == 0 && count > 0 {
		c.Clusters = nil
	}
	c.Count = count
	return c
}

// Plus is the count with more instances, which its clusters divide by weight.
func (c Count) Plus(more int32) Count {
	c.Count += more
	return c.share(more)
}

// Without is the count without clusters that are lost: the others take their instances by
// weight, beside their own. lost are those that had some; if none of the others is named, any
// cluster takes all of them.
func (c Count) Without(gone func(cluster string) bool) (left Count, lost []ClusterCount) {
	left = Count{DCN: c.DCN, Count: c.Count}
	var moves int32
	for _, x := range c.Clusters {
		if !gone(x.Cluster) {
			left.Clusters = append(left.Clusters, x)
			continue
		}
		if x.Count > 0 {
			lost = append(lost, x)
		}
		moves += x.Count
	}
	return left.share(moves), lost
}

// share gives so many instances more to the clusters, by weight: by number where they have
// none, and all alike where that is 0, too.
func (c Count) share(more int32) Count {
	c.Clusters = slices.Clone(c.Clusters)
	for _, weight := range []func(ClusterCount) int32{
		func(x ClusterCount) int32 { return x.Weight }, func(x ClusterCount) int32 { return x.Count }, func(ClusterCount) int32 { return 1 },
	} {
		var sum int64
		parts := make([]Weighted, len(c.Clusters))
		for i, x := range c.Clusters {
			parts[i] = Weighted{x.Cluster, int64(weight(x))}
			sum += parts[i].Weight
		}
		if sum == 0 {
			continue
		}
		for i, n := range Divide(int64(more), parts) {
			c.Clusters[i].Count += int32(n) //nolint:gosec // no more than the count
		}
		break
	}
	return c
}

// in says how many instances a cluster is to have.
func (c Count) in(cluster string) string {
	if x, ok := find(c.Clusters, func(x ClusterCount) bool { return x.Cluster == cluster }); ok {
		return x.Words(c.Count)
	}
	return fmt.Sprintf("none of %d", c.Count)
}
