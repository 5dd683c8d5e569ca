// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	deliveryv1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement/controller"
	"github.com/fairway-cloud/fairway/internal/placement/placementtest"
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

// Nobody can read the Revision that runs, or its tenant: what is proposed stands and its room is
// held, and what was said of the application stands.
func TestWhatCannotBeReadIsLeftAsItIs(t *testing.T) {
	for name, gone := range map[string]func(revision *appv1.Revision) client.Object{
		"revision": func(revision *appv1.Revision) client.Object { return revision },
		"tenant": func(*appv1.Revision) client.Object {
			return &tenancyv1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: "retail"}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, nil)
			for _, name := range []string{"pay", "loan"} {
				if err := s.Create(t.Context(), &appv1.Application{ObjectMeta: metav1.ObjectMeta{Namespace: "retail-prod", Name: name}}); err != nil {
					t.Fatal(err)
				}
			}
			_, pay := s.run("pay", 4)
			_, loan := s.run("loan", 20)
			s.racks(0, 4)
			s.pass(5 * time.Minute)
			if n, c := len(s.proposals()), s.fits("loan"); n != 1 || c == nil {
				t.Fatalf("%d proposals and %+v: want one for pay, and no place for loan", n, c)
			}
			for _, revision := range []*appv1.Revision{pay, loan} {
				if err := s.Delete(t.Context(), gone(revision)); client.IgnoreNotFound(err) != nil {
					t.Fatal(err)
				}
			}
			s.pass(time.Minute)
			if n, c := len(s.proposals()), s.fits("loan"); n != 1 || c == nil {
				t.Errorf("%d proposals and %+v: want both as they were", n, c)
			}
		})
	}
}

// What keeps to a host that does not answer, for its volumes, finds no other one: its application
// says so while the rest of the rack is well, and nothing is proposed. What may move is the member's
// matter. When the host answers again it is taken back.
func TestAnApplicationSaysWhatKeepsToASilentHost(t *testing.T) {
	s := newSite(t, nil)
	for name, options := range map[string][]func(*appv1.Component){"pay": {placementtest.LocalVolume}, "card": nil} {
		if err := s.Create(t.Context(), &appv1.Application{ObjectMeta: metav1.ObjectMeta{Namespace: "retail-prod", Name: name}}); err != nil {
			t.Fatal(err)
		}
		placed, _ := s.run(name, 4, options...)
		d := &deliveryv1.Delivery{ObjectMeta: metav1.ObjectMeta{Namespace: "fairway-cluster-east-1", Name: "retail-prod-" + name}, Spec: deliveryv1.DeliverySpec{Application: "retail-prod/" + name, Intent: "Run"}}
		d.Status.Troubled = []deliveryv1.TroubledInstance{
			{Seat: fmt.Sprintf("account-%d", placed.Spec.Assignments[0].Seats[0]), Host: "east-a-3", State: "Lost"},
			{Seat: fmt.Sprintf("account-%d", placed.Spec.Assignments[0].Seats[1]), Host: "east-a-2", State: "Starting"},
			{Seat: "x-account-0", Host: "east-a-3", State: "Lost"},
		}
		if err := s.Create(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	s.racks(3, 4)
	s.pass(time.Minute)
	c := s.fits("pay")
	want := "1 instance finds no place elsewhere: component account: 1 instance with Local volumes on host east-a-3 of cluster east-1, which does not answer: it comes back with the host, or is restored"
	if c == nil || c.Reason != appv1.ReasonNowhereElse || c.Message != want {
		t.Errorf("%+v: want %q", c, want)
	}
	if c := s.fits("card"); c != nil || len(s.proposals()) > 0 {
		t.Errorf("card: %+v, and %d proposals", c, len(s.proposals()))
	}
	s.change(&deliveryv1.Delivery{ObjectMeta: metav1.ObjectMeta{Namespace: "fairway-cluster-east-1", Name: "retail-prod-pay"}}, func(o client.Object) {
		o.(*deliveryv1.Delivery).Status.Troubled = nil
	})
	s.racks(4, 4)
	s.pass(time.Minute)
	if c := s.fits("pay"); c != nil {
		t.Errorf("%+v: the host is back", c)
	}
}
