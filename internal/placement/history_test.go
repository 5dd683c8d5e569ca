// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement_test

import (
	"cmp"
	"fmt"
	"slices"

	"pgregory.net/rapid"

	"github.com/fairway-cloud/fairway/internal/placement"
)

// drawWeights has the policy weigh differently, and says so to the twin.
func drawWeights(t *rapid.T, w *twin) {
	w.weights, w.apart = builtIn(), []placement.Apart{{Tag: "cpu-bound", Other: "cpu-bound", Price: 1}, {Tag: "io-heavy", Other: "io-heavy", Price: 2}, {Tag: "latency-sensitive", Other: "io-heavy", Price: 1}}
	if rapid.Bool().Draw(t, "prices") {
		w.apart = append(w.apart, placement.Apart{Tag: "cpu-bound", Other: "latency-sensitive", Price: int64(rapid.IntRange(0, 9).Draw(t, "price"))})
	}
	if rapid.Bool().Draw(t, "weighs as built in") {
		return
	}
	for _, score := range []string{"PreferredPool", "SpreadOverZones", "SpreadOverRacks", "KnownCell", "Profile", "NearCalled", "Room"} {
		if rapid.Bool().Draw(t, "weighs "+score) {
			w.weights[score] = int64(rapid.SampledFrom([]int{0, 1, 7, 20, 100}).Draw(t, "weight"))
			if score != "Room" {
				w.weights[score] *= 1000
			}
		}
	}
}

// builtIn are the weights of docs/reference/placement-policy.md.
func builtIn() map[string]int64 {
	return map[string]int64{"PreferredPool": 1_000_000, "SpreadOverZones": 100_000, "SpreadOverRacks": 50_000, "KnownCell": 20_000, "Profile": 5_000, "NearCalled": 2_000, "Room": 10}
}

func drawTags(t *rapid.T, who string) []string {
	return rapid.SampledFrom([][]string{nil, nil, {"cpu-bound"}, {"io-heavy"}, {"latency-sensitive"}, {"cpu-bound", "io-heavy"}, {"io-heavy", "latency-sensitive"}, {"batch"}}).Draw(t, "tags of "+who)
}

// drawWays gives the component and those that hold room tags, callees, and wishes what to
// spread over.
func drawWays(t *rapid.T, s *placement.Snapshot, r *placement.Request, w *twin) {
	c := &r.Components[0]
	w.beside = map[string][][]string{}
	for _, held := range s.Reserved {
		if held.Application == r.Application {
			continue
		}
		tags := drawTags(t, "others")
		if tags != nil {
			s.Profiles = append(s.Profiles, placement.Profile{Application: held.Application, Component: held.Component, Tags: tags})
		}
		w.beside[held.Cell.Rack] = append(w.beside[held.Cell.Rack], slices.Repeat([][]string{tags}, len(held.Seats))...)
	}
	c.Tags = drawTags(t, "the Revision")
	known := drawTags(t, "the Profile")
	if rapid.IntRange(0, 3).Draw(t, "without") == 0 {
		c.Without = []string{"io-heavy"}
	}
	if known != nil {
		s.Profiles = append(s.Profiles, placement.Profile{Application: r.Application, Component: c.Name, Tags: known})
	}
	w.tags = slices.Clone(c.Tags)
	for _, tag := range known {
		if !slices.Contains(w.tags, tag) && !slices.Contains(c.Without, tag) {
			w.tags = append(w.tags, tag)
		}
	}
	w.near = map[string]bool{}
	for _, held := range s.Reserved {
		if held.Application != r.Application && rapid.IntRange(0, 3).Draw(t, "calls") == 0 {
			c.CallsOutside = append(c.CallsOutside, placement.Callee{Application: held.Application, Component: held.Component})
			if held.Cell.DCN == c.Counts[0].DCN {
				w.near[held.Cell.Rack] = true
			}
		}
	}
	c.Spread = rapid.SampledFrom([][]placement.Scope{nil, nil, nil, {placement.ScopeRack}, {placement.ScopeHost}, {placement.ScopeZone, placement.ScopeHost}, {placement.ScopeHost, placement.ScopeRack, placement.ScopeZone}}).Draw(t, "spread over")
	w.steps = c.Spread
}

// drawCallee has another component of the application run, which stays, and is called or not.
func drawCallee(t *rapid.T, s *placement.Snapshot, r *placement.Request, w *twin) {
	if len(w.rooms) == 0 || rapid.Bool().Draw(t, "alone") {
		return
	}
	size := placement.Amount{CPU: 500, Memory: 1 << 30, Instances: 1}
	other := placement.Component{Name: rapid.SampledFrom([]string{"a", "z"}).Draw(t, "callee"), Template: "t", Zone: "business", Level: "basic", Size: size, Tags: drawTags(t, "the callee")}
	calls := rapid.Bool().Draw(t, "calls it")
	if calls {
		r.Components[0].Calls = []string{other.Name}
	}
	var seats int32
	for i := range w.rooms {
		room := &w.rooms[i]
		n := rapid.SampledFrom([]int{0, 0, 1, 2}).Draw(t, "runs")
		if n == 0 {
			continue
		}
		was := run(other, room, int32(1000*i), n) //nolint:gosec // small
		r.Previous = append(r.Previous, was)
		s.Reserved = append(s.Reserved, placement.Reservation{Application: r.Application, Tenant: "retail", Environment: "prod", Assignment: was})
		seats += int32(n) //nolint:gosec // small
		room.held = append(slices.Clip(room.held), slices.Repeat([]placement.Amount{size}, n)...)
		w.beside[room.rack] = append(w.beside[room.rack], slices.Repeat([][]string{other.Tags}, n)...)
		w.quota[room.pool] -= int64(n)
		if calls {
			w.near[room.rack] = true
		}
	}
	other.Counts = []placement.Count{{DCN: "dcn", Count: seats}}
	r.Components = append(r.Components, other)
}

// run is an Assignment of a component that runs in a room.
func run(c placement.Component, room *twinRoom, block int32, n int) placement.Assignment {
	a := placement.Assignment{Component: c.Name, Template: c.Template, Size: c.Size, MaxPerHost: c.MaxPerHost, Block: block, Cell: placement.Cell{Cluster: room.cluster, Pool: room.pool, Zone: "business", Rack: room.rack, DCN: "dcn"}}
	for i := range n {
		a.Seats = append(a.Seats, block+int32(i)) //nolint:gosec // small
	}
	return a
}

// history is what ran before, and what the twin makes of it.
type history struct {
	changed              bool
	had, gone, less, out int // instances in all, in cells that are none any more, too many, without room for a successor
}

// drawHistory has instances of the component run: some where it may not be any more, some in
// clusters that are away, of this template or another one.
func drawHistory(t *rapid.T, s *placement.Snapshot, r *placement.Request, w *twin) history {
	var h history
	c := &r.Components[0]
	if len(w.rooms) == 0 || rapid.IntRange(0, 2).Draw(t, "is new") == 0 {
		return h
	}
	before := *c
	if rapid.IntRange(0, 3).Draw(t, "changes") == 0 {
		h.changed, before.Template, before.MaxPerHost = true, "t0", 0 // those of before are not bound
		before.Size = rapid.SampledFrom([]placement.Amount{c.Size, {CPU: 500, Memory: 1 << 30, Instances: 1}, {CPU: 1000, Memory: 2 << 30, Instances: 1}}).Draw(t, "size before")
	}
	if rapid.IntRange(0, 3).Draw(t, "away") == 0 {
		s.Clusters[1].Away = "it does not answer"
	}
	elsewhere := twinRoom{cluster: "c0", pool: "pool-9", rack: "rack-0", zone: w.zones["rack-0"]}
	ran := map[int]int{} // by room
	for i := range len(w.rooms) + 1 {
		room := &elsewhere
		if i < len(w.rooms) {
			room = &w.rooms[i]
			room.shut = room.cluster == "c1" && s.Clusters[1].Away != ""
		}
		n := rapid.SampledFrom([]int{-1, 0, 0, 1, 1, 2, 3}).Draw(t, "ran")
		if n < 0 {
			continue
		}
		was := run(before, room, int32(1000*i), n) //nolint:gosec // small
		r.Previous = append(r.Previous, was)
		s.Reserved = append(s.Reserved, placement.Reservation{Application: r.Application, Tenant: "retail", Environment: "prod", Assignment: was})
		room.known = true
		h.had += n
		if room == &elsewhere {
			h.gone = n
		} else {
			ran[i] = n
		}
		if h.changed { // it holds its room, with what is known of it, until it is gone
			room.held = append(slices.Clip(room.held), slices.Repeat([]placement.Amount{before.Size}, n)...)
			var tags []string
			if i := slices.IndexFunc(s.Profiles, func(p placement.Profile) bool { return p.Application == r.Application && p.Component == c.Name }); i >= 0 {
				tags = s.Profiles[i].Tags
			}
			w.beside[room.rack] = append(w.beside[room.rack], slices.Repeat([][]string{tags}, n)...)
		}
	}
	s.Pools = append(s.Pools, placement.Pool{Name: elsewhere.pool, Tenants: []string{"cards"}, Level: "basic", Zones: []string{"business"}, Kind: placement.RealHosts, Racks: []placement.Rack{{
		Cluster: elsewhere.cluster, Name: elsewhere.rack, Hosts: []placement.Host{{Name: "h-9", Room: placement.Amount{CPU: 64000, Memory: 256 << 30, Instances: 100}}},
	}}})
	return h.stay(s, r, w, ran)
}

// stay works out which instances stay where they are: all that may, as far as the count, or the
// numbers of the clusters, ask for them.
func (h history) stay(s *placement.Snapshot, r *placement.Request, w *twin, ran map[int]int) history {
	c := r.Components[0]
	if w.surge > 0 && !grows(*s, *r, c, "dcn") {
		for i := range w.rooms {
			w.rooms[i].open = w.rooms[i].hosts
		}
	}
	groups := map[string]int{"": int(c.Counts[0].Count) - len(s.Machines)}
	if w.clusters != nil {
		groups = w.clusters
	}
	for _, cluster := range w.named() {
		if _, named := groups[cluster]; w.clusters != nil && !named {
			groups[cluster] = 0
		}
	}
	for group, want := range groups {
		h.less += fewer(w, ran, group, max(want, 0))
	}
	var order []int
	for i := range w.rooms {
		order = append(order, i)
	}
	slices.SortFunc(order, w.byName)
	spent := map[string]int64{}
	for _, i := range order {
		room := &w.rooms[i]
		for range ran[i] {
			if !h.changed || spent[room.pool] < w.quota[room.pool] && w.fitsAny(*room, slices.Repeat([]placement.Amount{c.Size}, room.kept+1)) {
				room.kept++
				spent[room.pool]++
			} else {
				h.out++
			}
		}
	}
	return h
}

func (w twin) byName(a, b int) int {
	x, y := w.rooms[a], w.rooms[b]
	return cmp.Or(cmp.Compare(x.cluster, y.cluster), cmp.Compare(x.pool, y.pool), cmp.Compare(x.rack, y.rack))
}

// fewer takes what is too much in a cluster, or in all of them, from what ran: one by one from
// the rack with most, of those alike from the zone with most, machines included, then from the
// cell with most, then from the last by name.
func fewer(w *twin, ran map[int]int, cluster string, want int) (less int) {
	in := func(of func(twinRoom) string, name string) int {
		n := 0
		for i, r := range w.rooms {
			if (cluster == "" || r.cluster == cluster) && of(r) == name {
				n += ran[i]
			}
		}
		return n
	}
	machines := func(zone, rack string) int {
		n := 0
		for at, m := range w.machines {
			if at == rack || w.zones[at] == zone {
				n += int(m)
			}
		}
		return n
	}
	rack, zone, all := func(r twinRoom) string { return r.rack }, func(r twinRoom) string { return r.zone }, func(twinRoom) string { return "" }
	for in(all, "") > want {
		var first []int
		for i, r := range w.rooms {
			if ran[i] > 0 && (cluster == "" || r.cluster == cluster) {
				first = append(first, i)
			}
		}
		ran[slices.MaxFunc(first, func(a, b int) int {
			x, y := w.rooms[a], w.rooms[b]
			return cmp.Or(
				cmp.Compare(in(rack, x.rack)+machines("", x.rack), in(rack, y.rack)+machines("", y.rack)), cmp.Compare(in(zone, x.zone)+machines(x.zone, ""), in(zone, y.zone)+machines(y.zone, "")),
				cmp.Compare(ran[a], ran[b]), w.byName(a, b))
		})]--
		less++
	}
	return less
}

// String tells what of the past matters.
func (h history) String() string {
	return fmt.Sprintf("%d ran, %d where it may not be, %d too many, %d without room beside", h.had, h.gone, h.less, h.out)
}
