// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"

	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement"
)

// sampler places as Sparrow does (Ousterhout et al., "Sparrow: distributed, low latency
// scheduling", SOSP 2013): for each m instances it probes d × m hosts of the DCN at
// random and takes the m least loaded that have room. It knows nothing of racks. What
// finds no room among 20 × d probes is refused.
type sampler struct {
	d      int
	random *rand.Rand
	// hosts by DCN.
	hosts map[string][]*sampled
}

type sampled struct {
	cell placement.Cell
	all  placement.Amount
	used placement.Amount
}

func (h *sampled) load(size placement.Amount) int64 {
	then := h.used.Plus(size)
	return max(then.CPU*1000/h.all.CPU, then.Memory*1000/h.all.Memory)
}

func newSampler(s placement.Snapshot, d int) *sampler {
	w := &sampler{d: d, random: rand.New(rand.NewPCG(1, uint64(d))), hosts: map[string][]*sampled{}} //nolint:gosec // a benchmark
	site := map[string]string{}
	for _, c := range s.Clusters {
		site[c.Name] = c.DataCenter
	}
	for _, p := range s.Pools {
		for _, r := range p.Racks {
			for _, h := range r.Hosts {
				dcn := "dcn-" + site[r.Cluster]
				w.hosts[dcn] = append(w.hosts[dcn], &sampled{cell: placement.Cell{Cluster: r.Cluster, Pool: p.Name, Zone: p.Zones[0], Rack: r.Name, DCN: dcn}, all: h.Room})
			}
		}
	}
	return w
}

func (w *sampler) place(r placement.Request) placement.Decision {
	var d placement.Decision
	for _, c := range r.Components {
		blocks := map[placement.Cell]int{}
		for _, count := range c.Counts {
			for range count.Count {
				h := w.least(count.DCN, c.Size)
				if h == nil {
					d.Refused = true
					return d
				}
				h.used = h.used.Plus(c.Size)
				i, there := blocks[h.cell]
				if !there {
					i = len(d.Assignments)
					d.Assignments = append(d.Assignments, placement.Assignment{
						Component: c.Name, Template: c.Template, Cell: h.cell, Size: c.Size, Block: int32(len(blocks) * placement.SeatsPerBlock), //nolint:gosec // small
					})
					blocks[h.cell] = i
				}
				a := &d.Assignments[i]
				a.Seats = append(a.Seats, a.Block+int32(len(a.Seats))) //nolint:gosec // small
			}
		}
	}
	return d
}

func (w *sampler) least(dcn string, size placement.Amount) *sampled {
	var best *sampled
	for try := range 20 * w.d {
		if try >= w.d && best != nil {
			break
		}
		h := w.hosts[dcn][w.random.IntN(len(w.hosts[dcn]))]
		if h.used.Plus(size).Within(h.all) && (best == nil || h.load(size) < best.load(size)) {
			best = h
		}
	}
	return best
}

// BenchmarkQuality compares decisions with those of a sampling scheduler on 1,000 hosts
// of two sites, filled to 60 and to 90 percent by applications of four sizes: what they
// cost by the function Cost where both placed them (below 1: cheaper than sampling), and
// how many were refused. It measures no time.
func BenchmarkQuality(b *testing.B) {
	fleet := bigFleet()
	pool := &fleet.Pools[0]
	pool.Racks = slices.DeleteFunc(slices.Clone(pool.Racks), func(r placement.Rack) bool {
		return !slices.Contains([]string{"east-0", "east-1", "east-2", "east-3", "east-4", "west-0", "west-1", "west-2", "west-3", "west-4"}, r.Cluster)
	})
	for _, percent := range []int64{60, 90} {
		requests := mixed(16_000*1_000/100*percent, pool.Name)
		for _, d := range []int{2, 10} {
			b.Run(fmt.Sprintf("%d%%/%d-choices", percent, d), func(b *testing.B) {
				for b.Loop() {
					ours := quality(fleet, requests, func(s placement.Snapshot) func(placement.Request) placement.Decision {
						f := placement.Open(s)
						return func(r placement.Request) placement.Decision {
							return f.Place([]placement.Request{r}, placement.DefaultPolicy())[0]
						}
					})
					theirs := quality(fleet, requests, func(s placement.Snapshot) func(placement.Request) placement.Decision {
						return newSampler(s, d).place
					})
					var cost, sampling, refused, samplingRefused int64
					for i := range requests {
						switch {
						case ours[i] < 0:
							refused++
						case theirs[i] >= 0:
							cost, sampling = cost+ours[i], sampling+theirs[i]
						}
						if theirs[i] < 0 {
							samplingRefused++
						}
					}
					b.ReportMetric(float64(cost)/float64(sampling), "cost/sampling's")
					b.ReportMetric(float64(refused), "refused")
					b.ReportMetric(float64(samplingRefused), "sampling-refused")
				}
			})
		}
	}
}

// mixed are applications of four components that want so many thousandths of a core in all.
func mixed(cpu int64, pool string) []placement.Request {
	random := rand.New(rand.NewPCG(7, 7)) //nolint:gosec // a benchmark
	var out []placement.Request
	for n := 0; cpu > 0; n++ {
		r := placement.Request{
			Application: fmt.Sprintf("retail-prod/app-%d", n), Tenant: "retail", Environment: "prod",
			Quotas: []tenancyv1.Quota{{Environment: "prod", Pool: pool, Instances: 1 << 40, CPU: resource.MustParse("1G"), Memory: resource.MustParse("1Ei")}},
		}
		for i := range 4 {
			c := placement.Component{
				Name: fmt.Sprintf("part-%d", i), Template: "sha256:1", Zone: "business", Level: "basic",
				Size: placement.Amount{CPU: 250 << i, Memory: 1 << 30 << i, Instances: 1},
			}
			for _, dcn := range []string{"dcn-east", "dcn-west"} {
				count := 2 + random.Int32N(10)
				c.Counts = append(c.Counts, placement.Count{DCN: dcn, Count: count})
				cpu -= c.Size.CPU * int64(count)
			}
			r.Components = append(r.Components, c)
		}
		out = append(out, r)
	}
	return out
}

// quality places requests one after another, and says what each cost when it was made;
// -1: it was refused.
func quality(s placement.Snapshot, requests []placement.Request, with func(placement.Snapshot) func(placement.Request) placement.Decision) []int64 {
	place := with(s)
	costs := make([]int64, len(requests))
	for i, r := range requests {
		d := place(r)
		if d.Refused {
			costs[i] = -1
			continue
		}
		costs[i] = placement.Cost(s, r, d, placement.DefaultPolicy())
		for _, a := range d.Assignments {
			s.Reserved = append(s.Reserved, placement.Reservation{Application: r.Application, Tenant: r.Tenant, Environment: r.Environment, Placement: "p", Assignment: a})
		}
	}
	return costs
}
