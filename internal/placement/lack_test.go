// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement_test

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"

	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement"
)

// hall is one data centre with a DCN and a pool in so many racks of so many hosts, which lie in two
// availability zones in turn, and a request for instances of one CPU there.
func hall(racks, hosts int, cpu int64, count int32) (placement.Snapshot, placement.Request) {
	s := placement.Snapshot{
		DataCenters: []placement.DataCenter{{Name: "east", Racks: map[string]string{}}},
		Clusters:    []placement.Cluster{{Name: "east-1", DataCenter: "east", Environment: "prod"}},
		DCNs:        []placement.DCN{{Name: "dcn", DataCenter: "east", Environment: "prod"}},
		Zones:       []placement.Zone{{Name: "business", Levels: []string{"basic"}}},
		Levels:      []placement.Level{{Name: "basic"}},
		Pools:       []placement.Pool{{Name: "p", Tenants: []string{"retail"}, Level: "basic", Zones: []string{"business"}, Kind: placement.RealHosts}},
	}
	for i := range racks {
		rack := placement.Rack{Cluster: "east-1", Name: fmt.Sprintf("r%03d", i)}
		s.DataCenters[0].Racks[rack.Name] = fmt.Sprintf("az-%d", i%2)
		for j := range hosts {
			rack.Hosts = append(rack.Hosts, placement.Host{Name: fmt.Sprintf("h-%d-%d", i, j), Room: placement.Amount{CPU: cpu, Memory: 64 << 30, Instances: 110}})
		}
		s.Pools[0].Racks = append(s.Pools[0].Racks, rack)
	}
	return s, placement.Request{
		Application: "retail-prod/pay", Tenant: "retail", Environment: "prod",
		Quotas: []tenancyv1.Quota{{Environment: "prod", Pool: "p", Instances: 100000, CPU: resource.MustParse("100k"), Memory: resource.MustParse("100Ti")}},
		Components: []placement.Component{{
			Name: "web", Template: "t1", Zone: "business", Level: "basic", Size: placement.Amount{CPU: 1000, Memory: 1 << 30, Instances: 1},
			Counts: []placement.Count{{DCN: "dcn", Count: count}},
		}},
	}
}

// TestRefusalNamesItsCause has requests find no room for one cause each, and wants it named with
// what would do.
func TestRefusalNamesItsCause(t *testing.T) {
	partners := func(s *placement.Snapshot) {
		s.DCNs = []placement.DCN{{Name: "dcn", DataCenter: "east", Environment: "prod", Partner: "a"}, {Name: "a", DataCenter: "east", Environment: "prod", Partner: "dcn"}}
	}
	for name, c := range map[string]struct {
		racks, hosts int
		cpu          int64
		count        int32
		change       func(*placement.Snapshot, *placement.Component)
		rule, want   string
	}{
		"racks are added up": {
			racks: 3, hosts: 2, cpu: 4000, count: 28,
			rule: "RoomHostByHost", want: "pool p in east lacks 4 CPU on 3 racks for 4 instances; one host more would do, on rack r000",
		},
		"two a host": {
			racks: 1, hosts: 4, cpu: 64000, count: 16, change: func(_ *placement.Snapshot, c *placement.Component) { c.MaxPerHost = 2 },
			rule: "RoomHostByHost", want: "pool p in east has 248 CPU and 248 GiB free on rack r000, but no host may hold more than 2 of the component (maxPerHost), and its 4 hosts are too few for 8 instances; 4 hosts more would do",
		},
		"two for each host of a cell, as pods that do not say it have it": {
			racks: 1, hosts: 4, cpu: 64000, count: 9, change: func(_ *placement.Snapshot, c *placement.Component) { c.MaxOfCell = 2 },
			rule: "RoomHostByHost", want: "pool p in east has 248 CPU and 248 GiB free on rack r000, but no host may hold more than 2 of the component (maxPerHost), and its 4 hosts are too few for 1 instance; one host more would do",
		},
		"three a host, where others fill some": {
			racks: 1, hosts: 3, cpu: 4000, count: 9, change: func(s *placement.Snapshot, c *placement.Component) {
				c.MaxPerHost = 3
				s.Reserved = []placement.Reservation{{Application: "retail-prod/other", Tenant: "retail", Environment: "prod", Assignment: placement.Assignment{
					Component: "app", Template: "t", Cell: placement.Cell{Cluster: "east-1", Pool: "p", Zone: "business", Rack: "r000", DCN: "dcn"}, Size: c.Size, Seats: []int32{0, 1},
				}}}
			},
			rule: "RoomHostByHost", want: "pool p in east has 2 CPU and 182 GiB free on rack r000, but no host may hold more than 3 of the component (maxPerHost), and its 3 hosts are too few for 1 instance; one host more would do",
		},
		"one a host": {
			racks: 1, hosts: 1, cpu: 64000, count: 2, change: func(_ *placement.Snapshot, c *placement.Component) { c.MaxPerHost = 1 },
			rule: "RoomHostByHost", want: "pool p in east has 63 CPU and 63 GiB free on rack r000, but no host may hold more than 1 of the component (maxPerHost), and its one host is too few for 1 instance; one host more would do",
		},
		"a thousand seats": {
			racks: 1, hosts: 20, cpu: 64000, count: 1001,
			rule: "RoomHostByHost", want: "pool p in east has 280 CPU and 280 GiB free on rack r000, but a component has at most 1000 seats in each cell, too few are left there for 1 instance, and no host more there helps: hosts on another rack would do, or fewer instances in dcn",
		},
		"all racks are the partner's": {
			racks: 1, hosts: 1, cpu: 4000, count: 2, change: func(s *placement.Snapshot, _ *placement.Component) { partners(s) },
			rule: "Partners", want: "no cell takes 2 instances: rack r000 belongs to a, the partner of DCN dcn",
		},
		"some racks are the partner's": {
			racks: 3, hosts: 1, cpu: 4000, count: 5, change: func(s *placement.Snapshot, _ *placement.Component) { partners(s) },
			rule: "Partners", want: "racks r000 and r002 belong to a, the partner of DCN dcn",
		},
		"a zone whose hosts are full": {
			racks: 2, hosts: 1, cpu: 4000, count: 2, change: func(s *placement.Snapshot, c *placement.Component) {
				c.MinZones = 2
				s.Pools[0].Racks[1].Hosts[0].Room.CPU = 500
			},
			rule: "MinimumZones", want: "instances must spread over 2 availability zones, and room was found in 1: in zone az-1 pool p lacks 0.5 CPU on rack r001 for 1 instance; no host there is large enough for a single one",
		},
		"a zone without hosts, and one of which no pool knows": {
			racks: 2, hosts: 1, cpu: 4000, count: 2, change: func(s *placement.Snapshot, c *placement.Component) {
				c.MinZones = 2
				s.Pools[0].Racks[1].Hosts = nil
				s.DataCenters[0].Racks["r009"] = "az-9"
			},
			rule: "MinimumZones", want: "instances must spread over 2 availability zones, and room was found in 1: in zone az-1 no host of pool p on rack r001 of cluster east-1 is ready; in zone az-9 no pool lists a host",
		},
		"racks without quota": {
			racks: 2, hosts: 1, cpu: 4000, count: 2, change: func(s *placement.Snapshot, c *placement.Component) {
				c.MinRacks = 2
				q := s.Pools[0]
				q.Name, q.Racks = "q", q.Racks[1:]
				s.Pools[0].Racks = s.Pools[0].Racks[:1]
				s.Pools = append(s.Pools, q)
			},
			rule: "MinimumRacks", want: `instances must spread over 2 racks, and room was found in 1: in rack r001 pool q has room: the tenant has no quota in environment "prod" for pool "q": have one set in the Tenant, or name another pool`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, r := hall(c.racks, c.hosts, c.cpu, c.count)
			if c.change != nil {
				c.change(&s, &r.Components[0])
			}
			d := placement.Place(s, []placement.Request{r}, placement.DefaultPolicy())[0]
			for _, x := range d.Reasons {
				if x.Refusal && x.Rule == c.rule && x.Message == c.want {
					return
				}
			}
			t.Errorf("refused is %v, because\n%v\nand not by %s: %s", d.Refused, d.Reasons, c.rule, c.want)
		})
	}
}

// TestRefusalIsBounded has two components find no room in many racks: what is said does not grow
// with the racks, and what is done for it (counted in allocations beyond those of looking at each
// rack once) no faster than they do.
func TestRefusalIsBounded(t *testing.T) {
	refuse := func(racks int) (work float64, words int) {
		s, r := hall(racks, 20, 16000, int32(racks*20*16+1000))
		two := r.Components[0]
		two.Name, two.Size.CPU = "two", 2000
		two.Counts = []placement.Count{{DCN: "dcn", Count: 1000}}
		r.Components[0].Counts[0].Count -= 1000
		r.Components = append(r.Components, two)
		f := placement.Open(s)
		work = testing.AllocsPerRun(1, func() {
			d := f.Place([]placement.Request{r}, placement.DefaultPolicy())[0]
			if !d.Refused {
				t.Fatal("two components have room where there is none for the second")
			}
			words = 0
			for _, x := range d.Reasons {
				if x.Refusal {
					words += len(strings.Fields(x.Message))
				}
			}
		})
		return work, words
	}
	few, said := refuse(10)
	many, saidOfMany := refuse(100)
	t.Logf("10 racks: %.0f allocations, %d words; 100 racks: %.0f, %d", few, said, many, saidOfMany)
	if many > 12*few || many > 30_000 {
		t.Errorf("a refusal takes %.0f allocations with 10 racks and %.0f with 100", few, many)
	}
	if saidOfMany > said+5 || saidOfMany > 120 {
		t.Errorf("a refusal has %d words with 10 racks and %d with 100", said, saidOfMany)
	}
}
