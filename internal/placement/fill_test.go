// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"

	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement"
)

// BenchmarkFill fills pools of hosts of 8 and of 16 cores with applications of random
// sizes, beside one spare host per rack, until nothing fits any more. It reports how much
// of what the spare hosts leave is held when the first application is refused, and in the
// end. It measures no time.
func BenchmarkFill(b *testing.B) {
	for _, pool := range []struct {
		name  string
		sizes []int64
		apart int
	}{
		{"1,2,4,8 cores", []int64{1, 2, 4, 8}, 0}, {"1,2 cores", []int64{1, 2}, 0}, {"4 cores, one in eight apart", []int64{4}, 8}, {"4 cores", []int64{4}, 0},
	} {
		for _, hosts := range []int{10, 50} {
			b.Run(fmt.Sprintf("%s/%d hosts", pool.name, hosts), func(b *testing.B) {
				var first, full float64
				for b.Loop() {
					first, full = fillUp(pool.sizes, pool.apart, hosts)
				}
				b.ReportMetric(100*first, "%-first")
				b.ReportMetric(100*full, "%-full")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

// fillUp fills four racks of so many hosts each. One of so many applications keeps its
// instances apart.
func fillUp(sizes []int64, apart, hosts int) (first, full float64) {
	pool := placement.Pool{Name: "p", Tenants: []string{"retail"}, Level: "basic", Zones: []string{"business"}, Kind: placement.RealHosts}
	var room, held int64
	for r := range 4 {
		rack := placement.Rack{Cluster: "east-1", Name: fmt.Sprint(r)}
		for h := range hosts {
			cpu := int64(8000 + 8000*(h%2))
			rack.Hosts = append(rack.Hosts, placement.Host{Name: fmt.Sprintf("%d-%d", r, h), Room: placement.Amount{CPU: cpu, Memory: cpu << 22, Instances: 110}})
			room += cpu
		}
		room -= 16000 // the spare one
		pool.Racks = append(pool.Racks, rack)
	}
	fleet := placement.Open(placement.Snapshot{
		Clusters: []placement.Cluster{{Name: "east-1", DataCenter: "dc-east", Environment: "prod"}},
		DCNs:     []placement.DCN{{Name: "dcn-east", DataCenter: "dc-east", Environment: "prod"}},
		Zones:    []placement.Zone{{Name: "business", Levels: []string{"basic"}}}, Levels: []placement.Level{{Name: "basic"}},
		Pools: []placement.Pool{pool},
	})
	dice := rand.New(rand.NewPCG(4, 95)) //nolint:gosec // a benchmark
	for n, refused := 0, 0; refused < 50; n++ {
		count := 1 + dice.IntN(12)
		if refused > 20 {
			count = 1 // what is left of room
		}
		cpu := sizes[dice.IntN(len(sizes))] * 1000
		c := placement.Component{
			Name: "app", Template: "t", Zone: "business", Level: "basic", MinRacks: 2, Size: placement.Amount{CPU: cpu, Memory: cpu << 22, Instances: 1},
			Counts: []placement.Count{{DCN: "dcn-east", Count: int32(count)}}, //nolint:gosec // small
		}
		if apart > 0 && n%apart == 0 {
			c.MaxPerHost = 1
		}
		d := fleet.Place([]placement.Request{{
			Application: fmt.Sprintf("retail-prod/app-%d", n), Tenant: "retail", Environment: "prod", Components: []placement.Component{c},
			Quotas: []tenancyv1.Quota{{Environment: "prod", Pool: "p", Instances: 1 << 20, CPU: resource.MustParse("1M"), Memory: resource.MustParse("1Pi")}},
		}}, placement.DefaultPolicy())[0]
		if d.Refused {
			if refused == 0 {
				first = float64(held) / float64(room)
			}
			refused++
			continue
		}
		held += int64(count) * cpu
	}
	return first, float64(held) / float64(room)
}
