// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement_test

import (
	"fmt"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"
	"pgregory.net/rapid"

	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement"
)

// small draws a site with up to six rooms and what is held in them already.
func small(t *rapid.T) (placement.Snapshot, placement.Request, twin) {
	s := placement.Snapshot{
		DataCenters: []placement.DataCenter{{Name: "east", Racks: map[string]string{}}},
		DCNs:        []placement.DCN{{Name: "dcn", DataCenter: "east", Environment: "prod"}},
		Zones:       []placement.Zone{{Name: "business", Levels: []string{"basic"}}},
		Levels:      []placement.Level{{Name: "basic"}},
		Clusters:    []placement.Cluster{{Name: "c0", DataCenter: "east", Environment: "prod"}, {Name: "c1", DataCenter: "east", Environment: "prod"}},
	}
	w := twin{quota: map[string]int64{}, machines: map[string]int64{}, zones: map[string]string{}, spare: rapid.SampledFrom([]int{0, 0, 2}).Draw(t, "spare"), surge: rapid.SampledFrom([]int32{0, 0, 20, 50}).Draw(t, "surge"), weights: builtIn(), known: map[fitting]bool{}}
	r := placement.Request{Application: "retail-prod/pay", Tenant: "retail", Environment: "prod"}
	racks := rapid.IntRange(1, 3).Draw(t, "racks")
	for i := range racks {
		name, zone := fmt.Sprintf("rack-%d", i), rapid.SampledFrom([]string{"az-0", "az-1", ""}).Draw(t, "zone")
		s.DataCenters[0].Racks[name], w.zones[name] = zone, zone
		if zone == "" {
			w.zones[name] = "alone " + name
		}
	}
	sizes := []placement.Amount{{CPU: 500, Memory: 1 << 30, Instances: 1}, {CPU: 1000, Memory: 1 << 30, Instances: 1}, {CPU: 1000, Memory: 4 << 30, Instances: 1}}
	for i := range rapid.IntRange(1, 2).Draw(t, "pools") {
		p := placement.Pool{Name: fmt.Sprintf("pool-%d", i), Tenants: []string{"retail"}, Level: "basic", Zones: []string{"business"}, Kind: placement.RealHosts, Pack: rapid.IntRange(0, 3).Draw(t, "pack") == 0}
		for j := range racks {
			cluster := fmt.Sprintf("c%d", rapid.SampledFrom([]int{j % 2, j % 2, (i + j) % 2}).Draw(t, "cluster"))
			rack := placement.Rack{Cluster: cluster, Name: fmt.Sprintf("rack-%d", j)}
			for k := range rapid.IntRange(0, 3).Draw(t, "hosts") {
				cores := int64(rapid.IntRange(1, 4).Draw(t, "cores"))
				rack.Hosts = append(rack.Hosts, placement.Host{Name: fmt.Sprintf("h-%d-%d-%d", i, j, k), Room: placement.Amount{CPU: cores * 1000, Memory: cores << 31, Instances: 8}})
			}
			p.Racks = append(p.Racks, rack)
			if len(rack.Hosts) == 0 {
				continue
			}
			room := twinRoom{cluster: cluster, pool: p.Name, rack: rack.Name, hosts: rack.Hosts, pack: p.Pack, zone: w.zones[rack.Name]}
			if n := rapid.IntRange(0, 2).Draw(t, "held"); n > 0 {
				size := rapid.SampledFrom(sizes).Draw(t, "size of held")
				a := placement.Assignment{Component: "x", Template: "t", Size: size, Seats: []int32{0, 1}[:n], Cell: placement.Cell{Cluster: cluster, Pool: p.Name, Zone: "business", Rack: rack.Name, DCN: "dcn"}}
				s.Reserved = append(s.Reserved, placement.Reservation{Application: fmt.Sprintf("cards-prod/%d-%d", i, j), Tenant: "cards", Environment: "prod", Assignment: a})
				if slices.ContainsFunc(rack.Hosts, func(h placement.Host) bool { return size.Within(h.Room) }) {
					room.held = slices.Repeat([]placement.Amount{size}, n) // else it has no host, wherever others lie
				}
			}
			w.rooms = append(w.rooms, room)
		}
		s.Pools = append(s.Pools, p)
		w.quota[p.Name] = int64(rapid.SampledFrom([]int{100, 100, 100, 2}).Draw(t, "quota"))
		r.Quotas = append(r.Quotas, tenancyv1.Quota{Environment: "prod", Pool: p.Name, Instances: w.quota[p.Name], CPU: resource.MustParse("1000"), Memory: resource.MustParse("1Ti")})
	}
	for i := range rapid.SampledFrom([]int{0, 0, 0, 1, 2}).Draw(t, "machines") {
		rack := fmt.Sprintf("rack-%d", i%racks)
		s.Machines = append(s.Machines, placement.Machine{Application: r.Application, Component: "c0", DCN: "dcn", DataCenter: "east", Rack: rack})
		w.machines[rack]++
	}
	c := placement.Component{
		Name: "c0", Template: "t", Zone: "business", Level: "basic", Size: rapid.SampledFrom(sizes).Draw(t, "size"),
		MinRacks: int32(rapid.IntRange(0, 3).Draw(t, "minimum of racks")), MinZones: int32(rapid.SampledFrom([]int{0, 0, 2, 3}).Draw(t, "minimum of zones")),
		Counts: []placement.Count{{DCN: "dcn", Count: int32(rapid.IntRange(1, 6).Draw(t, "count"))}},
	}
	if rapid.Bool().Draw(t, "prefers") {
		c.Pools = []string{"pool-1"}
	}
	c.Counts[0] = drawClusters(t, c.Counts[0], w.named()...)
	w.clusters = inClusters(c.Counts[0], len(s.Machines))
	w.pools, w.count, w.minRacks, w.minZones = c.Pools, int64(c.Counts[0].Count), int64(c.MinRacks), int64(c.MinZones)
	open := unkept(s, "prod", int(w.surge))
	for i := range w.rooms {
		w.rooms[i].open = open[roomName{w.rooms[i].cluster, w.rooms[i].pool, w.rooms[i].rack}]
	}
	r.Components = []placement.Component{c}
	return s, r, w
}

// TestOptimum compares decisions with everything else that could have been decided: what
// may stay stays, what can be placed is placed, at the least cost. What is refused although it
// would be certain in any order is what the bounds of the room rule cost.
func TestOptimum(t *testing.T) {
	var cases, refused, wrongly, dearer int
	var ours, least int64
	kinds := seen{}
	often(t, 50, func(t *rapid.T) { // a share of so few cases as rapid takes at once says nothing
		s, r, w := small(t)
		w.most = rapid.SampledFrom([]int{0, 0, 1, 2, 3}).Draw(t, "most of a host")
		r.Components[0].MaxPerHost = int32(w.most)
		drawWeights(t, &w)
		drawWays(t, &s, &r, &w)
		drawCallee(t, &s, &r, &w)
		past := drawHistory(t, &s, &r, &w)
		policy := placement.DefaultPolicy().Weighted(w.weights)
		policy.SpareFrom, policy.Surge, policy.Apart = w.spare, w.surge, w.apart
		d := placement.Place(s, []placement.Request{r}, policy)[0]
		c := r.Components[0]
		missing := w.missing()
		best, moved, possible := w.moving(missing, c.Size)
		cases++
		switch {
		case missing == 0 && !possible:
			if d.Refused {
				t.Fatalf("refused, although nothing new comes: %v", d.Reasons)
			}
			kinds.note("less spread than wanted goes on", true)
			return
		case d.Refused && !possible:
			refused++
			return
		case d.Refused:
			wrongly++
			return
		case !possible:
			t.Fatalf("granted what is not possible: %v", d.Assignments)
		}
		n, left := w.decided(t, d, r)
		if got := sumOf(left); got > moved {
			t.Fatalf("%d of those that run moved, %d would do (%v): %v", got, moved, past, d.Reasons)
		}
		then := w.leave(left)
		cost, ok := then.cost(n, c.Size)
		if !ok && missing == 0 && then.lessSpread().permitted(n, c.Size) {
			wrongly++ // nothing new comes, and what runs lies in fewer racks or zones than it could
			return
		}
		if !ok {
			t.Fatalf("%v beside %v that left breaks a rule (%v): %v %+v", n, left, past, d.Reasons, w)
		}
		if stated := placement.Cost(s, r, d, policy); stated != cost {
			t.Fatalf("Cost says %d, the twin %d of %v: %v (%v): %v", stated, cost, n, then.parts(n, c.Size), past, d.Reasons)
		}
		again := slices.ContainsFunc(left, func(n int) bool { return n < 0 })
		switch {
		case again || sumOf(left) < moved: // the twin does not try that
		case cost < best:
			t.Fatalf("%v costs %d, and the cheapest of all %d", n, cost, best)
		case cost > best:
			dearer++
			fallthrough
		default:
			ours, least = ours+cost, least+best
		}
		then.kinds(kinds, n, c.Size)
		past.kinds(kinds, moved)
	})
	t.Logf("%d cases, %d refused by both, %d refused that were possible, %d dearer than the optimum, %.4f %% in all", cases, refused, wrongly, dearer, 100*float64(ours-least)/float64(max(least, 1)))
	kinds.all(t)
	if wrongly*400 > cases-refused {
		t.Errorf("%d of %d that were possible were refused: more than one in 400", wrongly, cases-refused)
	}
	if float64(ours-least) > 0.005*float64(least) {
		t.Errorf("decisions cost %d, the optimum is %d: more than 0.5 %% above", ours, least)
	}
}

// missing is how many instances are new, if all that stay do.
func (w twin) missing() int {
	n := w.count
	for _, m := range w.machines {
		n -= m
	}
	for _, r := range w.rooms {
		n -= int64(r.kept)
	}
	return max(int(n), 0)
}

// lessSpread is the twin without numbers of racks and zones.
func (w twin) lessSpread() twin {
	w.minRacks, w.minZones = 0, 0
	return w
}

// decided is what a decision puts into each room: new instances, and how many of those that
// could have stayed left.
func (w twin) decided(t *rapid.T, d placement.Decision, r placement.Request) (more, left []int) {
	more, left = make([]int, len(w.rooms)), make([]int, len(w.rooms))
	for i := range w.rooms {
		left[i] = w.rooms[i].kept
	}
	for _, a := range d.Assignments {
		if a.Component != r.Components[0].Name {
			continue
		}
		i := w.at(a.Cell)
		if i < 0 {
			if len(a.Seats) > 0 {
				t.Fatalf("instances are in %s, where none may be", a.Cell.Key())
			}
			continue
		}
		same := 0
		for _, p := range r.Previous {
			if p.Component != a.Component || p.Cell != a.Cell {
				continue
			}
			for _, seat := range p.Seats {
				if slices.Contains(a.Seats, seat) {
					same++
				}
			}
		}
		more[i], left[i] = len(a.Seats)-same, w.rooms[i].kept-same
	}
	return more, left
}

func sumOf(n []int) int {
	sum := 0
	for _, x := range n {
		sum += x
	}
	return sum
}

// kinds notes what a case is about.
func (w twin) kinds(k seen, n []int, size placement.Amount) {
	parts := w.parts(n, size)
	for _, score := range []string{"PreferredPool", "SpreadOverZones", "SpreadOverRacks", "SpreadOverHosts", "KnownCell", "Profile", "NearCalled", "Room"} {
		k.note("costs by "+score, parts[score] > 0)
	}
	k.note("machines", len(w.machines) > 0)
	k.note("numbers of clusters", w.clusters != nil)
	k.note("several zones wanted", min(w.minZones, w.count) > 1)
	k.note("several racks wanted", min(w.minRacks, w.count) > 1)
	for i, r := range w.rooms {
		k.note("packed", n[i] > 0 && r.pack)
		k.note("grows where it was", n[i] > 0 && r.kept > 0)
		k.note("stays in a cluster that is away", r.shut && r.kept > 0)
		k.note("beside who is called", n[i] > 0 && w.near[r.rack])
		for far, kind := range []string{1: "in the zone of who is called", 2: "far from who is called"} {
			k.note(kind, kind != "" && n[i] > 0 && w.far(r) == int64(far))
		}
		for _, rule := range w.apart {
			for _, others := range w.beside[r.rack] {
				k.note("beside "+rule.Other+" with "+rule.Tag, n[i] > 0 && slices.Contains(w.tags, rule.Tag) && slices.Contains(others, rule.Other))
			}
			if rule.Tag == rule.Other {
				k.note(rule.Tag+" beside its own kind", n[i]+r.kept > 1 && n[i] > 0 && slices.Contains(w.tags, rule.Tag))
			}
		}
	}
	for _, step := range w.steps {
		k.note("spread over "+string(step), true)
	}
	delete(k, "")
}

// kinds notes what of the past a case is about.
func (h history) kinds(k seen, moved int) {
	k.note("new", h.had == 0)
	k.note("ran where it may not be", h.gone > 0)
	k.note("shrinks", h.less > 0)
	k.note("changes", h.changed && h.had > h.gone+h.less+h.out)
	k.note("changes without room beside", h.out > 0)
	k.note("one that runs has to move", moved > 0)
}
