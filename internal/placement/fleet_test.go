// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/fairway-cloud/fairway/internal/placement"
)

// TestAFleetThatFollows compares a Fleet that has followed many changes with one that
// is opened anew: both decide the same.
func TestAFleetThatFollows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, components := drawFleet(t)
		s.Machines = nil
		followed := placement.Open(s)
		// What is told later must not reach into what was told before.
		s.Clusters, s.Pools, s.Zones, s.Levels = slices.Clone(s.Clusters), slices.Clone(s.Pools), slices.Clone(s.Zones), slices.Clone(s.Levels)
		held := map[string][]placement.Reservation{}
		for step := range rapid.IntRange(1, 8).Draw(t, "steps") {
			switch rapid.IntRange(0, 5).Draw(t, "change") {
			case 8: // a cluster is described to lie in the other data centre
				c := &s.Clusters[rapid.IntRange(0, len(s.Clusters)-1).Draw(t, "cluster")]
				c.DataCenter = map[string]string{"east": "west", "west": "east"}[c.DataCenter]
				followed.SetCluster(*c)
			case 5: // a cluster leaves the fleet, or a pool its last rack
				if len(s.Clusters) > 1 && rapid.Bool().Draw(t, "leaves") {
					followed.DropCluster(s.Clusters[0].Name)
					s.Clusters = s.Clusters[1:]
					break
				}
				p := &s.Pools[rapid.IntRange(0, len(s.Pools)-1).Draw(t, "pool")]
				if n := len(p.Racks); n > 1 {
					p.Racks = slices.Clone(p.Racks)[:n-1]
					followed.SetPool(*p)
				}
			case 6: // a pool is taken away
				if len(s.Pools) > 1 {
					followed.DropPool(s.Pools[0].Name)
					s.Pools = s.Pools[1:]
				}
			case 7: // a zone or a level is described anew, or goes
				switch rapid.IntRange(0, 3).Draw(t, "kind") {
				case 0:
					s.Zones[0].Levels = rapid.SampledFrom([][]string{{"basic"}, {"high"}, {"basic", "high"}}).Draw(t, "levels")
					followed.SetZone(s.Zones[0])
				case 1:
					s.Levels[0].NeedsGuard = !s.Levels[0].NeedsGuard
					followed.SetLevel(s.Levels[0])
				case 2:
					if len(s.Zones) > 1 {
						followed.DropZone(s.Zones[1].Name)
						s.Zones = s.Zones[:1]
					}
				case 3:
					if len(s.Levels) > 1 {
						followed.DropLevel(s.Levels[1].Name)
						s.Levels = s.Levels[:1]
					}
				}
			case 0: // hosts of a rack come and go
				p := &s.Pools[rapid.IntRange(0, len(s.Pools)-1).Draw(t, "pool")]
				r := &p.Racks[rapid.IntRange(0, len(p.Racks)-1).Draw(t, "rack")]
				if len(r.Hosts) > 0 && rapid.Bool().Draw(t, "lost") {
					r.Hosts = slices.Clone(r.Hosts)[1:]
				} else {
					r.Hosts = append(slices.Clone(r.Hosts), placement.Host{Name: fmt.Sprintf("new-%d", step), Room: placement.Amount{CPU: 2000, Memory: 4 << 30, Instances: 10}, Arch: "amd64"})
				}
				followed.SetRack(p.Name, *r)
			case 1: // a pool changes hands
				p := &s.Pools[rapid.IntRange(0, len(s.Pools)-1).Draw(t, "pool")]
				p.Tenants = []string{rapid.SampledFrom([]string{"retail", "cards"}).Draw(t, "tenant")}
				followed.SetPool(*p)
			case 2: // a cluster goes away or comes back
				c := &s.Clusters[rapid.IntRange(0, len(s.Clusters)-1).Draw(t, "cluster")]
				c.Away = rapid.SampledFrom([]string{"", "it does not answer"}).Draw(t, "away")
				followed.SetCluster(*c)
			case 3: // an application gives its room back
				for _, name := range []string{"retail-prod/a", "retail-prod/b"} {
					if rapid.Bool().Draw(t, "retires") {
						delete(held, name)
						followed.Hold(name, nil)
					}
				}
			case 4: // more or less is known of a component
				p := placement.Profile{
					Application: rapid.SampledFrom([]string{"retail-prod/a", "retail-prod/b"}).Draw(t, "of"),
					Component:   components[rapid.IntRange(0, len(components)-1).Draw(t, "component")].Name,
					Tags:        rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"cpu-bound", "io-heavy", "latency-sensitive"}), 0, 2, rapid.ID).Draw(t, "tags"),
				}
				s.Profiles = slices.DeleteFunc(slices.Clone(s.Profiles), func(o placement.Profile) bool { return o.Application == p.Application && o.Component == p.Component })
				s.Profiles = append(s.Profiles, p)
				followed.SetProfile(p)
			}
			name := rapid.SampledFrom([]string{"retail-prod/a", "retail-prod/b"}).Draw(t, "application")
			r := placement.Request{Application: name, Tenant: "retail", Environment: "prod", Components: changeComponents(t, components)}
			neighbours(t, r.Components)
			for _, p := range s.Pools {
				r.Quotas = append(r.Quotas, drawQuota(t, p.Name))
			}
			for _, h := range held[name] {
				r.Previous = append(r.Previous, h.Assignment)
			}
			s.Reserved = slices.Concat(held["retail-prod/a"], held["retail-prod/b"])
			anew := placement.Place(s, []placement.Request{r}, placement.DefaultPolicy())[0]
			d := followed.Place([]placement.Request{r}, placement.DefaultPolicy())[0]
			if diff := cmp.Diff(anew, d); diff != "" {
				t.Fatalf("step %d: a fleet that followed decides otherwise (-anew +followed):\n%s", step, diff)
			}
			if !d.Refused {
				held[name] = nil
				for _, a := range d.Assignments {
					held[name] = append(held[name], placement.Reservation{Application: name, Tenant: "retail", Environment: "prod", Assignment: a})
				}
				followed.Hold(name, held[name])
			}
		}
	})
}

// neighbours has components keep apart from each other and from those of two applications.
func neighbours(t *rapid.T, components []placement.Component) {
	for i := range components {
		components[i].KeepsFrom = nil
		for range rapid.SampledFrom([]int{0, 0, 1, 2}).Draw(t, "rules") {
			components[i].KeepsFrom = append(components[i].KeepsFrom, placement.KeepsFrom{
				Application: rapid.SampledFrom([]string{"retail-prod/a", "retail-prod/b"}).Draw(t, "neighbour of"), Component: rapid.SampledFrom([]string{"c0", "c1", "c2"}).Draw(t, "neighbour"),
				Scope: rapid.SampledFrom([]placement.Scope{placement.ScopeZone, placement.ScopeRack, placement.ScopeHost}).Draw(t, "scope"),
			})
		}
	}
}

// TestTogether decides several requests at once: each sees what those before it took,
// the higher priority goes first, and the order in which they are given changes nothing.
func TestTogether(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, components := drawFleet(t)
		s.Machines = nil
		var requests []placement.Request
		for i := range rapid.IntRange(2, 4).Draw(t, "requests") {
			r := placement.Request{
				Application: fmt.Sprintf("retail-prod/app-%d", i), Tenant: "retail", Environment: "prod",
				Components: changeComponents(t, components), Priority: int32(rapid.IntRange(0, 1).Draw(t, "priority")),
			}
			for _, p := range s.Pools {
				r.Quotas = append(r.Quotas, drawQuota(t, p.Name))
			}
			requests = append(requests, r)
		}
		together := placement.Place(s, requests, placement.DefaultPolicy())

		order := []int{}
		for i := range requests {
			order = append(order, i)
		}
		slices.SortStableFunc(order, func(a, b int) int { return int(requests[b].Priority - requests[a].Priority) })
		for _, i := range order {
			one := placement.Place(s, requests[i:i+1], placement.DefaultPolicy())[0]
			if diff := cmp.Diff(one, together[i]); diff != "" {
				t.Fatalf("decided one after another, %s comes out otherwise (-alone +together):\n%s", requests[i].Application, diff)
			}
			for _, a := range one.Assignments {
				s.Reserved = append(s.Reserved, placement.Reservation{Application: requests[i].Application, Tenant: "retail", Environment: "prod", Assignment: a})
			}
		}
	})
}

// TestNonsense gives hosts that report what cannot be: they take nothing, and the
// others go on.
func TestNonsense(t *testing.T) {
	for name, odd := range map[string]placement.Amount{
		"negative": {CPU: -1, Memory: 4 << 30, Instances: 10}, "huge": {CPU: 1 << 60, Memory: 1 << 62, Instances: 1 << 60},
	} {
		s := bigFleet()
		s.Pools[0].Racks = s.Pools[0].Racks[:1]
		s.Pools[0].Racks[0].Hosts = []placement.Host{{Name: "odd", Room: odd}, {Name: "sane", Room: placement.Amount{CPU: 4000, Memory: 8 << 30, Instances: 10}}}
		r := hundred()[0]
		r.Components = r.Components[:1]
		r.Components[0].Counts = []placement.Count{{DCN: "dcn-east", Count: 3}}
		d := placement.Place(s, []placement.Request{r}, placement.DefaultPolicy())[0]
		if d.Refused || len(d.Assignments) != 1 || !slices.Equal(d.Assignments[0].Hosts, []string{"sane"}) {
			t.Errorf("%s: %+v", name, d)
		}
		r.Components[0].Counts[0].Count = 30
		if d := placement.Place(s, []placement.Request{r}, placement.DefaultPolicy())[0]; !d.Refused {
			t.Errorf("%s: thirty instances found room: %+v", name, d.Assignments)
		}
	}
}

// TestTagsOfARevision: tags that only a Revision names are counted while it is placed,
// and not left behind in a fleet that goes on.
func TestTagsOfARevision(t *testing.T) {
	s, requests := bigFleet(), hundred()[:2]
	for i := range requests {
		c := requests[i].Components[0]
		c.Tags, c.Counts = []string{"io-heavy"}, []placement.Count{{DCN: "dcn-east", Count: 2}}
		requests[i].Components = []placement.Component{c}
	}
	r, other := requests[0], requests[1]
	f := placement.Open(s)
	f.Place([]placement.Request{r}, placement.DefaultPolicy())
	f.Hold(r.Application, nil)
	got := f.Place([]placement.Request{other}, placement.DefaultPolicy())
	want := placement.Place(s, []placement.Request{other}, placement.DefaultPolicy())
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the fleet remembers tags of what is gone (-anew +followed):\n%s", diff)
	}
}
