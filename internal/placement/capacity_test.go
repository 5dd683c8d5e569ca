// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement_test

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-cloud/fairway/internal/placement"
)

// TestCapacity counts a pool of two racks by hand.
func TestCapacity(t *testing.T) {
	host := func(name string) placement.Host {
		return placement.Host{Name: name, Room: placement.Amount{CPU: 4000, Memory: 16 << 30, Instances: 110}, Arch: "amd64"}
	}
	s := placement.Snapshot{
		Clusters: []placement.Cluster{{Name: "east-1", DataCenter: "east"}, {Name: "west-1", DataCenter: "west"}},
		Pools: []placement.Pool{{Name: "retail", Racks: []placement.Rack{
			{Cluster: "east-1", Name: "a", Hosts: []placement.Host{host("a1"), host("a2")}},
			{Cluster: "west-1", Name: "w", Hosts: []placement.Host{host("w1")}},
		}}},
		Reserved: []placement.Reservation{{Application: "x", Assignment: placement.Assignment{
			Component: "c", Cell: placement.Cell{Cluster: "east-1", Pool: "retail", Rack: "a"}, Seats: []int32{0, 1}, Size: placement.Amount{CPU: 1000, Memory: 1 << 30, Instances: 1},
		}}},
	}
	got := placement.Capacity(s, []placement.NamedSize{{Name: "1c1g", Size: placement.Amount{CPU: 1000, Memory: 1 << 30, Instances: 1}}}, func(string) placement.Policy { return placement.DefaultPolicy() })
	want := []placement.PoolCapacity{{
		Pool: "retail", Hosts: 3, Total: placement.Amount{CPU: 12000, Memory: 48 << 30, Instances: 330}, Held: placement.Amount{CPU: 2000, Memory: 2 << 30, Instances: 2},
		Classes: []placement.HostClass{{
			Class: "4 CPU and 16 GiB, amd64", Hosts: 3,
			Free: placement.Amount{CPU: 10000, Memory: 46 << 30, Instances: 328}, AtMost: placement.Amount{CPU: 10000, Memory: 46 << 30, Instances: 328},
		}}, More: []placement.More{{Size: "1c1g", Instances: 10, Separate: 10}},
		Sites: []placement.Site{
			{DataCenter: "east", Free: placement.Amount{CPU: 6000, Memory: 30 << 30, Instances: 218}, More: []placement.More{{Size: "1c1g", Instances: 6, Separate: 6}}},
			{DataCenter: "west", Free: placement.Amount{CPU: 4000, Memory: 16 << 30, Instances: 110}, More: []placement.More{{Size: "1c1g", Instances: 4, Separate: 4}}},
		},
		Losses: []placement.Left{
			{Kind: "Rack", Name: "east/a", Free: placement.Amount{CPU: 2000, Memory: 14 << 30, Instances: 108}},
			{Kind: "DataCenter", Name: "east", Free: placement.Amount{CPU: 2000, Memory: 14 << 30, Instances: 108}},
		},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestFreeByHostClass counts racks in which hosts of several classes stand: what is certain to be
// free on each class, and what may be.
func TestFreeByHostClass(t *testing.T) {
	host := func(name string, cpu int64, arch string) placement.Host {
		return placement.Host{Name: name, Room: placement.Amount{CPU: cpu * 1000, Memory: cpu << 30, Instances: 10}, Arch: arch}
	}
	holds := func(rack string, n int, cpu int64, archs ...string) placement.Reservation {
		return placement.Reservation{Application: rack, Assignment: placement.Assignment{
			Component: "c", Cell: placement.Cell{Cluster: "east-1", Pool: "retail", Rack: rack}, Seats: make([]int32, n), Size: placement.Amount{CPU: cpu * 1000, Memory: cpu << 30, Instances: 1}, Archs: archs,
		}}
	}
	amount := func(cpu, instances int64) placement.Amount {
		return placement.Amount{CPU: cpu * 1000, Memory: cpu << 30, Instances: instances}
	}
	small, large, arm := "4 CPU and 4 GiB, amd64", "16 CPU and 16 GiB, amd64", "4 CPU and 4 GiB, arm64"
	for name, c := range map[string]struct {
		reason string
		held   []placement.Reservation
		want   []placement.HostClass
	}{
		"empty": {"all of it is free", nil, []placement.HostClass{
			{Class: large, Hosts: 1, Free: amount(16, 10), AtMost: amount(16, 10)}, {Class: small, Hosts: 2, Free: amount(8, 20), AtMost: amount(8, 20)}, {Class: arm, Hosts: 1, Free: amount(4, 10), AtMost: amount(4, 10)},
		}},
		"anywhere": {"the scheduler may lay them on either class of amd64, and not on arm64", []placement.Reservation{holds("a", 3, 2, "amd64")}, []placement.HostClass{
			{Class: large, Hosts: 1, Free: amount(10, 7), AtMost: amount(16, 10)}, {Class: small, Hosts: 2, Free: amount(2, 17), AtMost: amount(8, 20)}, {Class: arm, Hosts: 1, Free: amount(4, 10), AtMost: amount(4, 10)},
		}},
		"too large for the others": {"they lie on the large one", []placement.Reservation{holds("a", 1, 8, "amd64")}, []placement.HostClass{
			{Class: large, Hosts: 1, Free: amount(8, 9), AtMost: amount(8, 9)}, {Class: small, Hosts: 2, Free: amount(0, 19), AtMost: amount(8, 20)}, {Class: arm, Hosts: 1, Free: amount(4, 10), AtMost: amount(4, 10)},
		}},
	} {
		s := placement.Snapshot{
			Clusters: []placement.Cluster{{Name: "east-1", DataCenter: "east"}}, Reserved: c.held,
			Pools: []placement.Pool{{Name: "retail", Racks: []placement.Rack{{Cluster: "east-1", Name: "a", Hosts: []placement.Host{host("a1", 4, "amd64"), host("a2", 4, "amd64"), host("a3", 16, "amd64"), host("a4", 4, "arm64")}}}}},
		}
		got := placement.Capacity(s, nil, func(string) placement.Policy { return placement.DefaultPolicy() })[0].Classes
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s\n%s", name, c.reason, diff)
		}
	}
}

// TestTrend draws lines whose end is known.
func TestTrend(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	line := func(days int, cpu, perDay int64) []placement.Point {
		var out []placement.Point
		for d := range days + 1 {
			out = append(out, placement.Point{At: start.AddDate(0, 0, d), Held: placement.Amount{CPU: cpu + int64(d)*perDay}})
		}
		return out
	}
	for name, c := range map[string]struct {
		points []placement.Point
		full   float64
		why    string
	}{
		"grows":      {line(10, 1000, 100), 80, "CPU is full first"},
		"is full":    {line(10, 9000, 100), 0, "CPU is full first"},
		"rests":      {line(10, 1000, 0), -1, "it does not grow"},
		"shrinks":    {line(10, 9000, -100), -1, "it does not grow"},
		"too short":  {line(3, 1000, 100), -1, "3.0 days of history are too few to tell: it takes 7"},
		"few days":   {[]placement.Point{line(10, 1000, 100)[0], line(10, 1000, 100)[10]}, -1, "only 2 days are recorded, which are too few to tell: it takes 7"},
		"no history": {nil, -1, "there is no history yet"},
	} {
		got := placement.TrendOf(c.points, placement.Amount{CPU: 10000, Memory: 1 << 40, Instances: 1000})
		if math.Abs(got.Full-c.full) > 1e-6 || got.Why != c.why {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
