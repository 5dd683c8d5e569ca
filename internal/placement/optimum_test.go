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

// The twin tries every way to distribute instances over rooms, and works rules and
// cost out from their description alone. It shares no code with Place.
type twin struct {
	rooms    []twinRoom
	spare    int
	surge    int32
	quota    map[string]int64
	machines map[string]int64  // by rack
	zones    map[string]string // of racks
	pools    []string          // preferred
	minRacks int64
	minZones int64
	clusters map[string]int // exact numbers; nil: clusters do not matter
}

type twinRoom struct {
	cluster, pool, rack, zone string
	hosts                     []placement.Host
	open                      []placement.Host // those that may be grown on
	pack                      bool
	held                      []placement.Amount // one per instance there
}

// fitsAny is the room rule itself, not how it is made sure of: an adversary finds no way
// to lay the instances so that one of them has no host.
func (w twin) fitsAny(r twinRoom, more []placement.Amount) bool {
	lots := map[placement.Amount]int{}
	for _, a := range slices.Concat(r.held, more) {
		lots[a]++
	}
	try := func(hosts []placement.Host) bool {
		a := &adversary{}
		for size, n := range lots {
			a.lots = append(a.lots, adverse{size: size, n: n})
		}
		for _, h := range hosts {
			a.hosts = append(a.hosts, h.Room)
		}
		return a.leftOver() == ""
	}
	if w.spare == 0 || len(r.hosts) < w.spare {
		return try(r.open)
	}
	for i := range r.open {
		if !try(slices.Delete(slices.Clone(r.open), i, i+1)) {
			return false
		}
	}
	return true
}

// cost of a distribution of n instances of one size over the rooms; ok is false where
// it breaks a rule.
func (w twin) cost(n []int, size placement.Amount) (sum int64, ok bool) {
	racks, zones, pools := map[string]int64{}, map[string]int64{}, map[string]int64{}
	for rack, m := range w.machines {
		racks[rack] += m
		zones[w.zones[rack]] += m
	}
	pairs := func(counts map[string]int64, weight int64) {
		for _, c := range counts {
			sum += weight * c * (c - 1) / 2
		}
	}
	pairs(racks, -50_000)
	pairs(zones, -100_000)
	for i, r := range w.rooms {
		if n[i] == 0 {
			continue
		}
		if !w.fitsAny(r, slices.Repeat([]placement.Amount{size}, n[i])) {
			return 0, false
		}
		k := int64(n[i])
		racks[r.rack] += k
		zones[r.zone] += k
		pools[r.pool] += k
		rank := int64(len(w.pools))
		if j := slices.Index(w.pools, r.pool); j >= 0 {
			rank = int64(j)
		}
		sum += k * (rank*1_000_000 + 20_000)
		if r.pack {
			sum += k * 10 * (1000 - filled(r, placement.Amount{}, 0))
		} else {
			for j := range k {
				sum += 10 * filled(r, size, j+1)
			}
		}
	}
	for pool, k := range pools {
		if k > w.quota[pool] {
			return 0, false
		}
	}
	if w.clusters != nil {
		in := map[string]int{}
		for i, r := range w.rooms {
			in[r.cluster] += n[i]
		}
		for _, cluster := range []string{"c0", "c1"} {
			if in[cluster] != w.clusters[cluster] {
				return 0, false
			}
		}
	}
	used := int64(0)
	for _, k := range racks {
		if k > 0 {
			used++
		}
	}
	total := int64(0)
	for _, k := range racks {
		total += k
	}
	inZones := int64(0)
	for _, k := range zones {
		if k > 0 {
			inZones++
		}
	}
	if used < min(w.minRacks, total) || inZones < min(w.minZones, total) {
		return 0, false
	}
	pairs(racks, 50_000)
	pairs(zones, 100_000)
	return sum, true
}

func filled(r twinRoom, size placement.Amount, n int64) int64 {
	var have, all placement.Amount
	for _, h := range r.hosts {
		all = all.Plus(h.Room)
	}
	for _, a := range r.held {
		have = have.Plus(a)
	}
	have = have.Plus(size.Times(n))
	most := int64(0)
	for _, x := range [][2]int64{{have.CPU, all.CPU}, {have.Memory, all.Memory}, {have.Instances, all.Instances}} {
		if x[1] > 0 {
			most = max(most, x[0]*1000/x[1])
		}
	}
	return most
}

// named are the clusters of the rooms.
func (w twin) named() []string {
	var out []string
	for _, r := range w.rooms {
		if !slices.Contains(out, r.cluster) {
			out = append(out, r.cluster)
		}
	}
	return out
}

// best tries everything.
func (w twin) best(count int, size placement.Amount) (best int64, found bool) {
	w.each(count, func(n []int) {
		if c, ok := w.cost(n, size); ok && (!found || c < best) {
			best, found = c, true
		}
	})
	return best, found
}

// small draws a site with up to six rooms and what is held in them already.
func small(t *rapid.T) (placement.Snapshot, placement.Request, twin) {
	s := placement.Snapshot{
		DataCenters: []placement.DataCenter{{Name: "east", Racks: map[string]string{}}},
		DCNs:        []placement.DCN{{Name: "dcn", DataCenter: "east", Environment: "prod"}},
		Zones:       []placement.Zone{{Name: "business", Levels: []string{"basic"}}},
		Levels:      []placement.Level{{Name: "basic"}},
		Clusters:    []placement.Cluster{{Name: "c0", DataCenter: "east", Environment: "prod"}, {Name: "c1", DataCenter: "east", Environment: "prod"}},
	}
	w := twin{quota: map[string]int64{}, machines: map[string]int64{}, zones: map[string]string{}, spare: rapid.SampledFrom([]int{0, 0, 2}).Draw(t, "spare"), surge: rapid.SampledFrom([]int32{0, 0, 20, 50}).Draw(t, "surge")}
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
	w.pools, w.minRacks, w.minZones = c.Pools, int64(c.MinRacks), int64(c.MinZones)
	open := unkept(s, "prod", int(w.surge))
	for i := range w.rooms {
		w.rooms[i].open = open[roomName{w.rooms[i].cluster, w.rooms[i].pool, w.rooms[i].rack}]
	}
	r.Components = []placement.Component{c}
	return s, r, w
}

// TestOptimum compares decisions with everything else that could have been decided:
// what can be placed is placed, at the least cost. What is refused although it would be
// certain in any order is what the bounds of the room rule cost.
func TestOptimum(t *testing.T) {
	var cases, refused, wrongly, dearer int
	var ours, least int64
	for range 50 { // a share of so few cases as rapid takes at once says nothing
		rapid.Check(t, func(t *rapid.T) {
			s, r, w := small(t)
			policy := placement.DefaultPolicy()
			policy.SpareFrom, policy.Surge = w.spare, w.surge
			d := placement.Place(s, []placement.Request{r}, policy)[0]
			c := r.Components[0]
			missing := int(c.Counts[0].Count) - len(s.Machines)
			if missing <= 0 {
				return
			}
			best, possible := w.best(missing, c.Size)
			cases++
			switch {
			case d.Refused && !possible:
				refused++
				return
			case d.Refused:
				wrongly++
				return
			case !possible:
				t.Fatalf("granted what is not possible: %v", d.Assignments)
			}
			n := make([]int, len(w.rooms))
			for _, a := range d.Assignments {
				for i, room := range w.rooms {
					if room.cluster == a.Cell.Cluster && room.pool == a.Cell.Pool && room.rack == a.Cell.Rack {
						n[i] = len(a.Seats)
					}
				}
			}
			cost, ok := w.cost(n, c.Size)
			if !ok {
				t.Fatalf("%v breaks a rule", n)
			}
			if stated := placement.Cost(s, r, d, policy); stated != cost {
				t.Fatalf("Cost says %d, the twin %d of %v", stated, cost, n)
			}
			ours, least = ours+cost, least+best
			if cost > best {
				dearer++
			}
		})
	}
	t.Logf("%d cases, %d refused by both, %d refused that were possible, %d dearer than the optimum, %.4f %% in all", cases, refused, wrongly, dearer, 100*float64(ours-least)/float64(max(least, 1)))
	if wrongly*100 > cases-refused {
		t.Errorf("%d of %d that were possible were refused: more than 1 %%", wrongly, cases-refused)
	}
	if float64(ours-least) > 0.005*float64(least) {
		t.Errorf("decisions cost %d, the optimum is %d: more than 0.5 %% above", ours, least)
	}
}
