// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"

	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement"
)

// partners are two DCNs of one site with three racks, and an application that runs in
// one of them on rack-1 of cluster moving.
func partners() placement.Snapshot {
	s := placement.Snapshot{
		Zones: []placement.Zone{{Name: "business", Levels: []string{"basic"}}}, Levels: []placement.Level{{Name: "basic"}},
		Clusters: []placement.Cluster{{Name: "moving", DataCenter: "east", Environment: "prod"}, {Name: "staying", DataCenter: "east", Environment: "prod"}},
		DCNs: []placement.DCN{
			{Name: "dcn-east", DataCenter: "east", Environment: "prod", Partner: "dcn-other"},
			{Name: "dcn-other", DataCenter: "east", Environment: "prod", Partner: "dcn-east"},
		},
		Reserved: []placement.Reservation{held("retail-prod/pay", "moving", "rack-1", "dcn-east", 2)},
	}
	pool := placement.Pool{Name: "shared", Tenants: []string{"retail"}, Level: "basic", Zones: []string{"business"}, Kind: placement.RealHosts}
	for _, c := range s.Clusters {
		for i := range 3 {
			rack := fmt.Sprintf("rack-%d", i)
			pool.Racks = append(pool.Racks, placement.Rack{Cluster: c.Name, Name: rack, Hosts: []placement.Host{
				{Name: c.Name + rack, Room: placement.Amount{CPU: 4000, Memory: 8 << 30, Instances: 20}},
			}})
		}
	}
	s.Pools = []placement.Pool{pool}
	return s
}

// held is n instances of one core in a rack.
func held(application, cluster, rack, dcn string, n int32) placement.Reservation {
	r := placement.Reservation{Application: application, Tenant: "retail", Environment: "prod", Assignment: placement.Assignment{
		Component: "account", Template: "t1", Cell: placement.Cell{Cluster: cluster, Pool: "shared", Zone: "business", Rack: rack, DCN: dcn},
		Size: placement.Amount{CPU: 1000, Memory: 1 << 30, Instances: 1},
	}}
	for seat := range n {
		r.Seats = append(r.Seats, seat)
	}
	return r
}

// TestAClusterThatMoves wants that what a DCN has in the racks of a cluster counts in the
// data centre that the cluster lies in now.
func TestAClusterThatMoves(t *testing.T) {
	s := partners()
	request := placement.Request{
		Application: "retail-prod/loan", Tenant: "retail", Environment: "prod", HostKind: placement.RealHosts,
		Components: []placement.Component{{
			Name: "account", Template: "t1", Zone: "business", Level: "basic", Size: placement.Amount{CPU: 1000, Memory: 1 << 30, Instances: 1},
			Counts: []placement.Count{{DCN: "dcn-other", Count: 1}},
		}},
		Quotas: plenty,
	}
	followed := placement.Open(s)
	s.Clusters = slices.Clone(s.Clusters)
	for _, site := range []string{"west", "east"} {
		s.Clusters[0].DataCenter = site
		followed.SetCluster(s.Clusters[0])
		want := placement.Place(s, []placement.Request{request}, placement.DefaultPolicy())[0]
		got := followed.Place([]placement.Request{request}, placement.DefaultPolicy())[0]
		followed.Hold(request.Application, nil)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("with the cluster in %s (-anew +followed):\n%s", site, diff)
		}
	}
}

var plenty = []tenancyv1.Quota{{Environment: "prod", Pool: "shared", Instances: 8, CPU: resource.MustParse("100"), Memory: resource.MustParse("1Ti")}}

// TestClash compares what was decided with what others hold by now.
func TestClash(t *testing.T) {
	for name, c := range map[string]struct {
		before, now, others []placement.Reservation
		lost                string // a host
		want                string
	}{
		"there is room": {
			now: []placement.Reservation{held("retail-prod/pay", "staying", "rack-0", "dcn-east", 2)}, others: []placement.Reservation{held("retail-prod/loan", "staying", "rack-0", "dcn-east", 2)},
		},
		"others were first": {
			now: []placement.Reservation{held("retail-prod/pay", "staying", "rack-0", "dcn-east", 2)}, others: []placement.Reservation{held("retail-prod/loan", "staying", "rack-0", "dcn-east", 3)},
			want: "no longer holds 2 instances",
		},
		"what was there stays, however full it is": {
			before: []placement.Reservation{held("retail-prod/pay", "staying", "rack-0", "dcn-east", 2)},
			now:    []placement.Reservation{held("retail-prod/pay", "staying", "rack-0", "dcn-east", 2), held("retail-prod/pay", "staying", "rack-2", "dcn-east", 1)},
			others: []placement.Reservation{held("retail-prod/loan", "staying", "rack-0", "dcn-east", 3)},
		},
		"its hosts are gone by now": {
			now: []placement.Reservation{held("retail-prod/pay", "staying", "rack-0", "dcn-east", 2)}, lost: "stayingrack-0",
			want: "no longer holds 2 instances",
		},
		"the partner is there by now": {
			now: []placement.Reservation{held("retail-prod/pay", "staying", "rack-0", "dcn-east", 1)}, others: []placement.Reservation{held("retail-prod/loan", "staying", "rack-0", "dcn-other", 1)},
			want: "failure domain of DCN dcn-other",
		},
		"the quota is used up by now": {
			now: []placement.Reservation{held("retail-prod/pay", "staying", "rack-0", "dcn-east", 2)},
			others: []placement.Reservation{
				held("retail-prod/loan", "staying", "rack-1", "dcn-east", 4), held("retail-prod/loan", "moving", "rack-1", "dcn-east", 3),
			},
			want: "instances",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := partners()
			s.Reserved = c.others
			for i := range s.Pools[0].Racks {
				r := &s.Pools[0].Racks[i]
				r.Hosts = slices.DeleteFunc(r.Hosts, func(h placement.Host) bool { return h.Name == c.lost })
			}
			f := placement.Open(s)
			got := f.Clash("retail-prod/pay", c.before, c.now, plenty, placement.DefaultPolicy())
			if c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("said %q, want %q", got, c.want)
			}
		})
	}
}
