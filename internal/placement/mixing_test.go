// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/fairway-cloud/fairway/internal/placement"
)

// TestSeparate compares how many more would fit if sizes had hosts of their own with every way
// to divide the hosts among the sizes, or among groups of them, in which an adversary tries each
// way to lay instances. What is said is reached by one of them; how often it is fewer than each
// size for itself could have is told.
func TestSeparate(t *testing.T) {
	var possible, missed int
	for range 60 { // a thousand cases that count, so that a share of them says something
		rapid.Check(t, func(r *rapid.T) {
			a := drawAdversary(r)
			for i := range a.lots {
				a.lots[i].most, a.lots[i].archs = 0, nil
			}
			a.archs = nil
			a.lots[0].n = 0 // it is asked for, and none is there
			policy := placement.DefaultPolicy()
			policy.SpareFrom = rapid.SampledFrom([]int{0, 0, 2, 3}).Draw(r, "spare")
			s := placement.Snapshot{Clusters: []placement.Cluster{{Name: "east-1", DataCenter: "dc-east", Environment: "prod"}}}
			rack := placement.Rack{Cluster: "east-1", Name: "a"}
			for i, h := range a.hosts {
				rack.Hosts = append(rack.Hosts, placement.Host{Name: fmt.Sprint(i), Room: h})
			}
			s.Pools = []placement.Pool{{Name: "p", Racks: []placement.Rack{rack}}}
			for i, x := range a.lots[1:] {
				held := placement.Assignment{Component: "app", Cell: placement.Cell{Cluster: "east-1", Pool: "p", Rack: "a"}, Seats: make([]int32, x.n), Size: x.size}
				s.Reserved = append(s.Reserved, placement.Reservation{Application: fmt.Sprint(i), Assignment: held})
			}
			got := placement.Capacity(s, []placement.NamedSize{{Name: "asked", Size: a.lots[0].size}}, func(string) placement.Policy { return policy })[0].More[0]
			a = a.housed()
			best := a.divide(policy.SpareFrom)
			if got.Separate < got.Instances || got.Separate > max(best, got.Instances) && !a.grouped(int(got.Separate), policy.SpareFrom) {
				r.Fatalf("hosts %v, held %v: %d more of %v, %d if divided; the best way to divide has %d", a.hosts, a.lots[1:], got.Instances, a.lots[0].size, got.Separate, best)
			}
			if best > got.Instances {
				possible++
				if got.Separate < best {
					missed++
				}
			}
		})
	}
	t.Logf("in %d cases hosts of their own bring more; in %d of them (%.1f %%) each size for itself could have more than was said", possible, missed, 100*float64(missed)/float64(possible))
	if !testing.Short() && possible < 300 || missed*3 > possible {
		t.Errorf("%d of %d: more than a third, or too few to tell", missed, possible)
	}
}

// divide is how many of the first lot's size fit beside the others in the best way to give each
// size hosts of its own; -1: there is none.
func (a *adversary) divide(spareFrom int) int64 {
	sizes := []placement.Amount{a.lots[0].size}
	there := []int{0}
	for _, x := range a.lots[1:] {
		i := 0
		for i < len(sizes) && sizes[i] != x.size {
			i++
		}
		if i == len(sizes) {
			sizes, there = append(sizes, x.size), append(there, 0)
		}
		there[i] += x.n
	}
	best := int64(-1)
	owner := make([]int, len(a.hosts))
	var give func(host int)
	give = func(host int) {
		if host < len(a.hosts) {
			for owner[host] = range sizes {
				give(host + 1)
			}
			return
		}
		var more int64
		for i, size := range sizes {
			var holds, largest int64
			n := 0
			for h, room := range a.hosts {
				if owner[h] != i {
					continue
				}
				each := int64(0)
				for size.Times(each + 1).Within(room) {
					each++
				}
				holds, largest, n = holds+each, max(largest, each), n+1
			}
			if spareFrom > 0 && n >= spareFrom {
				holds -= largest
			}
			if holds < int64(there[i]) {
				return
			}
			if i == 0 {
				more = holds - int64(there[i])
			}
		}
		best = max(best, more)
	}
	give(0)
	return best
}

// grouped reports whether so many more of the first lot's size find hosts in any order beside the
// others in some way to divide lots, and hosts among them.
func (a *adversary) grouped(more, spareFrom int) bool {
	lots := slices.Clone(a.lots)
	lots[0].n = more
	groups, owner := make([]int, len(lots)), make([]int, len(a.hosts))
	certain := func() bool {
		for g := range lots {
			part := &adversary{}
			for i, x := range lots {
				if groups[i] == g && x.n > 0 {
					part.lots = append(part.lots, x)
				}
			}
			for i, h := range a.hosts {
				if owner[i] == g {
					part.hosts = append(part.hosts, h)
				}
			}
			if !part.certain(spareFrom) {
				return false
			}
		}
		return true
	}
	var give func(host int) bool
	give = func(host int) bool {
		if host == len(a.hosts) {
			return certain()
		}
		for owner[host] = range lots {
			if give(host + 1) {
				return true
			}
		}
		return false
	}
	var group func(lot int) bool
	group = func(lot int) bool {
		if lot == len(lots) {
			return give(0)
		}
		for groups[lot] = range lots {
			if group(lot + 1) {
				return true
			}
		}
		return false
	}
	return group(0)
}

// certain reports whether all instances find their hosts in any order, without any one host from
// so many on.
func (a *adversary) certain(spareFrom int) bool {
	if spareFrom <= 0 || len(a.hosts) < spareFrom {
		return a.leftOver() == ""
	}
	for i := range a.hosts {
		without := &adversary{hosts: slices.Delete(slices.Clone(a.hosts), i, i+1), lots: a.lots}
		if without.leftOver() != "" {
			return false
		}
	}
	return true
}
