// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"
	"pgregory.net/rapid"

	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement"
)

// with is the twin after n instances of a size went into its rooms.
func (w twin) with(n []int, size placement.Amount) twin {
	w.rooms, w.quota, w.machines, w.beside = slices.Clone(w.rooms), maps.Clone(w.quota), map[string]int64{}, maps.Clone(w.beside)
	w.known = map[fitting]bool{} // others are there now
	if w.beside == nil {
		w.beside = map[string][][]string{}
	}
	for i := range w.rooms {
		r := &w.rooms[i]
		r.held = slices.Concat(r.held, slices.Repeat([]placement.Amount{size}, n[i]))
		w.quota[r.pool] -= int64(n[i])
		w.beside[r.rack] = slices.Concat(w.beside[r.rack], slices.Repeat([][]string{w.tags}, n[i]))
	}
	return w
}

// member is one of two components that are placed together.
type member struct {
	placement.Component
	tags []string
	near map[string]bool // racks of other applications that it calls
}

// as is the twin for a component. What it calls of its own application is in racks, too.
func (w twin) as(m member, racks map[string]bool) twin {
	c := m.Counts[0]
	w.pools, w.count, w.clusters, w.steps = m.Pools, int64(c.Count), inClusters(c, 0), m.Spread
	w.minRacks, w.minZones, w.tags, w.near = int64(m.MinRacks), int64(m.MinZones), m.tags, maps.Clone(m.near)
	if w.near == nil {
		w.near = map[string]bool{}
	}
	maps.Copy(w.near, racks)
	return w
}

// together tries every way to place two components, the first of which counts first.
func (w twin) together(first, second member) (best int64, possible bool) {
	w = w.as(first, nil)
	w.each(int(w.count), func(n []int) {
		cost, ok := w.cost(n, first.Size)
		if !ok {
			return
		}
		racks := map[string]bool{}
		for i, r := range w.rooms {
			if n[i] > 0 && slices.Contains(second.Calls, first.Name) {
				racks[r.rack] = true
			}
		}
		then := w.with(n, first.Size).as(second, racks)
		if rest, ok := then.best(int(then.count), second.Size); ok && (!possible || cost+rest < best) {
			best, possible = cost+rest, true
		}
	})
	return best, possible
}

// TestJointOptimum compares applications of two components with every way to place both
// together: a component goes after the other one, and may stand in its way. Either may have
// tags, and call the other one.
func TestJointOptimum(t *testing.T) {
	var cases, refused, wrongly, dearer int
	var ours, least int64
	kinds := seen{}
	often(t, 160, func(t *rapid.T) { // a share of so few cases as rapid takes at once says nothing
		s, r, w := small(t)
		s.Machines, w.machines = nil, map[string]int64{}
		second := r.Components[0]
		second.Name, second.Pools = "c1", nil
		second.Size = rapid.SampledFrom([]placement.Amount{{CPU: 500, Memory: 1 << 30, Instances: 1}, {CPU: 1000, Memory: 4 << 30, Instances: 1}}).Draw(t, "second size")
		second.Counts = []placement.Count{{DCN: "dcn", Count: int32(rapid.IntRange(1, 3).Draw(t, "second count"))}}
		first := &r.Components[0].Counts[0]
		*first = drawClusters(t, placement.Count{DCN: "dcn", Count: min(first.Count, 3)}, w.named()...)
		second.Counts[0] = drawClusters(t, second.Counts[0], w.named()...)
		if rapid.Bool().Draw(t, "tagged") {
			w.apart = placement.DefaultPolicy().Apart
			drawWays(t, &s, &r, &w)
			second.Tags = drawTags(t, "the second")
		}
		r.Components = append(r.Components, second)
		m := []member{{Component: r.Components[0], tags: w.tags, near: w.near}, {Component: second, tags: second.Tags}}
		if caller := rapid.IntRange(0, 3).Draw(t, "caller"); caller < 2 {
			r.Components[caller].Calls = []string{r.Components[1-caller].Name}
			m[caller].Calls = r.Components[caller].Calls
		}
		if len(m[0].Calls) > 0 {
			slices.Reverse(m)
		}
		policy := placement.DefaultPolicy()
		policy.SpareFrom, policy.Surge = w.spare, w.surge
		d := placement.Place(s, []placement.Request{r}, policy)[0]

		best, possible := w.together(m[0], m[1])
		cases++
		switch {
		case d.Refused && !possible:
			refused++
		case d.Refused:
			wrongly++
		case !possible:
			t.Fatalf("granted what is not possible: %v", d.Assignments)
		default:
			cost := placement.Cost(s, r, d, policy)
			if cost < best {
				t.Fatalf("%v cost %d, and the cheapest of all %d", d.Assignments, cost, best)
			}
			ours, least = ours+cost, least+best
			if cost > best {
				dearer++
			}
			calls := slices.ContainsFunc(m, func(m member) bool { return len(m.Calls) > 0 })
			kinds.note("one calls the other", calls)
			kinds.note("neither calls the other", !calls)
			kinds.note("both have tags", len(m[0].tags) > 0 && len(m[1].tags) > 0)
			kinds.note("in each other's way", slices.ContainsFunc(d.Reasons, func(x placement.Reason) bool { return x.Rule == "Turn" }))
		}
	})
	possible := cases - refused
	t.Logf("%d cases, %d refused by both, %d refused that were possible, %d dearer than the optimum, %.4f %% above it in all: %v", cases, refused, wrongly, dearer, 100*float64(ours-least)/float64(max(least, 1)), kinds)
	kinds.all(t)
	if wrongly*200 > possible {
		t.Errorf("%d of %d that were possible were refused: more than 0.5 %%", wrongly, possible)
	}
	if float64(ours-least) > 0.005*float64(least) {
		t.Errorf("decisions cost %d, the optimum is %d: more than 0.5 %% above", ours, least)
	}
}

// BenchmarkTogether decides about an application whose components all prefer a pool with a quota
// for 40 of their instances, but for the first, which would take some of it: each stands in
// another one's way. The fleet has 5,000 hosts in two sites, each host in two pools.
func BenchmarkTogether(b *testing.B) {
	for _, components := range []int{2, 4, 10} {
		b.Run(fmt.Sprint(components, " components"), func(b *testing.B) {
			s := bigFleet()
			scarce := s.Pools[0]
			scarce.Name = "a"
			s.Pools = append(s.Pools, scarce)
			r := placement.Request{Application: "retail-prod/pay", Tenant: "retail", Environment: "prod"}
			for pool, instances := range map[string]int64{"a": 40, "shared": 100_000} {
				r.Quotas = append(r.Quotas, tenancyv1.Quota{Environment: "prod", Pool: pool, Instances: instances, CPU: resource.MustParse("1M"), Memory: resource.MustParse("1Pi")})
			}
			for i := range components {
				c := placement.Component{
					Name: fmt.Sprintf("c%02d", i), Template: "t", Zone: "business", Level: "basic", Pools: []string{"a"},
					Size: placement.Amount{CPU: int64(250 * (i + 1)), Memory: 1 << 30, Instances: 1}, Counts: []placement.Count{{DCN: "dcn-east", Count: 25}},
				}
				if i == 0 {
					c.Pools = nil
				}
				r.Components = append(r.Components, c)
			}
			f := placement.Open(s)
			for b.Loop() {
				placeAll(b, f, []placement.Request{r})
				f.Hold(r.Application, nil)
			}
		})
	}
}
