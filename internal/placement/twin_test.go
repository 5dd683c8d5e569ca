// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement_test

import (
	"flag"
	"fmt"
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/fairway-cloud/fairway/internal/placement"
)

// The twin tries every way to distribute the instances of one component over rooms, and
// works rules and cost out from their description alone
// (docs/reference/placement-policy.md). It shares no code with Place.
type twin struct {
	rooms    []twinRoom
	spare    int
	surge    int32
	quota    map[string]int64  // what is left for new ones and those that stay
	over     map[string]int64  // what runs of the component, in pools whose quota is used up
	machines map[string]int64  // by rack
	zones    map[string]string // of racks
	pools    []string          // preferred
	count    int64             // asked for
	minRacks int64
	minZones int64
	clusters map[string]int // exact numbers; nil: clusters do not matter
	most     int            // of the component on one host; 0: any number

	weights map[string]int64 // of the policy, by score
	steps   []placement.Scope
	apart   []placement.Apart
	tags    []string
	beside  map[string][][]string // by rack, the tags of each instance of others
	near    map[string]bool       // racks in which somebody is that it calls; empty: nobody is

	known map[fitting]bool // what the adversary found out
}

// fitting is the question whether so many of a size find hosts in a room.
type fitting struct {
	room, n int
	size    placement.Amount
}

type twinRoom struct {
	cluster, pool, rack, zone string
	hosts                     []placement.Host
	open                      []placement.Host // those that may be grown on
	pack                      bool
	shut                      bool               // nothing new comes
	known                     bool               // the component has numbers there
	held                      []placement.Amount // one per instance of others there
	kept                      int                // instances of the component that stay
}

// often has rapid check so many times as many cases, all different ones for one seed.
func often(t *testing.T, times int, prop func(*rapid.T)) {
	t.Helper()
	checks := flag.Lookup("rapid.checks")
	was := checks.Value.String()
	n, err := strconv.Atoi(was)
	if err != nil {
		t.Fatal(err)
	}
	if err := checks.Value.Set(strconv.Itoa(n * times)); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := checks.Value.Set(was); err != nil {
			t.Fatal(err)
		}
	}()
	rapid.Check(t, prop)
}

// fitsAny is the room rule itself, not how it is made sure of: an adversary finds no way
// to lay the instances so that one of them has no host.
func (w twin) fitsAny(r twinRoom, more []placement.Amount) bool {
	lots := map[placement.Amount]int{}
	for _, a := range r.held {
		lots[a]++
	}
	try := func(hosts []placement.Host) bool {
		a := &adversary{}
		for size, n := range lots {
			a.lots = append(a.lots, adverse{size: size, n: n})
		}
		a.lots = append(a.lots, adverse{size: more[0], n: len(more), most: w.most})
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

// weight of a score. Those that the component's wishes are about have the weights that these
// give them.
func (w twin) weight(score string) int64 {
	steps := map[string]placement.Scope{"SpreadOverZones": placement.ScopeZone, "SpreadOverRacks": placement.ScopeRack, "SpreadOverHosts": placement.ScopeHost}
	step, spreads := steps[score]
	if !spreads || len(w.steps) == 0 {
		return w.weights[score]
	}
	share := max(w.weights["SpreadOverZones"], w.weights["SpreadOverRacks"])
	for _, s := range w.steps {
		if s == step {
			return share
		}
		share /= 2
	}
	return 0
}

// parts are what a distribution costs, by score: n new instances of a size in each room.
func (w twin) parts(n []int, size placement.Amount) map[string]int64 {
	out := map[string]int64{}
	inRack, inZone := map[string]int64{}, map[string]int64{} // the component's own
	for rack, m := range w.machines {
		inRack[rack] += m
		inZone[w.zones[rack]] += m
	}
	there := map[string][][]string{} // tags of whoever is in a rack
	for rack, others := range w.beside {
		there[rack] = slices.Clone(others)
	}
	for _, r := range w.rooms {
		inRack[r.rack] += int64(r.kept)
		inZone[r.zone] += int64(r.kept)
		there[r.rack] = append(there[r.rack], slices.Repeat([][]string{w.tags}, r.kept)...)
	}
	for i, r := range w.rooms {
		for j := range int64(n[i]) {
			rank := slices.Index(w.pools, r.pool)
			if rank < 0 {
				rank = len(w.pools)
			}
			out["PreferredPool"] += int64(rank)
			out["SpreadOverZones"] += inZone[r.zone]
			out["SpreadOverRacks"] += inRack[r.rack]
			out["SpreadOverHosts"] += (int64(r.kept) + j) / int64(len(r.hosts))
			if !r.known {
				out["KnownCell"]++
			}
			for _, other := range there[r.rack] {
				out["Profile"] += w.pair(w.tags, other)
			}
			out["NearCalled"] += w.far(r)
			if r.pack {
				out["Room"] += 1000 - filled(r, size, 0)
			} else {
				out["Room"] += filled(r, size, j+1)
			}
			inRack[r.rack]++
			inZone[r.zone]++
			there[r.rack] = append(there[r.rack], w.tags)
		}
	}
	for score := range out {
		out[score] *= w.weight(score)
	}
	return out
}

// pair is the price of two instances in one rack, by their tags.
func (w twin) pair(one, other []string) int64 {
	var sum int64
	for _, rule := range w.apart {
		if slices.Contains(one, rule.Tag) && slices.Contains(other, rule.Other) {
			sum += rule.Price
		}
		if rule.Tag != rule.Other && slices.Contains(one, rule.Other) && slices.Contains(other, rule.Tag) {
			sum += rule.Price
		}
	}
	return sum
}

// far is how far those are that the component calls.
func (w twin) far(r twinRoom) int64 {
	if len(w.near) == 0 || w.near[r.rack] {
		return 0
	}
	for rack := range w.near {
		if w.zones[rack] == r.zone {
			return 1
		}
	}
	return 2
}

// cost of a distribution of n new instances of a size over the rooms, beside those that stay;
// ok is false where it breaks a rule.
func (w twin) cost(n []int, size placement.Amount) (sum int64, ok bool) {
	if !w.permitted(n, size) {
		return 0, false
	}
	for _, part := range w.parts(n, size) {
		sum += part
	}
	return sum, true
}

// permitted holds a distribution against the rules.
func (w twin) permitted(n []int, size placement.Amount) bool {
	racks, zones, pools, clusters := map[string]bool{}, map[string]bool{}, map[string]int64{}, map[string]int{}
	for rack, m := range w.machines {
		if m > 0 {
			racks[rack], zones[w.zones[rack]] = true, true
		}
	}
	grown := map[string]bool{}
	for i, r := range w.rooms {
		clusters[r.cluster] += r.kept + n[i]
		pools[r.pool] += int64(r.kept + n[i])
		if r.kept+n[i] > 0 {
			racks[r.rack], zones[r.zone] = true, true
		}
		if n[i] == 0 {
			continue
		}
		grown[r.pool] = true
		if r.shut {
			return false
		}
	}
	for pool := range grown {
		if pools[pool] > max(w.quota[pool], w.over[pool]) {
			return false
		}
	}
	for cluster := range clusters {
		if w.clusters != nil && clusters[cluster] != w.clusters[cluster] {
			return false
		}
	}
	for cluster, want := range w.clusters {
		if clusters[cluster] != want {
			return false
		}
	}
	if int64(len(racks)) < min(w.minRacks, w.count) || int64(len(zones)) < min(w.minZones, w.count) {
		return false
	}
	for i := range w.rooms {
		if n[i] > 0 && !w.fits(i, w.rooms[i].kept+n[i], size) {
			return false
		}
	}
	return true
}

// fits has the adversary answer each question once.
func (w twin) fits(room, n int, size placement.Amount) bool {
	key := fitting{room, n, size}
	if known, ok := w.known[key]; ok {
		return known
	}
	w.known[key] = w.fitsAny(w.rooms[room], slices.Repeat([]placement.Amount{size}, n))
	return w.known[key]
}

func filled(r twinRoom, size placement.Amount, n int64) int64 {
	var have, all placement.Amount
	for _, h := range r.hosts {
		all = all.Plus(h.Room)
	}
	for _, a := range r.held {
		have = have.Plus(a)
	}
	have = have.Plus(size.Times(int64(r.kept) + n))
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

// moving is best where as few as possible of those that run move beside the new ones.
func (w twin) moving(count int, size placement.Amount) (best int64, moved int, found bool) {
	running := 0
	for _, r := range w.rooms {
		running += r.kept
	}
	for moved = 0; moved <= running && !found; moved++ {
		w.each(moved, func(those []int) {
			for i, n := range those {
				if n > w.rooms[i].kept {
					return
				}
			}
			then := w.leave(those)
			then.each(count+moved, func(n []int) {
				for i := range n {
					if n[i] > 0 && those[i] > 0 {
						return
					}
				}
				if c, ok := then.cost(n, size); ok && (!found || c < best) {
					best, found = c, true
				}
			})
		})
	}
	return best, moved - 1, found
}

// leave is the twin after some that ran left their rooms. A pool that holds more than its quota
// may take others for them.
func (w twin) leave(n []int) twin {
	w.over = map[string]int64{}
	for _, r := range w.rooms {
		w.over[r.pool] += int64(r.kept)
	}
	w.rooms = slices.Clone(w.rooms)
	for i := range w.rooms {
		w.rooms[i].kept -= n[i]
	}
	return w
}

// each tries every distribution of instances over the rooms.
func (w twin) each(count int, do func([]int)) {
	n := make([]int, len(w.rooms))
	var try func(i, left int)
	try = func(i, left int) {
		if i == len(n)-1 {
			n[i] = left
			do(n)
			return
		}
		for k := 0; k <= left; k++ {
			n[i] = k
			try(i+1, left-k)
		}
	}
	if len(n) > 0 {
		try(0, count)
	}
}

// at is the number of the room of a cell; -1: it is none of the twin's.
func (w twin) at(c placement.Cell) int {
	return slices.IndexFunc(w.rooms, func(r twinRoom) bool { return r.cluster == c.Cluster && r.pool == c.Pool && r.rack == c.Rack })
}

// seen counts the kinds of cases that occurred.
type seen map[string]int

func (s seen) note(kind string, is bool) {
	if is {
		s[kind]++
	} else if _, there := s[kind]; !there {
		s[kind] = 0
	}
}

// all wants every kind that was asked for to have occurred.
func (s seen) all(t *testing.T) {
	t.Helper()
	var never []string
	for kind, n := range s {
		if n == 0 {
			never = append(never, kind)
		}
	}
	slices.Sort(never)
	if len(never) > 0 {
		t.Errorf("no case was there of: %v", never)
	}
	t.Log(fmt.Sprint(map[string]int(s)))
}
