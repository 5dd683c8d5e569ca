// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller_test

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement/controller"
)

// fits is the condition of an application; nil: it says nothing.
func (s *site) fits(name string) *metav1.Condition {
	s.t.Helper()
	a := &appv1.Application{}
	if err := s.Get(s.t.Context(), client.ObjectKey{Namespace: "retail-prod", Name: name}, a); err != nil {
		s.t.Fatal(err)
	}
	return meta.FindStatusCondition(a.Status.Conditions, appv1.ConditionFits)
}

// What finds no place after a loss is said on the application, once, with numbers; nobody
// takes it back who does not know; and it is gone when the place is back, for a server that
// has just started, too.
func TestAnApplicationSaysThatItWouldNotFit(t *testing.T) {
	s := newSite(t, nil)
	for _, name := range []string{"pay", "card"} {
		if err := s.Create(t.Context(), &appv1.Application{ObjectMeta: metav1.ObjectMeta{Namespace: "retail-prod", Name: name}}); err != nil {
			t.Fatal(err)
		}
	}
	s.run("pay", 24)
	s.run("card", 2)
	s.racks(0, 4)
	s.pass(4 * time.Minute)
	if c := s.fits("pay"); c != nil {
		t.Fatalf("%+v: the rack does not count as lost yet", c)
	}
	s.pass(time.Minute)
	c := s.fits("pay")
	if c == nil || c.Status != metav1.ConditionFalse || c.Reason != appv1.ReasonWouldNotFit ||
		!strings.HasPrefix(c.Message, "rack dc-east/east-a is lost, and 12 instances find no place elsewhere: component account in dcn-east-1: pool retail-business in dc-east lacks ") ||
		!strings.Contains(c.Message, "add hosts, have the quota raised") || strings.Contains(c.Message, "since") {
		t.Fatalf("%+v: want what is lost, how many, what lacks and what to do, and no times", c)
	}
	if c := s.fits("card"); c != nil {
		t.Errorf("%+v: card fits", c)
	}
	writes := s.writes
	for range 3 {
		s.pass(time.Minute)
	}
	s.lost = &controller.Lost{Hub: s.Client, Direct: s.Client, Clock: s.clock, Recorder: s}
	s.pass(time.Minute)
	if s.writes != writes {
		t.Errorf("%d writes while nothing changed", s.writes-writes)
	}
	// The hub is cut off: nobody knows.
	s.away()
	s.pass(time.Minute)
	if s.fits("pay") == nil {
		t.Error("it was taken back while no cluster answers")
	}
	s.change(&fleetv1.Cluster{ObjectMeta: metav1.ObjectMeta{Name: "east-1"}}, func(o client.Object) {
		o.(*fleetv1.Cluster).Status.Conditions = []metav1.Condition{{Type: fleetv1.ConditionReachable, Status: metav1.ConditionTrue}}
	})
	s.racks(4, 4)
	s.lost = &controller.Lost{Hub: s.Client, Direct: s.Client, Clock: s.clock, Recorder: s}
	s.pass(time.Minute)
	if c := s.fits("pay"); c != nil {
		t.Errorf("%+v: the rack is back", c)
	}
	var all placementv1.PlacementList
	if err := s.List(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	for _, p := range all.Items {
		if p.Spec.Application == "pay" && p.Spec.Cause != nil {
			t.Errorf("%s was proposed for pay, which does not fit", p.Name)
		}
	}
}
