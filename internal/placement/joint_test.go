// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement_test

import (
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/fairway-cloud/fairway/internal/placement"
)

// with is the twin after n instances of a size went into its rooms.
func (w twin) with(n []int, size placement.Amount) twin {
	w.rooms, w.quota, w.machines = slices.Clone(w.rooms), maps.Clone(w.quota), map[string]int64{}
	for i := range w.rooms {
		r := &w.rooms[i]
		r.held = slices.Concat(r.held, slices.Repeat([]placement.Amount{size}, n[i]))
		w.quota[r.pool] -= int64(n[i])
	}
	return w
}

// TestJointOptimum compares applications of two components with every way to place both
// together: a component goes after the other one, and may stand in its way.
func TestJointOptimum(t *testing.T) {
	var cases, refused, wrongly int
	var ours, least int64
	often(t, 160, func(t *rapid.T) { // a share of so few cases as rapid takes at once says nothing
		s, r, w := small(t)
		s.Machines, w.machines = nil, map[string]int64{}
		second := r.Components[0]
		second.Name, second.Pools = "c1", nil
		second.Size = rapid.SampledFrom([]placement.Amount{{CPU: 500, Memory: 1 << 30, Instances: 1}, {CPU: 1000, Memory: 4 << 30, Instances: 1}}).Draw(t, "second size")
		second.Counts = []placement.Count{{DCN: "dcn", Count: int32(rapid.IntRange(1, 3).Draw(t, "second count"))}}
		first := &r.Components[0].Counts[0]
		*first = drawClusters(t, placement.Count{DCN: "dcn", Count: min(first.Count, 3)}, w.named()...)
		w.count, w.clusters = int64(first.Count), inClusters(*first, 0)
		second.Counts[0] = drawClusters(t, second.Counts[0], w.named()...)
		r.Components = append(r.Components, second)
		policy := placement.DefaultPolicy()
		policy.SpareFrom, policy.Surge = w.spare, w.surge
		d := placement.Place(s, []placement.Request{r}, policy)[0]

		best, possible := int64(0), false
		w.each(int(r.Components[0].Counts[0].Count), func(n []int) {
			first, ok := w.cost(n, r.Components[0].Size)
			if !ok {
				return
			}
			then := w.with(n, r.Components[0].Size)
			then.pools, then.count, then.clusters = second.Pools, int64(second.Counts[0].Count), inClusters(second.Counts[0], 0)
			if rest, ok := then.best(int(second.Counts[0].Count), second.Size); ok && (!possible || first+rest < best) {
				best, possible = first+rest, true
			}
		})
		cases++
		switch {
		case d.Refused && !possible:
			refused++
		case d.Refused:
			wrongly++
		case !possible:
			t.Fatalf("granted what is not possible: %v", d.Assignments)
		default:
			ours, least = ours+placement.Cost(s, r, d, policy), least+best
		}
	})
	possible := cases - refused
	t.Logf("%d cases, %d refused by both, %d refused that were possible, %.4f %% above the optimum in all", cases, refused, wrongly, 100*float64(ours-least)/float64(max(least, 1)))
	if wrongly*100 > 4*possible {
		t.Errorf("%d of %d that were possible were refused: more than 4 %%", wrongly, possible)
	}
	if float64(ours-least) > 0.01*float64(least) {
		t.Errorf("decisions cost %d, the optimum is %d: more than 1 %% above", ours, least)
	}
}
