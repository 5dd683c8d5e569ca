// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement_test

import (
	"cmp"
	"math/big"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/fairway-cloud/fairway/internal/placement"
)

// drawClusters divides a count at random over clusters, or does not.
func drawClusters(t *rapid.T, count placement.Count, clusters ...string) placement.Count {
	if !rapid.Bool().Draw(t, "over clusters") {
		return count
	}
	left := count.Count
	for i, name := range clusters {
		n := left
		if i < len(clusters)-1 {
			n = int32(rapid.IntRange(0, int(left)).Draw(t, "in "+name))
		}
		left -= n
		count.Clusters = append(count.Clusters, placement.ClusterCount{Cluster: name, Count: n})
	}
	return count
}

// inClusters is how many containers each cluster has of a DCN, worked out in another way than
// Place does it: of all instances that clusters are to have, those that come first if the k-th
// of a cluster with n comes at (2k-1)/n. nil: clusters do not matter.
func inClusters(count placement.Count, machines int) map[string]int {
	if len(count.Clusters) == 0 {
		return nil
	}
	type turn struct {
		cluster string
		at      *big.Rat
	}
	var turns []turn
	out := map[string]int{}
	for _, c := range count.Clusters {
		out[c.Cluster] = 0
		for k := int64(1); k <= int64(c.Count); k++ {
			turns = append(turns, turn{c.Cluster, big.NewRat(2*k-1, int64(c.Count))})
		}
	}
	slices.SortFunc(turns, func(a, b turn) int { return cmp.Or(a.at.Cmp(b.at), cmp.Compare(a.cluster, b.cluster)) })
	for _, x := range turns[:max(len(turns)-machines, 0)] {
		out[x.cluster]++
	}
	return out
}

// clustersOf wants each cluster to have exactly the number that it is to have.
func clustersOf(t *rapid.T, s placement.Snapshot, c placement.Component, count placement.Count, d placement.Decision) {
	machines := 0
	for _, m := range s.Machines {
		if m.Component == c.Name && m.DCN == count.DCN {
			machines++
		}
	}
	want := inClusters(count, machines)
	if want == nil {
		return
	}
	got := map[string]int{}
	for _, a := range d.Assignments {
		if a.Component == c.Name && a.Cell.DCN == count.DCN {
			got[a.Cell.Cluster] += len(a.Seats)
		}
	}
	for cluster, n := range got {
		if n != want[cluster] {
			t.Fatalf("%s has %d instances of %s in cluster %s, %d on machines, asked for are %v", c.Name, n, count.DCN, cluster, machines, count)
		}
	}
	for cluster, n := range want {
		if n != got[cluster] {
			t.Fatalf("%s has %d instances of %s in cluster %s, %d on machines, asked for are %v", c.Name, got[cluster], count.DCN, cluster, machines, count)
		}
	}
}

// hadToGo is how many of the seats that a component had its new counts take away.
func hadToGo(s placement.Snapshot, r placement.Request, c placement.Component, count placement.Count) int {
	had, machines := map[string]int{}, 0
	for _, p := range r.Previous {
		if p.Component == c.Name && p.Cell.DCN == count.DCN && p.Template == c.Template {
			had[p.Cell.Cluster] += len(p.Seats)
		}
	}
	for _, m := range s.Machines {
		if m.Component == c.Name && m.DCN == count.DCN {
			machines++
		}
	}
	want, sum, leave := inClusters(count, machines), 0, 0
	for cluster, n := range had {
		sum += n
		leave += max(n-want[cluster], 0)
	}
	if want == nil {
		return max(sum+machines-int(count.Count), 0)
	}
	return leave
}

// Whatever the weights, the parts add up, each is within one of its exact share, and the order
// in which they are named does not matter.
func TestDivide(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		total, sum := int64(rapid.IntRange(0, 5000).Draw(t, "total")), int64(0)
		var parts []placement.Weighted
		for _, name := range []string{"a", "b", "c", "d", "e"}[:rapid.IntRange(1, 5).Draw(t, "parts")] {
			parts = append(parts, placement.Weighted{Name: name, Weight: int64(rapid.IntRange(0, 10000).Draw(t, "weight"))})
			sum += parts[len(parts)-1].Weight
		}
		got := placement.Divide(total, parts)
		turned := slices.Clone(parts)
		slices.Reverse(turned)
		again := placement.Divide(total, turned)
		slices.Reverse(again)
		if !slices.Equal(got, again) {
			t.Fatalf("the order matters: %v and %v", got, again)
		}
		var all int64
		for i, n := range got {
			all += n
			if exact := total * parts[i].Weight; sum > 0 && (n*sum <= exact-sum || n*sum >= exact+sum) {
				t.Fatalf("%v of %d gets %d", parts[i], total, n)
			}
		}
		if sum > 0 && all != total || sum == 0 && all != 0 {
			t.Fatalf("%v add up to %d, not to %d", got, all, total)
		}
	})
}

// A cluster that is lost leaves its instances to the others, who keep their own; its return
// gives the numbers as they were, since they are not changed.
func TestWithout(t *testing.T) {
	count := placement.Count{DCN: "d", Count: 30, Clusters: []placement.ClusterCount{
		{Cluster: "a", Count: 12, Weight: 2, Of: 5}, {Cluster: "b", Count: 6, Weight: 1, Of: 5}, {Cluster: "c", Count: 12, Weight: 2, Of: 5},
	}}
	for name, c := range map[string]struct {
		reason string
		gone   []string
		want   map[string]int32
	}{
		"none":    {"nothing is lost", nil, map[string]int32{"a": 12, "b": 6, "c": 12}},
		"one":     {"12 by 2:1 is 8 and 4", []string{"a"}, map[string]int32{"b": 10, "c": 20}},
		"two":     {"one is left and takes all", []string{"a", "c"}, map[string]int32{"b": 30}},
		"all":     {"any cluster takes all", []string{"a", "b", "c"}, map[string]int32{}},
		"another": {"who is not named has nothing", []string{"x"}, map[string]int32{"a": 12, "b": 6, "c": 12}},
	} {
		t.Run(name, func(t *testing.T) {
			left, lost := count.Without(func(cluster string) bool { return slices.Contains(c.gone, cluster) })
			var sum int32
			for _, x := range left.Clusters {
				sum += x.Count
				if x.Count != c.want[x.Cluster] {
					t.Errorf("%s: cluster %s has %d, want %d", c.reason, x.Cluster, x.Count, c.want[x.Cluster])
				}
			}
			if len(left.Clusters) != len(c.want) || left.Count != 30 || len(left.Clusters) > 0 && sum != 30 {
				t.Errorf("%s: %+v", c.reason, left)
			}
			if named := len(count.Clusters) - len(left.Clusters); len(lost) != named {
				t.Errorf("%s: %d are told of as lost, %d are", c.reason, len(lost), named)
			}
			if count.Clusters[0].Count != 12 || count.Clusters[1].Count != 6 {
				t.Fatalf("the count itself changed: %+v", count)
			}
		})
	}
}

// While machines are shut down one after another no cluster ever gives an instance up.
func TestClustersOnlyGrowWhileMachinesGo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		count := placement.Count{DCN: "d"}
		for _, name := range []string{"a", "b", "c", "d"} {
			n := int32(rapid.IntRange(0, 9).Draw(t, name))
			count.Clusters = append(count.Clusters, placement.ClusterCount{Cluster: name, Count: n})
			count.Count += n
		}
		before := inClusters(count, int(count.Count))
		for machines := int(count.Count) - 1; machines >= 0; machines-- {
			now := inClusters(count, machines)
			for name, n := range before {
				if now[name] < n {
					t.Fatalf("with %d on machines cluster %s has %d, and had %d", machines, name, now[name], n)
				}
			}
			before = now
		}
		for _, c := range count.Clusters {
			if before[c.Cluster] != int(c.Count) {
				t.Fatalf("cluster %s has %d in the end, not %d", c.Cluster, before[c.Cluster], c.Count)
			}
		}
	})
}
