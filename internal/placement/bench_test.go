// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"

	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement"
)

// bigFleet has 5,000 hosts: two sites of 25 clusters, in each 5 racks of 20
// hosts in one pool, of 16 cores and 64 GiB.
func bigFleet() placement.Snapshot {
	s := placement.Snapshot{
		Zones:  []placement.Zone{{Name: "business", Levels: []string{"basic"}}},
		Levels: []placement.Level{{Name: "basic"}},
	}
	pool := placement.Pool{Name: "shared", Tenants: []string{"retail"}, Level: "basic", Zones: []string{"business"}, Kind: placement.RealHosts}
	for _, site := range []string{"east", "west"} {
		s.DCNs = append(s.DCNs, placement.DCN{Name: "dcn-" + site, DataCenter: site, Environment: "prod"})
		for c := range 25 {
			cluster := fmt.Sprintf("%s-%d", site, c)
			s.Clusters = append(s.Clusters, placement.Cluster{Name: cluster, DataCenter: site, Environment: "prod"})
			for r := range 5 {
				rack := placement.Rack{Cluster: cluster, Name: fmt.Sprintf("rack-%d", r)}
				for h := range 20 {
					rack.Hosts = append(rack.Hosts, placement.Host{
						Name: fmt.Sprintf("%s-%d-%d", cluster, r, h),
						Room: placement.Amount{CPU: 16000, Memory: 64 << 30, Instances: 110},
					})
				}
				pool.Racks = append(pool.Racks, rack)
			}
		}
	}
	s.Pools = []placement.Pool{pool}
	return s
}

// hundred are the requests of 100 applications of three components, 30
// instances each: 3,000 instances in all.
func hundred() []placement.Request {
	var out []placement.Request
	for n := range 100 {
		r := placement.Request{
			Application: fmt.Sprintf("retail-prod/app-%d", n), Tenant: "retail", Environment: "prod",
			Quotas: []tenancyv1.Quota{{
				Environment: "prod", Pool: "shared", Instances: 20000,
				CPU: resource.MustParse("100000"), Memory: resource.MustParse("100Ti"),
			}},
		}
		for i, count := range []int32{5, 5, 5} {
			r.Components = append(r.Components, placement.Component{
				Name: fmt.Sprintf("part-%d", i), Template: "sha256:1", Zone: "business", Level: "basic",
				Size:   placement.Amount{CPU: 500 * int64(1+i), Memory: 1 << 30, Instances: 1},
				Counts: []placement.Count{{DCN: "dcn-east", Count: count}, {DCN: "dcn-west", Count: count}},
			})
		}
		out = append(out, r)
	}
	return out
}

// placeAll decides for every request, each seeing what those before it reserved.
func placeAll(b *testing.B, s placement.Snapshot, requests []placement.Request) placement.Snapshot {
	b.Helper()
	for _, r := range requests {
		d := placement.Place(s, r, placement.DefaultPolicy())
		if d.Refused {
			b.Fatalf("refused %s: %v", r.Application, d.Reasons[0])
		}
		for _, a := range d.Assignments {
			s.Reserved = append(s.Reserved, placement.Reservation{Application: r.Application, Tenant: r.Tenant, Environment: r.Environment, Assignment: a})
		}
	}
	return s
}

// BenchmarkPlace5000Hosts decides where instances run in a fleet of 5,000
// hosts. "fleet" places 100 applications (3,000 instances) into the empty
// fleet; "next" places one application more into the full one. "floor" copies
// the snapshot once as JSON: what merely reading the fleet costs.
func BenchmarkPlace5000Hosts(b *testing.B) {
	empty, requests := bigFleet(), hundred()
	var full placement.Snapshot
	b.Run("fleet", func(b *testing.B) {
		for b.Loop() {
			full = placeAll(b, empty, requests)
		}
		b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*3000), "µs/instance")
	})
	if full.Reserved == nil {
		full = placeAll(b, empty, requests)
	}
	b.Run("next", func(b *testing.B) {
		one := requests[0]
		one.Application = "retail-prod/one-more"
		for b.Loop() {
			if d := placement.Place(full, one, placement.DefaultPolicy()); d.Refused {
				b.Fatal(d.Reasons[0])
			}
		}
	})
	b.Run("floor", func(b *testing.B) {
		for b.Loop() {
			if _, err := json.Marshal(full); err != nil {
				b.Fatal(err)
			}
		}
	})
}
