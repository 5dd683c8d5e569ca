// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package fleet_test

import (
	"testing"
	"time"

	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/fleet"
)

// A rack whose hosts are all away is told with since when; one of which a host is only
// cordoned, or is back, is not away; of a cluster that is away the last word stays.
func TestRacksThatAreAwayAreTold(t *testing.T) {
	start := time.Date(2026, 3, 10, 3, 0, 0, 0, time.UTC)
	status := fleetv1.PoolStatus{}
	look := func(after time.Duration, seen fleet.PoolSeen) {
		status = fleet.ReportPool(status, seen, start.Add(after))
	}
	racks := func(ready bool, cordoned bool) fleet.PoolSeen {
		hosts := []fleet.Host{{Name: "a1", Rack: "a", Ready: ready, Cordoned: cordoned}, {Name: "a2", Rack: "a", Ready: ready}, {Name: "b1", Rack: "b", Ready: true}}
		return fleet.PoolSeen{Rooms: map[string]fleet.Room{"east-1": fleet.RoomOf("east-1", "p", hosts, nil, []string{"a", "b"})}}
	}
	want := func(away, back bool, times int32, since time.Duration) {
		t.Helper()
		if !away && !back {
			if len(status.Away) != 0 {
				t.Fatalf("%+v: want none away", status.Away)
			}
			return
		}
		if len(status.Away) != 1 || status.Away[0].Rack != "a" || status.Away[0].Cluster != "east-1" || status.Away[0].Hosts != 2 || status.Away[0].Times != times ||
			(status.Away[0].Back != nil) != back || !status.Away[0].Since.Time.Equal(start.Add(since)) {
			t.Fatalf("%+v: want rack a with 2 hosts, %d times, since %s, back %t", status.Away, times, since, back)
		}
	}
	look(0, racks(true, true))
	want(false, false, 0, 0)
	look(time.Minute, racks(false, false))
	want(true, false, 1, time.Minute)
	look(90*time.Second, racks(true, false)) // a blink does not count
	want(false, false, 0, 0)
	look(2*time.Minute, racks(false, false))
	look(3*time.Minute, fleet.PoolSeen{Away: map[string]int{"east-1": 3}})
	look(5*time.Minute, racks(false, false))
	want(true, false, 1, 2*time.Minute)
	look(12*time.Minute, racks(true, false))
	want(true, true, 1, 2*time.Minute)
	look(20*time.Minute, racks(false, false))
	want(true, false, 2, 20*time.Minute)
	look(30*time.Minute, racks(true, false))
	look(160*time.Minute, racks(true, false))
	want(false, false, 0, 0)
}

// A cluster that does not answer says since when.
func TestClustersThatAreAwayAreTold(t *testing.T) {
	start := time.Date(2026, 3, 10, 3, 0, 0, 0, time.UTC)
	status := fleetv1.ClusterStatus{}
	for at, connected := range []bool{true, false, false, false} {
		status = fleet.ReportCluster(status, fleet.ClusterSeen{Connected: connected, Reason: "x"}, start.Add(time.Duration(at)*time.Minute))
	}
	if status.Away == nil || !status.Away.Since.Time.Equal(start.Add(time.Minute)) || status.Away.Back != nil {
		t.Fatalf("%+v: want away since the first minute", status.Away)
	}
	status = fleet.ReportCluster(status, fleet.ClusterSeen{Connected: true, Reason: "x"}, start.Add(5*time.Minute))
	if status.Away == nil || status.Away.Back == nil || status.Away.Times != 1 {
		t.Fatalf("%+v: want back, after one absence", status.Away)
	}
}
