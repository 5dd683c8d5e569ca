// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"

	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement"
)

// What runs once or keeps an identity, leaves a place that is silent, and comes elsewhere has
// to be cut off first; nothing else has.
func TestCuts(t *testing.T) {
	at := func(rack string, seats ...int32) placement.Assignment {
		return placement.Assignment{Component: "db", Cell: placement.Cell{Cluster: "e1", Pool: "p", Rack: rack, DCN: "east"}, Seats: seats}
	}
	db := placement.Component{Name: "db", InPlace: true}
	for name, c := range map[string]struct {
		reason        string
		component     placement.Component
		before, after []placement.Assignment
		want          []string
	}{
		"moves": {
			"it may still run in the silent rack", db, []placement.Assignment{at("lost", 0, 1, 2), at("well", 1000)}, []placement.Assignment{at("lost"), at("well", 1000, 1001, 1002, 1003)},
			[]string{"seats 0-2 of component db, which keeps an identity, leave rack lost of pool p in cluster e1"},
		},
		"one of a job": {
			"a job runs once only", placement.Component{Name: "db", OneCell: true}, []placement.Assignment{at("lost", 4)}, []placement.Assignment{at("well", 1000)},
			[]string{"seat 4 of component db, which runs once only, leave rack lost of pool p in cluster e1"},
		},
		"some stay":       {"who stays is no matter", db, []placement.Assignment{at("lost", 0, 1, 2)}, []placement.Assignment{at("lost", 0, 2), at("well", 1000)}, []string{"seat 1 of component db, which keeps an identity, leave rack lost of pool p in cluster e1"}},
		"a service":       {"two of it may run", placement.Component{Name: "db"}, []placement.Assignment{at("lost", 0)}, []placement.Assignment{at("well", 1000)}, nil},
		"from what is ok": {"who answers says when it has stopped", db, []placement.Assignment{at("well", 0)}, []placement.Assignment{at("other", 1000)}, nil},
		"fewer":           {"nothing starts elsewhere", db, []placement.Assignment{at("lost", 0, 1), at("well", 1000)}, []placement.Assignment{at("lost", 0), at("well", 1000)}, nil},
		"more":            {"nothing leaves", db, []placement.Assignment{at("lost", 0, 1)}, []placement.Assignment{at("lost", 0, 1), at("well", 1000)}, nil},
		"another's":       {"a component that is not asked for", placement.Component{Name: "web", InPlace: true}, []placement.Assignment{at("lost", 0)}, []placement.Assignment{at("well", 1000)}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, x := range placement.Cuts([]placement.Component{c.component}, c.before, c.after, func(c placement.Cell) bool { return c.Rack == "lost" }) {
				got = append(got, x.String())
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s: (-want +got)\n%s", c.reason, diff)
			}
		})
	}
}

// The words stay short, however many racks were lost.
func TestUnfencedIsBounded(t *testing.T) {
	if got := placement.Unfenced(nil); got != "" {
		t.Errorf("%q: want nothing", got)
	}
	got := placement.Unfenced(make([]placement.Cut, 300))
	if !strings.Contains(got, "and so do others in 296 racks more") || len(got) > 1024 || !strings.Contains(got, "--fenced") {
		t.Errorf("%q: want the rest counted, and what to do", got)
	}
}

// A request that takes what keeps an identity out of a place that does not answer is refused
// until somebody says that it was cut off; in a rack whose hosts changed pool they answer.
func TestPlaceAsksForFencing(t *testing.T) {
	host := func(name string) []placement.Host {
		return []placement.Host{{Name: name, Room: placement.Amount{CPU: 8000, Memory: 8 << 30, Instances: 20}}}
	}
	pool := func(name string, racks ...placement.Rack) placement.Pool {
		return placement.Pool{Name: name, Tenants: []string{"retail"}, Level: "l3", Zones: []string{"business"}, Kind: placement.RealHosts, Racks: racks}
	}
	cell := placement.Cell{Cluster: "e1", Pool: "p", Zone: "business", Rack: "a", DCN: "east"}
	previous := placement.Assignment{Component: "db", Template: "t", Cell: cell, Seats: []int32{0, 1}, Size: placement.Amount{CPU: 1000, Memory: 1 << 30, Instances: 1}, Hosts: []string{"a1"}}
	fleet := func(away string, pools ...placement.Pool) placement.Snapshot {
		return placement.Snapshot{
			Clusters: []placement.Cluster{{Name: "e1", DataCenter: "dc-east", Environment: "prod", Away: away}, {Name: "w1", DataCenter: "dc-west", Environment: "prod"}},
			DCNs:     []placement.DCN{{Name: "east", DataCenter: "dc-east", Environment: "prod"}, {Name: "west", DataCenter: "dc-west", Environment: "prod"}},
			Zones:    []placement.Zone{{Name: "business", Levels: []string{"l3"}}}, Levels: []placement.Level{{Name: "l3"}}, Pools: pools,
			Reserved: []placement.Reservation{{Application: "retail-prod/pay", Tenant: "retail", Environment: "prod", Assignment: previous}},
		}
	}
	a, west := placement.Rack{Cluster: "e1", Name: "a", Hosts: host("a1")}, placement.Rack{Cluster: "w1", Name: "w", Hosts: host("w1")}
	empty := placement.Rack{Cluster: "e1", Name: "a"}
	for name, c := range map[string]struct {
		reason   string
		fleet    placement.Snapshot
		unfenced bool
		refused  bool
	}{
		"all well":       {"what answers says when it has stopped", fleet("", pool("p", a, west)), true, false},
		"a cluster":      {"nobody knows", fleet("it does not answer", pool("p", a, west)), true, true},
		"a rack":         {"no host of it is ready", fleet("", pool("p", empty, west)), true, true},
		"it was cut off": {"somebody said so", fleet("it does not answer", pool("p", a, west)), false, false},
		"another pool":   {"its hosts answer in another pool", fleet("", pool("p", empty, west), pool("q", a)), true, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := placement.Request{
				Application: "retail-prod/pay", Tenant: "retail", Environment: "prod", HostKind: placement.RealHosts, Previous: []placement.Assignment{previous}, Unfenced: c.unfenced,
				Quotas:     []tenancyv1.Quota{{Environment: "prod", Pool: "p", Instances: 9, CPU: resource.MustParse("9"), Memory: resource.MustParse("9Gi")}},
				Components: []placement.Component{{Name: "db", Template: "t", Zone: "business", Level: "l3", Size: previous.Size, InPlace: true, Counts: []placement.Count{{DCN: "west", Count: 2}}}},
			}
			f := placement.Open(c.fleet)
			if f.Silent(cell) != c.fleet.Silent(cell) {
				t.Errorf("a Fleet and its Snapshot do not agree on whether the cell is silent")
			}
			p := placement.DefaultPolicy()
			p.SpareFrom = 0
			d := f.Place([]placement.Request{r}, p)[0]
			if d.Refused != c.refused {
				t.Fatalf("%s: refused %v: %+v", c.reason, d.Refused, d.Reasons)
			}
			if last := d.Reasons[len(d.Reasons)-1]; c.refused && (last.Rule != "Fenced" || !last.Refusal || !strings.Contains(last.Message, "seats 0-1 of component db, which keeps an identity, leave rack a of pool p in cluster e1")) {
				t.Errorf("%+v: want who leaves what", last)
			}
		})
	}
}
