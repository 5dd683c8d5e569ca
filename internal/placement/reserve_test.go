// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-cloud/fairway/internal/placement"
)

// unkept are the hosts of each room that whoever grows may count on: the rule of
// docs/reference/placement-policy.md, worked out host by host.
func unkept(s placement.Snapshot, environment string, percent int) map[roomName][]placement.Host {
	out := map[roomName][]placement.Host{}
	for _, p := range s.Pools {
		sites := map[string][]roomName{}
		for _, r := range p.Racks {
			k := roomName{r.Cluster, p.Name, r.Name}
			out[k] = slices.Clone(r.Hosts)
			if c := s.Clusters[slices.IndexFunc(s.Clusters, func(c placement.Cluster) bool { return c.Name == r.Cluster })]; c.Environment == environment {
				sites[c.DataCenter] = append(sites[c.DataCenter], k)
			}
		}
		for _, rooms := range sites {
			hosts := 0
			for _, k := range rooms {
				hosts += len(out[k])
			}
			if hosts == 0 {
				continue
			}
			// One host at a time to whom most is owed: that is the largest remainder.
			want := (hosts*percent + 99) / 100
			kept := map[roomName]int{}
			for _, k := range rooms {
				kept[k] = want * len(out[k]) / hosts
			}
			slices.SortFunc(rooms, func(a, b roomName) int {
				if x, y := want*len(out[a])%hosts, want*len(out[b])%hosts; x != y {
					return y - x
				}
				return slices.Compare(a[:], b[:])
			})
			for left := want - sum(kept); left > 0; left-- {
				kept[rooms[0]]++
				rooms = rooms[1:]
			}
			for k, n := range kept {
				for n = min(n, len(out[k])-1); n > 0; n-- {
					out[k] = withoutOne(out[k])
				}
			}
		}
	}
	return out
}

func sum(counts map[roomName]int) int {
	n := 0
	for _, c := range counts {
		n += c
	}
	return n
}

// withoutOne is hosts without one of the kind that there are most of, the larger of two.
func withoutOne(hosts []placement.Host) []placement.Host {
	type kind struct {
		room placement.Amount
		arch string
	}
	count := map[kind]int{}
	for _, h := range hosts {
		count[kind{h.Room, h.Arch}]++
	}
	before := func(a, b placement.Host) bool {
		x, y := count[kind{a.Room, a.Arch}], count[kind{b.Room, b.Arch}]
		switch {
		case x != y:
			return x > y
		case a.Room.CPU != b.Room.CPU:
			return a.Room.CPU > b.Room.CPU
		case a.Room.Memory != b.Room.Memory:
			return a.Room.Memory > b.Room.Memory
		case a.Room.Instances != b.Room.Instances:
			return a.Room.Instances > b.Room.Instances
		}
		return a.Arch > b.Arch
	}
	worst := 0
	for i := range hosts {
		if before(hosts[i], hosts[worst]) {
			worst = i
		}
	}
	return slices.Delete(slices.Clone(hosts), worst, worst+1)
}

// roomName is cluster, pool and rack.
type roomName [3]string

// What is kept is spread over the racks, follows the fleet, and never is a rack's last host.
func TestSurgeIsSpreadOverRacks(t *testing.T) {
	hosts := func(n int) []placement.Host {
		return slices.Repeat([]placement.Host{{Arch: "amd64", Room: placement.Amount{CPU: 4000, Memory: 8 << 30, Instances: 10}}}, n)
	}
	s := placement.Snapshot{
		Clusters: []placement.Cluster{{Name: "c", DataCenter: "east", Environment: "prod"}, {Name: "w", DataCenter: "west", Environment: "prod"}, {Name: "t", DataCenter: "east", Environment: "sit"}},
		Pools: []placement.Pool{{Name: "p", Tenants: []string{"retail"}, Racks: []placement.Rack{
			{Cluster: "c", Name: "a", Hosts: hosts(10)}, {Cluster: "c", Name: "b", Hosts: hosts(4)}, {Cluster: "c", Name: "d", Hosts: hosts(1)},
			{Cluster: "w", Name: "x", Hosts: hosts(1)}, {Cluster: "t", Name: "y", Hosts: hosts(5)},
		}}},
	}
	size := []placement.NamedSize{{Name: "host", Size: placement.Amount{CPU: 4000, Memory: 1, Instances: 1}}}
	policy := func(environment string) placement.Policy {
		p := placement.DefaultPolicy()
		if environment == "prod" {
			p.Surge = 20
		}
		return p
	}
	// East has 15 hosts: 3 are kept, 2 of rack a, 1 of b, none of d. West has one, which is
	// not kept; nothing is in the other environment.
	got := placement.Capacity(s, size, policy)[0]
	if got.Kept != 3 || !cmp.Equal(got.More, []placement.More{{Size: "host", Instances: 18, Separate: 18}}) {
		t.Errorf("%d hosts are kept, and %v more fit", got.Kept, got.More)
	}
	for k, want := range map[roomName]int{{"c", "p", "a"}: 8, {"c", "p", "b"}: 3, {"c", "p", "d"}: 1, {"w", "p", "x"}: 1, {"t", "p", "y"}: 5} {
		if got := len(unkept(s, "prod", 20)[k]); got != want {
			t.Errorf("%v has %d hosts to grow on, want %d", k, got, want)
		}
	}
}
