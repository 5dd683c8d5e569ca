// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement/controller"
	"github.com/fairway-cloud/fairway/internal/placement/placementtest"
	"github.com/fairway-cloud/fairway/internal/platform/kubetest"
	"github.com/fairway-cloud/fairway/internal/release/releasetest"
)

// An application loses 200 racks at once: what is proposed for it is stored by a real hub, names
// each of them, and has a text that a person can read; the next look leaves it as it is.
func TestTheLossOfManyRacksIsProposed(t *testing.T) {
	const racks = 200
	plane := kubetest.Start(t, kubetest.WithCRDs(), kubetest.WithScheme(placementtest.Scheme(t)))
	hub := plane.Client()
	furnish(t, hub)
	pool := &fleetv1.Pool{}
	get := func(o client.Object, name string) {
		t.Helper()
		if err := hub.Get(t.Context(), client.ObjectKey{Name: name}, o); err != nil {
			t.Fatal(err)
		}
	}
	get(pool, "retail-business")
	pool.Status.Racks = nil
	gone := []fleetv1.RackAway{}
	now := time.Now().Truncate(time.Second)
	for i := range racks {
		name := fmt.Sprintf("east-%03d", i)
		pool.Status.Racks = append(pool.Status.Racks, fleetv1.PoolRack{
			Cluster: "east-1", Rack: name, Hosts: []string{name + "-h"},
			Capacity: fleetv1.Resources{CPU: resource.MustParse("250m"), Memory: resource.MustParse("2Gi"), Instances: 10},
		})
		gone = append(gone, fleetv1.RackAway{Cluster: "east-1", Rack: name, Hosts: 1, Absence: fleetv1.Absence{Since: metav1.NewTime(now.Add(-time.Hour)), Times: 1}})
	}
	tenant := &tenancyv1.Tenant{}
	get(tenant, "retail")
	tenant.Spec.Quotas[0].Instances = 1000
	if err := hub.Update(t.Context(), tenant); err != nil {
		t.Fatal(err)
	}
	if err := hub.Status().Update(t.Context(), pool); err != nil {
		t.Fatal(err)
	}
	clock := clocktesting.NewFakePassiveClock(now)
	placer := &controller.Placer{Hub: hub, Direct: hub, Clock: clock}
	revision := placementtest.Revision(t, "pay", racks)
	if err := hub.Create(t.Context(), revision); err != nil {
		t.Fatal(err)
	}
	first := placementtest.Run(t, placer, releasetest.New("pay-1", revision.Name, func(r *releasev1.Release) { r.Spec.Application = "pay" }), revision)
	if len(first.Spec.Assignments) != racks {
		t.Fatalf("it runs in %d cells, want one in each of %d racks", len(first.Spec.Assignments), racks)
	}
	get(pool, "retail-business")
	pool.Status.Racks = []fleetv1.PoolRack{{
		Cluster: "east-1", Rack: "east-z", Hosts: []string{"z"},
		Capacity: fleetv1.Resources{CPU: resource.MustParse("100"), Memory: resource.MustParse("1Ti"), Instances: 1000},
	}}
	pool.Status.Away = gone
	if err := hub.Status().Update(t.Context(), pool); err != nil {
		t.Fatal(err)
	}

	lost := &controller.Lost{Hub: hub, Direct: hub, Clock: clock}
	for range 2 {
		if _, err := lost.Reconcile(t.Context(), ctrl.Request{}); err != nil {
			t.Fatal(err)
		}
	}
	var all placementv1.PlacementList
	if err := hub.List(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	var proposals []placementv1.Placement
	for _, p := range all.Items {
		if p.Spec.Cause != nil {
			proposals = append(proposals, p)
		}
	}
	if len(proposals) != 1 || meta.IsStatusConditionFalse(proposals[0].Status.Conditions, placementv1.ConditionReserved) {
		t.Fatalf("%d proposals, want one that stands", len(proposals))
	}
	c := proposals[0].Spec.Cause
	if last := len(c.Check) - 1; len(c.Places) != racks || last != 16 || !strings.Contains(c.Check[last], "so it is with 184 places more: their 184 instances") {
		t.Errorf("%d places, and to check %q: want all places, the first to check and how many more", len(c.Places), c.Check)
	}
}

// What no Placement holds is said on its application, and keeps nobody else from being looked
// after; it is tried again at the usual pace.
func TestAProposalThatCannotBeStored(t *testing.T) {
	s := newSite(t, nil)
	for _, name := range []string{"pay", "card"} {
		if err := s.Create(t.Context(), &appv1.Application{ObjectMeta: metav1.ObjectMeta{Namespace: "retail-prod", Name: name}}); err != nil {
			t.Fatal(err)
		}
		s.run(name, 4)
	}
	s.refuse = "pay"
	s.racks(0, 4)
	s.pass(5 * time.Minute)
	if all := s.proposals(); len(all) != 1 || all[0].Spec.Application != "card" {
		t.Errorf("%d proposals, want card's", len(all))
	}
	c := s.fits("pay")
	if c == nil || c.Reason != appv1.ReasonWouldNotFit || !strings.HasPrefix(c.Message, "rack dc-east/east-a is lost, and what would be proposed for 2 instances cannot be stored: ") {
		t.Errorf("%+v: want what is lost and that nothing can be proposed", c)
	}
	if result, err := s.lost.Reconcile(t.Context(), ctrl.Request{}); err != nil || result.RequeueAfter != time.Minute {
		t.Errorf("it looks again after %s, %v", result.RequeueAfter, err)
	}
	s.refuse = ""
	s.pass(time.Minute)
	if c := s.fits("pay"); c != nil || len(s.proposals()) != 2 {
		t.Errorf("%+v, and %d proposals: it can be stored now", c, len(s.proposals()))
	}
}
