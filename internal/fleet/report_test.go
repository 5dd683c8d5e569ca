// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package fleet_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/fleet"
)

var noon = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

// told writes conditions as "Type=Status(Reason)", sorted.
func told(conditions []metav1.Condition) string {
	var all []string
	for _, c := range conditions {
		all = append(all, fmt.Sprintf("%s=%s(%s)", c.Type, c.Status, c.Reason))
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

func TestReportCluster(t *testing.T) {
	known := fleetv1.ClusterStatus{Version: "v1.36.3", UID: "u", APIDigest: "d", PodAdmission: "Policy", Hosts: fleetv1.HostCounts{Total: 3, Ready: 3}, Instances: 7}
	cases := map[string]struct {
		reason string
		before fleetv1.ClusterStatus
		seen   fleet.ClusterSeen
		want   string
		check  func(fleetv1.ClusterStatus) bool
	}{
		"first contact": {
			reason: "it answers, its hosts are not known yet",
			seen:   fleet.ClusterSeen{Connected: true, Reason: "Connected", Version: "v1.36.3", UID: "u", PodAdmission: "Policy"},
			want:   "Audited=False(Unaudited) Reachable=True(Connected) Ready=True(Usable) Stalled=False(Moving)",
			check: func(s fleetv1.ClusterStatus) bool {
				return s.Version == "v1.36.3" && s.UID == "u" && s.Hosts.Total == 0
			},
		},
		"counted": {
			reason: "ready hosts make the capacity, the others are counted",
			before: known,
			seen: fleet.ClusterSeen{Connected: true, Reason: "Connected", Counted: true, Instances: 2, Hosts: []fleet.Host{
				{Name: "a", Ready: true, Capacity: fleet.Amount{CPU: 2000}}, {Name: "b", Capacity: fleet.Amount{CPU: 2000}}, {Name: "c", Ready: true, Simulated: true},
			}},
			want: "Audited=False(Unaudited) Reachable=True(Connected) Ready=True(Usable) Stalled=False(Moving)",
			check: func(s fleetv1.ClusterStatus) bool {
				return s.Hosts == fleetv1.HostCounts{Total: 3, Ready: 2, Simulated: 1} && s.Capacity.CPU.Value() == 2 && s.Instances == 2
			},
		},
		"away": {
			reason: "what was last seen stays, so that nobody deletes a cluster that runs instances",
			before: known, seen: fleet.ClusterSeen{Reason: "Unreachable"},
			want: "Audited=False(Unaudited) Reachable=False(Unreachable) Ready=False(Unreachable) Stalled=False(Moving)",
			check: func(s fleetv1.ClusterStatus) bool {
				return s.Instances == 7 && s.Hosts.Total == 3 && s.Version == "v1.36.3"
			},
		},
		"credentials refused": {
			reason: "waiting does not help",
			before: known, seen: fleet.ClusterSeen{Reason: "CredentialsRefused", NeedsPerson: true},
			want: "Audited=False(Unaudited) Reachable=False(CredentialsRefused) Ready=False(CredentialsRefused) Stalled=True(CredentialsRefused)",
		},
		"another cluster": {
			reason: "the identity of the first contact stays",
			before: known, seen: fleet.ClusterSeen{Reason: "OtherCluster", NeedsPerson: true, UID: "other"},
			want:  "Audited=False(Unaudited) Reachable=False(OtherCluster) Ready=False(OtherCluster) Stalled=True(OtherCluster)",
			check: func(s fleetv1.ClusterStatus) bool { return s.UID == "u" },
		},
		"not guarded": {
			reason: "it answers, but foreign pods would get onto pools",
			seen:   fleet.ClusterSeen{Connected: true, Reason: "Connected", GuardProblem: "no"},
			want:   "Audited=False(Unaudited) Reachable=True(Connected) Ready=False(GuardFailing) Stalled=False(Moving)",
		},
		"old version": {
			reason: "it can be used, not for levels that require a guard",
			seen:   fleet.ClusterSeen{Connected: true, Reason: "Connected", PodAdmission: "None"},
			want:   "Audited=False(Unaudited) Reachable=True(Connected) Ready=True(Usable) Stalled=False(Moving)",
			check:  func(s fleetv1.ClusterStatus) bool { return s.PodAdmission == "None" },
		},
	}
	for name, tc := range cases {
		got := fleet.ReportCluster(tc.before, tc.seen, noon)
		if diff := cmp.Diff(tc.want, told(got.Conditions)); diff != "" {
			t.Errorf("%s (%s): -want +got\n%s", name, tc.reason, diff)
		}
		if tc.check != nil && !tc.check(got) {
			t.Errorf("%s (%s): status is %+v", name, tc.reason, got)
		}
		if diff := cmp.Diff(got, fleet.ReportCluster(got, tc.seen, noon.Add(time.Hour))); diff != "" {
			t.Errorf("%s: the same seen again changes nothing: %s", name, diff)
		}
	}
}

func TestReportPool(t *testing.T) {
	rack := func(cluster, name string) fleetv1.PoolRack { return fleetv1.PoolRack{Cluster: cluster, Rack: name} }
	room := func(cluster string, ready int32, instances int64) fleet.Room {
		return fleet.Room{Racks: []fleetv1.PoolRack{rack(cluster, "b"), rack(cluster, "a")}, Hosts: fleetv1.HostCounts{Total: 2, Ready: ready}, Instances: instances}
	}
	before := fleetv1.PoolStatus{Racks: []fleetv1.PoolRack{rack("west", "x"), rack("gone", "y")}, Instances: 5}
	cases := map[string]struct {
		reason    string
		seen      fleet.PoolSeen
		want      string
		racks     string
		instances int64
	}{
		"all well": {
			reason: "racks in order; a cluster that left takes its figures along",
			seen:   fleet.PoolSeen{Rooms: map[string]fleet.Room{"east": room("east", 2, 1), "west": room("west", 2, 2)}},
			want:   "Ready=True(AllHostsReady)", racks: "east/a east/b west/a west/b", instances: 3,
		},
		"one away": {
			reason: "its last figures stay, and nothing has left as far as anybody knows",
			seen:   fleet.PoolSeen{Rooms: map[string]fleet.Room{"east": room("east", 2, 1)}, Away: map[string]int{"west": 2}},
			want:   "Ready=False(ClusterAway)", racks: "east/a east/b west/x", instances: 5,
		},
		"findings": {
			reason: "what a person should know comes first",
			seen: fleet.PoolSeen{
				Rooms:    map[string]fleet.Room{"east": room("east", 1, 0)},
				Findings: []fleet.Finding{{Host: "h2", Rule: "HostTaken", Message: "m2"}, {Host: "h1", Rule: "HostMissing", Message: "m1"}},
			},
			want: "Ready=False(HostMissing)", racks: "east/a east/b",
		},
		"empty": {reason: "a pool without hosts holds nothing", want: "Ready=False(NoHosts)"},
	}
	for name, tc := range cases {
		got := fleet.ReportPool(before, tc.seen, noon)
		var racks []string
		for _, r := range got.Racks {
			racks = append(racks, r.Cluster+"/"+r.Rack)
		}
		if diff := cmp.Diff(tc.want+"|"+tc.racks, told(got.Conditions)+"|"+strings.Join(racks, " ")); diff != "" {
			t.Errorf("%s (%s): -want +got\n%s", name, tc.reason, diff)
		}
		if got.Instances != tc.instances {
			t.Errorf("%s (%s): %d instances, want %d", name, tc.reason, got.Instances, tc.instances)
		}
	}
}

func TestReportSite(t *testing.T) {
	cluster := func(name, site string, reachable metav1.ConditionStatus) fleetv1.Cluster {
		return fleetv1.Cluster{
			ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: fleetv1.ClusterSpec{DataCenter: site},
			Status: fleetv1.ClusterStatus{Conditions: []metav1.Condition{{Type: "Reachable", Status: reachable}}},
		}
	}
	all := []fleetv1.Cluster{cluster("e1", "east", "True"), cluster("w2", "west", "False"), cluster("w1", "west", "Unknown")}
	for site, want := range map[string]string{
		"east": "Ready=True(AllReachable)", "west": "Ready=False(SomeUnreachable)", "north": "Ready=Unknown(NoClusters)",
	} {
		got := fleet.ReportSite(fleetv1.DataCenterStatus{}, site, 1, all, noon)
		if diff := cmp.Diff(want, told(got.Conditions)); diff != "" {
			t.Errorf("%s: -want +got\n%s", site, diff)
		}
		if site == "west" && !strings.Contains(got.Conditions[0].Message, "w1, w2") {
			t.Errorf("the message names the clusters in order: %q", got.Conditions[0].Message)
		}
	}
}
