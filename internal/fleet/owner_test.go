// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package fleet_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/fleet"
)

// pool makes a pool of the given age in days with hosts in east-1.
func pool(name string, age int, hosts ...string) fleetv1.Pool {
	made := time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC).AddDate(0, 0, -age)
	return fleetv1.Pool{
		ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(made)},
		Spec:       fleetv1.PoolSpec{Hosts: []fleetv1.PoolHosts{{Cluster: "east-1", Names: hosts}, {Cluster: "west-1", Names: []string{"other"}}}},
	}
}

func gone(p fleetv1.Pool) fleetv1.Pool {
	now := metav1.Now()
	p.DeletionTimestamp = &now
	return p
}

func simulated(p fleetv1.Pool) fleetv1.Pool {
	p.Spec.HostKind = "Simulated"
	return p
}

func TestPlanHosts(t *testing.T) {
	cases := map[string]struct {
		reason   string
		pools    []fleetv1.Pool
		hosts    []fleet.Host
		occupied map[string]int
		marks    []string
		findings []string
		owners   map[string]string
	}{
		"joins": {
			reason: "a listed host gets label and taint",
			pools:  []fleetv1.Pool{pool("a", 1, "h1")},
			hosts:  []fleet.Host{{Name: "h1"}, {Name: "h2"}},
			marks:  []string{`host "h1" joins pool "a"`},
			owners: map[string]string{"h1": "a"},
		},
		"settled": {
			reason: "an owned host that is marked costs nothing",
			pools:  []fleetv1.Pool{pool("a", 1, "h1")},
			hosts:  []fleet.Host{{Name: "h1", Pool: "a", Tainted: "a"}},
			owners: map[string]string{"h1": "a"},
		},
		"taint lost": {
			reason:   "somebody removed the taint; it comes back although instances run",
			pools:    []fleetv1.Pool{pool("a", 1, "h1")},
			hosts:    []fleet.Host{{Name: "h1", Pool: "a"}},
			occupied: map[string]int{"h1": 3},
			marks:    []string{`host "h1" joins pool "a"`},
			owners:   map[string]string{"h1": "a"},
		},
		"oldest wins": {
			reason:   "two pools list the host: the older keeps it, the other reports",
			pools:    []fleetv1.Pool{pool("young", 1, "h1"), pool("old", 9, "h1")},
			hosts:    []fleet.Host{{Name: "h1"}},
			marks:    []string{`host "h1" joins pool "old"`},
			findings: []string{"young h1 HostTaken"},
			owners:   map[string]string{"h1": "old"},
		},
		"same age": {
			reason:   "of the same second the name decides, whatever the order of the list",
			pools:    []fleetv1.Pool{pool("b", 1, "h1"), pool("a", 1, "h1")},
			hosts:    []fleet.Host{{Name: "h1", Pool: "a", Tainted: "a"}},
			findings: []string{"b h1 HostTaken"},
			owners:   map[string]string{"h1": "a"},
		},
		"missing": {
			reason:   "a host that never registered",
			pools:    []fleetv1.Pool{pool("a", 1, "h1")},
			findings: []string{"a h1 HostMissing"},
			owners:   map[string]string{},
		},
		"leaves": {
			reason: "nothing runs there: label and taint come off",
			pools:  []fleetv1.Pool{pool("a", 1)},
			hosts:  []fleet.Host{{Name: "h1", Pool: "a", Tainted: "a"}},
			marks:  []string{`host "h1" leaves pool "a"`},
			owners: map[string]string{},
		},
		"held": {
			reason:   "instances run there: the host stays until they have moved",
			pools:    []fleetv1.Pool{pool("a", 1)},
			hosts:    []fleet.Host{{Name: "h1", Pool: "a", Tainted: "a"}},
			occupied: map[string]int{"h1": 2},
			findings: []string{"a h1 HostHeld"},
			owners:   map[string]string{"h1": "a"},
		},
		"held without taint": {
			reason:   "a held host keeps foreign pods off too",
			pools:    []fleetv1.Pool{pool("a", 1)},
			hosts:    []fleet.Host{{Name: "h1", Pool: "a"}},
			occupied: map[string]int{"h1": 2},
			marks:    []string{`host "h1" joins pool "a"`},
			findings: []string{"a h1 HostHeld"},
			owners:   map[string]string{"h1": "a"},
		},
		"deleted pool": {
			reason: "a pool that is being deleted gives its empty hosts up",
			pools:  []fleetv1.Pool{gone(pool("a", 1, "h1"))},
			hosts:  []fleet.Host{{Name: "h1", Pool: "a", Tainted: "a"}},
			marks:  []string{`host "h1" leaves pool "a"`},
			owners: map[string]string{},
		},
		"moves": {
			reason: "an empty host goes over in one change, never unmarked in between",
			pools:  []fleetv1.Pool{pool("a", 9), pool("b", 1, "h1")},
			hosts:  []fleet.Host{{Name: "h1", Pool: "a", Tainted: "a"}},
			marks:  []string{`host "h1" moves from pool "a" to pool "b"`},
			owners: map[string]string{"h1": "b"},
		},
		"waits to move": {
			reason:   "never the host of another pool while that one's instances run",
			pools:    []fleetv1.Pool{pool("a", 9), pool("b", 1, "h1")},
			hosts:    []fleet.Host{{Name: "h1", Pool: "a", Tainted: "a"}},
			occupied: map[string]int{"h1": 1},
			findings: []string{"a h1 HostHeld", "b h1 HostHeld"},
			owners:   map[string]string{"h1": "a"},
		},
		"kinds": {
			reason: "a pool holds either real or simulated hosts",
			pools:  []fleetv1.Pool{pool("real", 1, "h1", "s1"), simulated(pool("sim", 1, "h2", "s2"))},
			hosts: []fleet.Host{
				{Name: "h1", Pool: "real", Tainted: "real"}, {Name: "h2"},
				{Name: "s1", Simulated: true}, {Name: "s2", Simulated: true, Pool: "sim", Tainted: "sim"},
			},
			findings: []string{"real s1 HostKind", "sim h2 HostKind"},
			owners:   map[string]string{"h1": "real", "s2": "sim"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := fleet.PlanHosts("east-1", tc.pools, tc.hosts, tc.occupied)
			var marks, findings []string
			for _, mark := range got.Marks {
				marks = append(marks, mark.String())
			}
			for _, finding := range got.Findings {
				findings = append(findings, finding.Pool+" "+finding.Host+" "+finding.Rule)
			}
			if diff := cmp.Diff(tc.marks, marks); diff != "" {
				t.Errorf("%s: marks -want +got\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(tc.findings, findings); diff != "" {
				t.Errorf("%s: findings -want +got\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(tc.owners, got.Owners); diff != "" {
				t.Errorf("%s: owners -want +got\n%s", tc.reason, diff)
			}
		})
	}
}

// Whatever is listed, carried and occupied: carrying the marks out settles the
// hosts, and no host that runs instances changes its pool.
func TestPlanHostsSettles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := []string{"h1", "h2", "h3"}
		some := rapid.SliceOfDistinct(rapid.SampledFrom(names), rapid.ID[string])
		var pools []fleetv1.Pool
		for _, name := range []string{"a", "b", "c"} {
			p := pool(name, rapid.IntRange(0, 3).Draw(t, "age"), some.Draw(t, "lists")...)
			if rapid.Bool().Draw(t, "deleted") {
				p = gone(p)
			}
			pools = append(pools, p)
		}
		carries := rapid.SampledFrom([]string{"", "a", "b", "z"})
		occupied := map[string]int{}
		var hosts []fleet.Host
		for _, name := range names {
			hosts = append(hosts, fleet.Host{Name: name, Pool: carries.Draw(t, "pool"), Tainted: carries.Draw(t, "taint")})
			occupied[name] = rapid.IntRange(0, 1).Draw(t, "occupied")
		}
		first := fleet.PlanHosts("east-1", pools, hosts, occupied)
		for _, mark := range first.Marks {
			for i := range hosts {
				if hosts[i].Name != mark.Host {
					continue
				}
				if hosts[i].Pool != "" && hosts[i].Pool != mark.Pool && occupied[mark.Host] > 0 {
					t.Fatalf("%s although instances run there", mark)
				}
				hosts[i].Pool, hosts[i].Tainted = mark.Pool, mark.Pool
			}
		}
		second := fleet.PlanHosts("east-1", pools, hosts, occupied)
		if len(second.Marks) > 0 {
			t.Fatalf("marks remain after they were carried out: %v", second.Marks)
		}
		if diff := cmp.Diff(fmt.Sprint(first.Owners), fmt.Sprint(second.Owners)); diff != "" {
			t.Fatalf("owners changed by carrying out: %s", diff)
		}
		for _, host := range hosts {
			if host.Pool != second.Owners[host.Name] {
				t.Fatalf("host %q carries %q, its owner is %q", host.Name, host.Pool, second.Owners[host.Name])
			}
		}
	})
}
