// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement_test

import (
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

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

// bankFleet is a whole bank: clusters of 5,000 hosts in ten sites with a DCN of
// each, 40 hosts to a rack, pools of 2,500 hosts of two kinds for 50 tenants.
func bankFleet(clusters int) placement.Snapshot {
	s := placement.Snapshot{
		Zones:  []placement.Zone{{Name: "business", Levels: []string{"basic"}}},
		Levels: []placement.Level{{Name: "basic"}},
	}
	pools := make([]placement.Pool, 50)
	for i := range pools {
		pools[i] = placement.Pool{Name: fmt.Sprintf("pool-%02d", i), Tenants: []string{fmt.Sprintf("tenant-%02d", i)}, Level: "basic", Zones: []string{"business"}, Kind: placement.RealHosts}
	}
	kinds := []placement.Amount{{CPU: 31000, Memory: 120 << 30, Instances: 110}, {CPU: 63000, Memory: 250 << 30, Instances: 250}}
	for c := range clusters {
		site := fmt.Sprintf("site-%d", c%10)
		if c < 10 {
			d := placement.DataCenter{Name: site, Racks: map[string]string{}}
			for cc := c; cc < clusters; cc += 10 {
				for r := range 125 {
					d.Racks[fmt.Sprintf("c%d-r%d", cc, r)] = fmt.Sprintf("az-%d", r%3)
				}
			}
			s.DataCenters = append(s.DataCenters, d)
			s.DCNs = append(s.DCNs, placement.DCN{Name: "dcn-" + site, DataCenter: site, Environment: "prod"})
		}
		name := fmt.Sprintf("c%d", c)
		s.Clusters = append(s.Clusters, placement.Cluster{Name: name, DataCenter: site, Environment: "prod"})
		for r := range 125 {
			// Each cluster is home to five tenants, which meet in each of its racks.
			for t := range 5 {
				p := &pools[(c/10*5+t)%50]
				rack := placement.Rack{Cluster: name, Name: fmt.Sprintf("c%d-r%d", c, r)}
				for h := range 8 {
					rack.Hosts = append(rack.Hosts, placement.Host{Name: fmt.Sprintf("c%d-r%d-%d-%d", c, r, t, h), Room: kinds[h%2], Arch: "amd64"})
				}
				p.Racks = append(p.Racks, rack)
			}
		}
	}
	s.Pools = pools
	return s
}

// bankRequests are applications of four components of the bank's size classes, in
// two DCNs, with as many instances in all as wanted.
func bankRequests(instances int) []placement.Request {
	const each = 100
	quotas := map[string][]tenancyv1.Quota{}
	var out []placement.Request
	for n := range instances / each {
		tenant := n % 50
		name := fmt.Sprintf("tenant-%02d", tenant)
		if quotas[name] == nil {
			quotas[name] = []tenancyv1.Quota{{Environment: "prod", Pool: fmt.Sprintf("pool-%02d", tenant), Instances: 1 << 40, CPU: resource.MustParse("1G"), Memory: resource.MustParse("1Ei")}}
		}
		r := placement.Request{Application: fmt.Sprintf("%s-prod/app-%d", name, n), Tenant: name, Environment: "prod", Quotas: quotas[name]}
		sites := [2]string{fmt.Sprintf("dcn-site-%d", n%10), fmt.Sprintf("dcn-site-%d", (n/10+n+1)%10)}
		if sites[0] == sites[1] {
			sites[1] = fmt.Sprintf("dcn-site-%d", (n+3)%10)
		}
		for i, count := range []int32{20, 15, 10, 5} {
			c := placement.Component{
				Name: fmt.Sprintf("part-%d", i), Template: "sha256:1", Zone: "business", Level: "basic", MinRacks: 2, Archs: []string{"amd64"},
				Size: placement.Amount{CPU: 250 << i, Memory: 512 << 20 << i, Instances: 1},
			}
			for _, dcn := range sites {
				c.Counts = append(c.Counts, placement.Count{DCN: dcn, Count: count})
			}
			r.Components = append(r.Components, c)
		}
		out = append(out, r)
	}
	return out
}

func placeAll(b *testing.B, f *placement.Fleet, requests []placement.Request) {
	b.Helper()
	for i, d := range f.Place(requests, placement.DefaultPolicy()) {
		if d.Refused {
			b.Fatalf("refused %s: %v", requests[i].Application, d.Reasons)
		}
	}
}

// BenchmarkPlace5000Hosts decides where instances run in a fleet of 5,000
// hosts. "fleet" places 100 applications (3,000 instances) into the empty
// fleet; "next" places one application more into the full one. "floor" copies
// the snapshot once as JSON: what merely reading the fleet costs.
func BenchmarkPlace5000Hosts(b *testing.B) {
	empty, requests := bigFleet(), hundred()
	b.Run("fleet", func(b *testing.B) {
		for b.Loop() {
			placeAll(b, placement.Open(empty), requests)
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*3000), "ns/instance")
	})
	full := placement.Open(empty)
	placeAll(b, full, requests)
	b.Run("next", func(b *testing.B) {
		one := requests[0]
		for n := 0; b.Loop(); n++ {
			one.Application = fmt.Sprintf("retail-prod/one-more-%d", n)
			placeAll(b, full, []placement.Request{one})
			full.Hold(one.Application, nil)
		}
	})
	b.Run("floor", func(b *testing.B) {
		for b.Loop() {
			if _, err := json.Marshal(empty); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkPlaceAsKubeScheduler places what kubebox/scheduling has kube-scheduler
// schedule: 10,000 instances of 100 applications in four sizes onto 5,000 hosts of two
// sites. "all" decides in one go, "each" one application after another, each keeping
// its own time.
func BenchmarkPlaceAsKubeScheduler(b *testing.B) {
	fleet := bigFleet()
	var requests []placement.Request
	for n, r := range hundred() {
		r.Application, r.Components = fmt.Sprintf("retail-prod/app-%d", n), nil
		for i := range 4 {
			r.Components = append(r.Components, placement.Component{
				Name: fmt.Sprintf("part-%d", i), Template: "sha256:1", Zone: "business", Level: "basic",
				Size:   placement.Amount{CPU: 250 << i, Memory: 512 << 20 << i, Instances: 1},
				Counts: []placement.Count{{DCN: "dcn-east", Count: 13 - int32(n%2)}, {DCN: "dcn-west", Count: 12 + int32(n%2)}},
			})
		}
		requests = append(requests, r)
	}
	b.Run("all", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			f := placement.Open(fleet)
			b.StartTimer()
			placeAll(b, f, requests)
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*10_000), "ns/instance")
	})
	b.Run("each", func(b *testing.B) {
		var took []time.Duration
		for b.Loop() {
			f := placement.Open(fleet)
			for _, r := range requests {
				began := time.Now()
				placeAll(b, f, []placement.Request{r})
				took = append(took, time.Since(began))
			}
		}
		slices.Sort(took)
		b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs/application")
	})
}

// BenchmarkPlaceBank places 1,000,000 instances on 500,000 hosts of 100 clusters:
// "cold" from nothing, and "open" makes the fleet ready only. The others follow a change
// of one percent: "hosts" of 5,000 hosts, of which each tenth has another size, in their
// racks; "new" places 10,000 instances of 100 applications anew beside what they hold;
// "again" decides about 100 applications of which one component has one instance more.
// "MiB" is what the fleet takes in memory when all is placed, decisions aside.
func BenchmarkPlaceBank(b *testing.B) {
	if testing.Short() {
		b.Skip("it takes some gigabytes")
	}
	snapshot, requests := bankFleet(100), bankRequests(1_000_000)
	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			placement.Open(snapshot)
		}
	})
	var full *placement.Fleet
	b.Run("cold", func(b *testing.B) {
		before := heap()
		for b.Loop() {
			full = placement.Open(snapshot)
			placeAll(b, full, requests)
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*1_000_000), "ns/instance")
		b.ReportMetric(float64(heap()-before)/(1<<20), "MiB")
	})
	if full == nil {
		return
	}
	b.Run("hosts", func(b *testing.B) {
		pool := snapshot.Pools[7]
		for n := 0; b.Loop(); n++ {
			for _, rack := range pool.Racks[:min(625, len(pool.Racks))] {
				rack.Hosts = slices.Clone(rack.Hosts)
				rack.Hosts[n%8].Room.CPU -= 1000
				full.SetRack(pool.Name, rack)
			}
		}
	})
	b.Run("new", func(b *testing.B) {
		for b.Loop() {
			placeAll(b, full, requests[:100])
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*10_000), "ns/instance")
	})
	b.Run("explained", func(b *testing.B) {
		p := placement.DefaultPolicy()
		p.Explain = true
		for b.Loop() {
			full.Place(requests[:10], p)
		}
		b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*10), "µs/application")
	})
	again := slices.Clone(requests[100:200])
	for i, d := range full.Place(again, placement.DefaultPolicy()) {
		again[i].Previous = d.Assignments
		full.Hold(again[i].Application, nil)
	}
	full.Place(again, placement.DefaultPolicy())
	for i := range again {
		again[i].Components = slices.Clone(again[i].Components)
		last := &again[i].Components[3]
		last.Counts = slices.Clone(last.Counts)
		last.Counts[0].Count++
	}
	b.Run("again", func(b *testing.B) {
		for b.Loop() {
			placeAll(b, full, again)
		}
	})
}

// heap is what is in memory and in use.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc) //nolint:gosec // far below
}
