// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"
	"pgregory.net/rapid"

	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement"
)

// A Fleet that is told of machines afterwards, and of some that are not there any more,
// decides as one that was opened with them.
func TestFleetFollowsMachines(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, components := drawFleet(t)
		for i := range s.Machines {
			s.Machines[i].Seat = int32(rapid.IntRange(0, 3).Draw(t, "thousand"))*1000 + int32(i) + 1
		}
		request := placement.Request{Application: "retail-prod/pay", Tenant: "retail", Environment: "prod", Components: components}
		for _, p := range s.Pools {
			request.Quotas = append(request.Quotas, drawQuota(t, p.Name))
		}
		want := placement.Place(s, []placement.Request{request}, placement.DefaultPolicy())

		without := s
		without.Machines = nil
		followed := placement.Open(without)
		followed.SetMachines(request.Application, append(s.Machines[:len(s.Machines):len(s.Machines)], placement.Machine{Application: request.Application, Component: "c0", DCN: "dcn-east", DataCenter: "east", Rack: "rack-0", Seat: 77}))
		followed.SetMachines(request.Application, s.Machines)
		if diff := cmp.Diff(want, followed.Place([]placement.Request{request}, placement.DefaultPolicy())); diff != "" {
			t.Fatalf("the fleet that followed decides otherwise (-opened +followed):\n%s", diff)
		}
		// Containers and machines share no number, and no block.
		for _, a := range want[0].Assignments {
			for _, m := range s.Machines {
				if m.Component == a.Component && m.Seat/placement.SeatsPerBlock*placement.SeatsPerBlock == a.Block {
					t.Fatalf("block %d of %s holds machine %d", a.Block, a.Component, m.Seat)
				}
			}
		}
	})
}

// A machine that was imported into a block that containers have already takes none of
// their numbers, and they take none of its.
func TestNumbersOfMachinesAreNotGivenAway(t *testing.T) {
	cell := placement.Cell{Cluster: "east-1", Pool: "p", Zone: "z", Rack: "r", DCN: "d"}
	s := placement.Snapshot{
		Clusters: []placement.Cluster{{Name: "east-1", DataCenter: "east", Environment: "prod"}}, DCNs: []placement.DCN{{Name: "d", DataCenter: "east", Environment: "prod"}},
		Zones: []placement.Zone{{Name: "z", Levels: []string{"l"}}}, Levels: []placement.Level{{Name: "l"}},
		Pools: []placement.Pool{{Name: "p", Tenants: []string{"retail"}, Level: "l", Zones: []string{"z"}, Kind: placement.RealHosts,
			Racks: []placement.Rack{{Cluster: "east-1", Name: "r", Hosts: []placement.Host{{Name: "h", Room: placement.Amount{CPU: 16000, Memory: 1 << 40, Instances: 100}}}}}}},
		Machines: []placement.Machine{{Application: "a", Component: "c", DCN: "d", DataCenter: "east", Rack: "r", Seat: 2}},
	}
	request := placement.Request{
		Application: "a", Tenant: "retail", Environment: "prod",
		Components: []placement.Component{{Name: "c", Template: "t", Zone: "z", Level: "l", Size: placement.Amount{CPU: 100, Memory: 1, Instances: 1}, Counts: []placement.Count{{DCN: "d", Count: 5}}}},
		Previous:   []placement.Assignment{{Component: "c", Template: "t", Cell: cell, Block: 0, Seats: []int32{0, 1}, Size: placement.Amount{CPU: 100, Memory: 1, Instances: 1}}},
		Quotas:     []tenancyv1.Quota{{Environment: "prod", Pool: "p", Instances: 100, CPU: resource.MustParse("100"), Memory: resource.MustParse("1Ti")}},
	}
	got := placement.Place(s, []placement.Request{request}, placement.DefaultPolicy())[0]
	if got.Refused || len(got.Assignments) != 1 {
		t.Fatalf("want one cell: %+v", got)
	}
	if diff := cmp.Diff([]int32{0, 1, 3, 4}, got.Assignments[0].Seats); diff != "" {
		t.Errorf("two stay, two come, and number 2 is a machine's (-want +got):\n%s", diff)
	}
}
