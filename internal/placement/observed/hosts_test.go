// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package observed_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement"
	"github.com/fairway-cloud/fairway/internal/placement/observed"
	"github.com/fairway-cloud/fairway/internal/placement/placementtest"
	"github.com/fairway-cloud/fairway/internal/platform/canonical"
	"github.com/fairway-cloud/fairway/internal/platform/kubetest"
)

// hubWithNamespace is a real API server with the kinds and namespace retail-prod.
func hubWithNamespace(t *testing.T) client.Client {
	t.Helper()
	hub := kubetest.Start(t, kubetest.WithCRDs(), kubetest.WithScheme(placementtest.Scheme(t))).Client()
	if err := hub.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "retail-prod"}}); err != nil {
		t.Fatal(err)
	}
	return hub
}

// A Placement lists hosts once: 40 components on 100 racks of 50 hosts are stored in a real API
// server, and what is read back is what was decided.
func TestHostsAreListedOnce(t *testing.T) {
	const components, racks, hosts = 40, 100, 50
	s := placement.Snapshot{
		Clusters: []placement.Cluster{{Name: "east-1", DataCenter: "dc-east", Environment: "prod"}},
		DCNs:     []placement.DCN{{Name: "dcn-east-1", DataCenter: "dc-east", Environment: "prod"}},
		Zones:    []placement.Zone{{Name: "business", Levels: []string{"basic"}}}, Levels: []placement.Level{{Name: "basic"}},
	}
	pool := placement.Pool{Name: "retail-business", Tenants: []string{"retail"}, Level: "basic", Zones: []string{"business"}, Kind: placement.RealHosts}
	for r := range racks {
		rack := placement.Rack{Cluster: "east-1", Name: fmt.Sprintf("east-%03d", r)}
		for h := range hosts {
			rack.Hosts = append(rack.Hosts, placement.Host{Name: fmt.Sprintf("host-%03d-%02d.east.bank.example", r, h), Room: placement.Amount{CPU: 64000, Memory: 256 << 30, Instances: 110}})
		}
		pool.Racks = append(pool.Racks, rack)
	}
	s.Pools = []placement.Pool{pool}
	r := placement.Request{
		Application: "retail-prod/pay", Tenant: "retail", Environment: "prod", HostKind: placement.RealHosts,
		Quotas: []tenancyv1.Quota{{Environment: "prod", Pool: "retail-business", Instances: 100000, CPU: resource.MustParse("100k"), Memory: resource.MustParse("1Pi")}},
	}
	for c := range components {
		r.Components = append(r.Components, placement.Component{
			Name: fmt.Sprintf("component-%02d", c), Template: canonical.Digest(fmt.Sprint(c)), Zone: "business", Level: "basic", MinRacks: racks,
			Size: placement.Amount{CPU: 500, Memory: 1 << 30, Instances: 1}, Counts: []placement.Count{{DCN: "dcn-east-1", Count: racks}},
		})
	}
	policy := placement.DefaultPolicy()
	policy.Explain = true
	d := placement.Place(s, []placement.Request{r}, policy)[0]
	if d.Refused || len(d.Assignments) != components*racks {
		t.Fatalf("refused is %v, with %d assignments: %v", d.Refused, len(d.Assignments), d.Reasons)
	}
	spec, err := observed.SpecOf("pay", "pay-1", d, placementv1.DecidedBy{Digest: "sha256:1"})
	if err != nil {
		t.Fatal(err)
	}
	if why, err := observed.TooLarge(spec); why != "" || err != nil {
		t.Fatalf("%s, %v: want it to be stored", why, err)
	}
	spec.ExpiresAt = metav1.NewTime(time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC))
	now, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d assignments on %d racks and %d reasons take %d KiB", len(spec.Assignments), len(spec.Hosts), len(spec.Reasons), len(now)>>10)

	hub := hubWithNamespace(t)
	made := &placementv1.Placement{ObjectMeta: metav1.ObjectMeta{Namespace: "retail-prod", Name: "pay-1"}, Spec: spec}
	if err := hub.Create(t.Context(), made); err != nil {
		t.Fatal(err)
	}
	var found placementv1.Placement
	if err := hub.Get(t.Context(), client.ObjectKeyFromObject(made), &found); err != nil {
		t.Fatal(err)
	}
	if digest, err := observed.DigestOf(&found.Spec); digest != spec.Digest || err != nil {
		t.Errorf("%s, %v: want the digest %s of what is read", digest, err, spec.Digest)
	}
	if diff := cmp.Diff(d.Assignments, observed.Assignments(&found)); diff != "" {
		t.Errorf("what is read is not what was decided (-want +got):\n%.2000s", diff)
	}
	if got := found.Spec.HostsOf(found.Spec.Assignments[0]); len(got) != hosts {
		t.Errorf("%d hosts of the first assignment, want %d", len(got), hosts)
	}
	// Another digest for other hosts: what was counted on is part of the decision.
	found.Spec.Hosts[7].Names = found.Spec.Hosts[7].Names[1:]
	if digest, err := observed.DigestOf(&found.Spec); digest == spec.Digest || err != nil {
		t.Errorf("%v: the digest does not cover the hosts", err)
	}

	// As it was before each assignment named the hosts of its room, no hub would take it.
	for i := range spec.Assignments {
		spec.Assignments[i].Hosts = spec.HostsOf(spec.Assignments[i])
	}
	spec.Hosts = nil
	err = hub.Create(t.Context(), &placementv1.Placement{ObjectMeta: metav1.ObjectMeta{Namespace: "retail-prod", Name: "pay-2"}, Spec: spec})
	if err == nil {
		t.Error("listed in each assignment they were stored, too: the test shows nothing")
	}
}

// A Placement that was stored when assignments listed hosts is read as it was meant: its digest
// holds, its hosts are known, and its status is written.
func TestPlacementsOfBeforeAreRead(t *testing.T) {
	const stored = `{
		"application": "pay", "revision": "pay-1", "expiresAt": "2026-11-28T12:00:00Z", "digest": "sha256:0",
		"assignments": [
			{"component": "account", "template": "t", "cell": {"cluster": "east-1", "pool": "p", "zone": "z", "rack": "a", "dcn": "d"}, "block": 0, "seats": [0, 1], "hosts": ["a1", "a2"], "cpu": "250m", "memory": "1Gi"},
			{"component": "account", "template": "t", "cell": {"cluster": "east-1", "pool": "p", "zone": "z", "rack": "b", "dcn": "d"}, "block": 1000, "seats": [], "hosts": [], "cpu": "250m", "memory": "1Gi"}
		],
		"policy": {"name": "all", "digest": "sha256:1"},
		"cause": {"kind": "Lost", "places": [], "from": "pay-0", "policy": "all", "proposedAt": "2026-11-28T11:00:00Z"}
	}`
	var spec map[string]any
	if err := json.Unmarshal([]byte(stored), &spec); err != nil {
		t.Fatal(err)
	}
	digest, err := canonical.DigestOf(map[string]any{"application": "pay", "revision": "pay-1", "assignments": spec["assignments"], "policy": spec["policy"], "cause": spec["cause"]})
	if err != nil {
		t.Fatal(err)
	}
	old := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	old.SetGroupVersionKind(placementv1.GroupVersion.WithKind("Placement"))
	old.SetNamespace("retail-prod")
	old.SetName("pay-1")
	hub := hubWithNamespace(t)
	if err := hub.Create(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	found := &placementv1.Placement{}
	if err := hub.Get(t.Context(), client.ObjectKeyFromObject(old), found); err != nil {
		t.Fatal(err)
	}
	if got, err := observed.DigestOf(&found.Spec); got != digest || err != nil {
		t.Errorf("digest %s, %v: want %s, which it had when it was stored", got, err, digest)
	}
	all := observed.Assignments(found)
	if !slices.Equal(all[0].Hosts, []string{"a1", "a2"}) || len(all[1].Hosts) != 0 {
		t.Errorf("hosts %v and %v: want those that it lists", all[0].Hosts, all[1].Hosts)
	}
	before := found.DeepCopy()
	meta.SetStatusCondition(&found.Status.Conditions, metav1.Condition{Type: placementv1.ConditionReserved, Status: metav1.ConditionTrue, Reason: placementv1.ReasonPlanned, Message: "held"})
	if err := hub.Status().Patch(t.Context(), found, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})); err != nil {
		t.Errorf("could not write its status: %v", err)
	}
	found.Labels = map[string]string{"a": "b"}
	if err := hub.Update(t.Context(), found); err != nil {
		t.Errorf("could not label it: %v", err)
	}
}

// What no Placement holds is said with what to divide, before the hub refuses it.
func TestTooLarge(t *testing.T) {
	cells := func(n, template int) placementv1.PlacementSpec {
		var spec placementv1.PlacementSpec
		for i := range n {
			spec.Assignments = append(spec.Assignments, placementv1.Assignment{Component: fmt.Sprintf("c%d", i%8), Template: strings.Repeat("x", template), Cell: placementv1.Cell{Cluster: "e", Pool: "p", Rack: fmt.Sprintf("r%d", i/8)}})
		}
		return spec
	}
	rack := cells(8, 0)
	rack.Hosts = []placementv1.RoomHosts{{Cluster: "e", Pool: "p", Rack: "r0", Names: make([]string, 5001)}}
	explained := cells(8, 0)
	explained.Reasons = []placementv1.Reason{{Message: strings.Repeat("x", 2<<20)}}
	for name, c := range map[string]struct {
		spec placementv1.PlacementSpec
		want string
	}{
		"small":          {cells(80, 80), ""},
		"its reasons":    {explained, ""},
		"the most cells": {cells(4096, 0), ""},
		"too many cells": {cells(4104, 0), "its components (8) lie in 4104 cells on 513 racks, and a Placement holds 4096 cells: divide the application into several"},
		"too many bytes": {cells(4000, 300), "its components (8) lie in 4000 cells on 500 racks: that takes"},
		"a rack":         {rack, "rack r0 of pool p in cluster e has 5001 hosts, and a Placement lists 5000 of a rack: divide the rack"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := observed.TooLarge(c.spec)
			if err != nil || !strings.HasPrefix(got, c.want) || (c.want == "") != (got == "") {
				t.Errorf("%q, %v: want %q", got, err, c.want)
			}
		})
	}
}
