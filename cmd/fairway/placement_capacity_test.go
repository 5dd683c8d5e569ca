// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	placementserver "github.com/fairway-cloud/fairway/internal/placement/server"
)

// TestTellCapacity reads of a pool in two data centres in which sizes are mixed, and of one that
// packs in a single one.
func TestTellCapacity(t *testing.T) {
	days := 12.4
	cores := func(n int64) placementserver.Amount {
		return placementserver.Amount{CPU: n * 1000, Memory: n << 31, Instances: n}
	}
	p := pools{Pools: []placementserver.Pool{
		{
			Pool: "retail", Hosts: 6, Packing: fleetv1.PackingSpread, SpareHosts: 2, SurgeHosts: 1, Total: cores(96), Held: cores(20),
			Classes: []placementserver.HostClass{
				{Class: "16 CPU and 32 GiB, amd64", Hosts: 4, Free: cores(44), FreeAtMost: cores(60)},
				{Class: "16 CPU and 32 GiB, arm64", Hosts: 2, Free: cores(32), FreeAtMost: cores(32)},
			},
			More: []placementserver.More{{Size: "Small", Instances: 40, Separate: 48}, {Size: "XLarge", Instances: 1, Separate: 9}},
			Sites: []placementserver.Site{
				{DataCenter: "dc-east", Free: cores(28), More: []placementserver.More{{Size: "Small", Instances: 8, Separate: 16}, {Size: "XLarge", Separate: 5}}},
				{DataCenter: "dc-west", Free: cores(48), More: []placementserver.More{{Size: "Small", Instances: 32, Separate: 32}, {Size: "XLarge", Instances: 1, Separate: 4}}},
			},
			Advice: "give XLarge hosts of its own",
			Losses: []placementserver.Left{{Kind: "Rack", Name: "dc-east/a", Free: cores(44)}, {Kind: "DataCenter", Name: "dc-east", Free: cores(-4)}},
			Trend:  placementserver.Trend{HistoryDays: 30, Since: "2026-10-29", FullInDays: &days, Why: "CPU is full first"},
		},
		{
			Pool: "cards", Hosts: 1, Packing: fleetv1.PackingPack, Total: cores(8), Held: cores(0),
			More:  []placementserver.More{{Size: "Small", Instances: 16, Separate: 16}},
			Sites: []placementserver.Site{{DataCenter: "dc-east", Free: cores(8), More: []placementserver.More{{Size: "Small", Instances: 16, Separate: 16}}}},
			Trend: placementserver.Trend{Why: "there is no history yet"},
		},
	}}
	want := []string{
		"retail: 6 hosts, 96.0 CPU, 192.0 GiB in all, 20.0 CPU, 40.0 GiB reserved",
		"  new instances: go where most is free; kept free: 2 hosts' worth for lost hosts, 1 for releases",
		"    4 of 16 CPU and 32 GiB, amd64: 44.0 CPU, 88.0 GiB certain to be free, 60.0 CPU, 120.0 GiB at most",
		"    2 of 16 CPU and 32 GiB, arm64: 32.0 CPU, 64.0 GiB free",
		"  fits more, of one size: 40 Small (48 if sizes had hosts of their own), or 1 XLarge (9 if sizes had hosts of their own)",
		"    in dc-east, 28.0 CPU, 56.0 GiB free: 8 Small (16 if sizes had hosts of their own), or 0 XLarge (5 if sizes had hosts of their own)",
		"    in dc-west, 48.0 CPU, 96.0 GiB free: 32 Small, or 1 XLarge (4 if sizes had hosts of their own)",
		"  advice: give XLarge hosts of its own",
		"  without its largest rack (dc-east/a): 44.0 CPU, 88.0 GiB left",
		"  without its largest data centre (dc-east): -4.0 CPU, -8.0 GiB left",
		"  full: in 12 days, CPU is full first (30 days of history, since 2026-10-29)",
		"cards: 1 hosts, 8.0 CPU, 16.0 GiB in all, 0.0 CPU, 0.0 GiB reserved",
		"  new instances: fill hosts in use first; kept free: 0 hosts' worth for lost hosts, 0 for releases",
		"  fits more, of one size: 16 Small",
		"  full: there is no history yet (0 days of history)",
	}
	if diff := cmp.Diff(want, told(t, func(out *strings.Builder) error { return tellCapacity(out, p) })); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}
