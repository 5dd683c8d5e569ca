// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement_test

import (
	"fmt"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"
	"pgregory.net/rapid"

	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement"
)

// TestRoomIsCertain has an adversary try each way to lay instances on the hosts of a rack
// so that one of them finds none. What was placed has to withstand him; how much of what
// would have, was refused, is told. Of what is there and has no host at all, none is asked for.
// A member that does not know the bound of a host keeps all of it but the bound.
func TestRoomIsCertain(t *testing.T) {
	var certain, refused, stranded int
	for range 10 {
		rapid.Check(t, func(r *rapid.T) {
			a := drawAdversary(r)
			placed := a.place()
			there := a.housed()
			if len(there.lots) < len(a.lots) {
				stranded++
			}
			left := there.leftOver()
			switch {
			case placed && left != "":
				r.Fatalf("placed %v on %v, and one of size %s may find no host", a.lots, a.hosts, left)
			case placed && there.heedless().leftOver() != "":
				r.Fatalf("placed %v on %v, and one may find no host where the member does not bound hosts", a.lots, a.hosts)
			case left == "":
				certain++
				if !placed {
					refused++
				}
			}
		})
	}
	t.Logf("%d sets of instances find their hosts in any order; %d of them (%.1f %%) were refused", certain, refused, 100*float64(refused)/float64(certain))
	if !testing.Short() && stranded < 20 {
		t.Errorf("in %d cases something had no host at all: that says little", stranded)
	}
	if refused*25 > certain {
		t.Errorf("%d of %d were refused, more than one in 25", refused, certain)
	}
}

// TestLargerRoomsAreCertain does the same for racks in which not every way to close the hosts
// is tried, and of whose lots most have a bound of each host: what is refused there is what the
// bounds of cover.go cost, beside a lot or two of other sizes.
func TestLargerRoomsAreCertain(t *testing.T) {
	var certain, refused int
	rapid.Check(t, func(r *rapid.T) {
		a := &adversary{}
		cpus := rapid.SampledFrom([][]int64{{1, 2, 4}, {2, 3, 5}, {1, 4}}).Draw(r, "sizes")
		for range rapid.IntRange(4, 10).Draw(r, "hosts") {
			a.hosts = append(a.hosts, placement.Amount{CPU: rapid.SampledFrom([]int64{8, 8, 16}).Draw(r, "cpu"), Memory: 64, Instances: 20})
		}
		for range rapid.IntRange(1, 3).Draw(r, "lots") {
			a.lots = append(a.lots, adverse{
				size: placement.Amount{CPU: rapid.SampledFrom(cpus).Draw(r, "size"), Memory: 1, Instances: 1}, n: rapid.IntRange(3, 14).Draw(r, "n"),
				most: rapid.SampledFrom([]int{0, 1, 2, 2, 3, 4}).Draw(r, "most of a host"),
			})
		}
		placed := a.place()
		left := a.leftOver()
		switch {
		case placed && left != "":
			r.Fatalf("placed %v on %v, and one of size %s may find no host", a.lots, a.hosts, left)
		case placed && a.heedless().leftOver() != "":
			r.Fatalf("placed %v on %v, and one may find no host where the member does not bound hosts", a.lots, a.hosts)
		case left == "":
			certain++
			if !placed {
				refused++
			}
		}
	})
	t.Logf("%d sets of instances find their hosts in any order; %d of them (%.1f %%) were refused", certain, refused, 100*float64(refused)/float64(max(certain, 1)))
}

// adversary is a rack and what is to lie on it. The first lot is asked for, the others are
// there.
type adversary struct {
	hosts []placement.Amount
	// archs are the hosts' processors; nil: they are alike.
	archs []string
	lots  []adverse
	// tried are the states from which there is no way, of the lot that is looked at: hosts that
	// are closed, and how many are left of each lot.
	tried map[string]bool
}

// adverse is instances of one application.
type adverse struct {
	size placement.Amount
	n    int
	// most that one host may hold of them. 0: no bound.
	most int
	// archs that it runs on; nil: any.
	archs []string
}

func drawAdversary(r *rapid.T) *adversary {
	a := &adversary{}
	// Sizes and hosts as a bank has them, multiples of each other, and such that are not.
	cpus := rapid.SampledFrom([][]int64{{1, 2, 4}, {1, 2, 3}, {2, 3, 5}, {1, 4}}).Draw(r, "sizes")
	memories := rapid.SampledFrom([][]int64{{1, 2, 4}, {1, 2, 4}, {2, 3, 5}, {1, 1, 8}}).Draw(r, "memories")
	for range rapid.IntRange(1, 4).Draw(r, "hosts") {
		a.hosts = append(a.hosts, placement.Amount{
			CPU: rapid.SampledFrom([]int64{4, 5, 8, 16}).Draw(r, "cpu"), Memory: rapid.SampledFrom([]int64{4, 8, 16}).Draw(r, "memory"), Instances: rapid.SampledFrom([]int64{3, 20, 20, 20}).Draw(r, "instances"),
		})
	}
	mixed := rapid.IntRange(0, 2).Draw(r, "processors") == 0
	for range a.hosts {
		if mixed {
			a.archs = append(a.archs, rapid.SampledFrom([]string{"amd64", "amd64", "arm64"}).Draw(r, "processor"))
		}
	}
	for range rapid.IntRange(1, 3).Draw(r, "lots") {
		k := rapid.IntRange(0, len(cpus)-1).Draw(r, "size")
		a.lots = append(a.lots, adverse{
			size: placement.Amount{CPU: cpus[k], Memory: memories[k], Instances: 1}, n: rapid.IntRange(1, 5).Draw(r, "n"),
			most: rapid.SampledFrom([]int{0, 0, 1, 2, 3}).Draw(r, "most of a host"),
		})
		if mixed {
			a.lots[len(a.lots)-1].archs = rapid.SampledFrom([][]string{nil, {"amd64"}, {"arm64"}, {"amd64", "arm64"}}).Draw(r, "runs on")
		}
	}
	return a
}

// place says whether the first lot was placed beside the others.
func (a *adversary) place() bool {
	s := placement.Snapshot{
		Clusters: []placement.Cluster{{Name: "east-1", DataCenter: "dc-east", Environment: "prod"}},
		DCNs:     []placement.DCN{{Name: "dcn-east", DataCenter: "dc-east", Environment: "prod"}},
		Zones:    []placement.Zone{{Name: "business", Levels: []string{"basic"}}}, Levels: []placement.Level{{Name: "basic"}},
	}
	rack := placement.Rack{Cluster: "east-1", Name: "a"}
	for i, h := range a.hosts {
		rack.Hosts = append(rack.Hosts, placement.Host{Name: fmt.Sprint(i), Room: placement.Amount{CPU: h.CPU * 1000, Memory: h.Memory << 30, Instances: h.Instances}})
		if a.archs != nil {
			rack.Hosts[i].Arch = a.archs[i]
		}
	}
	s.Pools = []placement.Pool{{Name: "p", Tenants: []string{"retail"}, Level: "basic", Zones: []string{"business"}, Kind: placement.RealHosts, Racks: []placement.Rack{rack}}}
	size := func(x adverse) placement.Amount {
		return placement.Amount{CPU: x.size.CPU * 1000, Memory: x.size.Memory << 30, Instances: 1}
	}
	for i, x := range a.lots[1:] {
		held := placement.Assignment{
			Component: "app", Template: "t", Cell: placement.Cell{Cluster: "east-1", Pool: "p", Zone: "business", Rack: "a", DCN: "dcn-east"}, Size: size(x),
			MaxPerHost: int32(x.most), Archs: x.archs, //nolint:gosec // small
		}
		for n := range x.n {
			held.Seats = append(held.Seats, int32(n)) //nolint:gosec // small
		}
		s.Reserved = append(s.Reserved, placement.Reservation{Application: fmt.Sprintf("retail-prod/other-%d", i), Tenant: "retail", Environment: "prod", Assignment: held})
	}
	c := placement.Component{
		Name: "app", Template: "t", Zone: "business", Level: "basic", Size: size(a.lots[0]), Counts: []placement.Count{{DCN: "dcn-east", Count: int32(a.lots[0].n)}}, //nolint:gosec // small
		MaxPerHost: int32(a.lots[0].most), Archs: a.lots[0].archs, //nolint:gosec // small
	}
	policy := placement.DefaultPolicy()
	policy.SpareFrom = 0
	d := placement.Place(s, []placement.Request{{
		Application: "retail-prod/pay", Tenant: "retail", Environment: "prod", Components: []placement.Component{c},
		Quotas: []tenancyv1.Quota{{Environment: "prod", Pool: "p", Instances: 1000, CPU: resource.MustParse("1000"), Memory: resource.MustParse("10Ti")}},
	}}, policy)[0]
	return !d.Refused
}

// housed is the rack without those of the others that none of its hosts could take if it were
// empty: they wait for one of their kind, wherever the rest lies.
func (a *adversary) housed() *adversary {
	out := *a
	out.lots = nil
	for i, x := range a.lots {
		for host, room := range a.hosts {
			if i == 0 || x.size.Within(room) && a.uses(x, host) {
				out.lots = append(out.lots, x)
				break
			}
		}
	}
	return &out
}

// heedless is the rack in a member that does not bound what a host holds of a lot, as old
// ones do not.
func (a *adversary) heedless() *adversary {
	out := *a
	out.lots = slices.Clone(a.lots)
	for i := range out.lots {
		out.lots[i].most = 0
	}
	return &out
}

// uses reports whether a lot may lie on a host.
func (a *adversary) uses(x adverse, host int) bool {
	return a.archs == nil || x.archs == nil || slices.Contains(x.archs, a.archs[host])
}

// leftOver names a lot of which one instance can be left without a host; "": none.
func (a *adversary) leftOver() string {
	for i, x := range a.lots {
		left := make([]int, len(a.lots))
		for j := range a.lots {
			left[j] = a.lots[j].n
		}
		left[i]--
		a.tried = map[string]bool{}
		if a.close(i, 0, left) {
			return fmt.Sprintf("%d CPU", x.size.CPU)
		}
	}
	return ""
}

// close lays what is left onto the hosts from one on so that none takes one more of a lot.
func (a *adversary) close(victim, host int, left []int) bool {
	if host == len(a.hosts) {
		return true
	}
	state := fmt.Sprint(host, left)
	if a.tried[state] {
		return false
	}
	if a.lay(victim, host, 0, left, a.hosts[host], 0) {
		return true
	}
	a.tried[state] = true
	return false
}

// lay tries each number of each lot from one on, on a host with so much room and so many
// siblings of the victim.
func (a *adversary) lay(victim, host, from int, left []int, room placement.Amount, siblings int) bool {
	v := a.lots[victim]
	if v.most > 0 && siblings >= v.most || !v.size.Within(room) || !a.uses(v, host) {
		return a.close(victim, host+1, left) // it is closed, and more on it would be wasted
	}
	if from == len(a.lots) {
		return false
	}
	x := a.lots[from]
	most := left[from]
	if x.most > 0 {
		most = min(most, x.most)
	}
	if !a.uses(x, host) {
		most = 0
	}
	for n := 0; n <= most && x.size.Times(int64(n)).Within(room); n++ {
		then := slices.Clone(left)
		then[from] -= n
		beside := siblings
		if from == victim {
			beside += n
		}
		if a.lay(victim, host, from+1, then, room.Plus(x.size.Times(int64(-n))), beside) {
			return true
		}
	}
	return false
}
