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
		Classes: map[string]int64{"4 CPU and 16 GiB, amd64": 3}, More: []placement.More{{Size: "1c1g", Instances: 10, Separate: 10}},
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
