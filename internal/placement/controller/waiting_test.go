// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	deliveryv1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/placement/controller"
	"github.com/fairway-cloud/fairway/internal/placement/placementtest"
	"github.com/fairway-cloud/fairway/internal/release/releasetest"
)

// books keeps the acts of which it is told.
type books struct{ acts []audit.Act }

func (b *books) Intent(_ context.Context, act audit.Act) (string, error) {
	b.acts = append(b.acts, act)
	return "1", nil
}

func (b *books) Outcome(context.Context, string, audit.Outcome) error { return nil }

// waiting is application pay, released, of which seats wait in its cell.
func (h *hub) waiting(class tenancyv1.EnvironmentClass, cell placementv1.Cell, seats ...int32) *deliveryv1.Delivery {
	h.t.Helper()
	revision := placementtest.Revision(h.t, "pay", 4)
	d := &deliveryv1.Delivery{ObjectMeta: metav1.ObjectMeta{Namespace: "fairway-cluster-east-1", Name: "retail-prod-pay"}}
	d.Spec.Application, d.Spec.Namespace, d.Spec.Release = "retail-prod/pay", "retail-prod-pay", "one"
	d.Status.Waiting = []deliveryv1.WaitingWorkload{{Name: "pay-account", Component: "account", Cell: cell, Instances: int32(len(seats)), Seats: seats}}
	a := &appv1.Application{ObjectMeta: metav1.ObjectMeta{Namespace: "retail-prod", Name: "pay"}}
	a.Status.ReleasedRevision = revision.Name
	environment := &tenancyv1.Environment{ObjectMeta: metav1.ObjectMeta{Name: "prod"}, Spec: tenancyv1.EnvironmentSpec{Class: class}}
	for _, o := range []client.Object{revision, d, a, environment} {
		if err := h.Create(h.t.Context(), o); err != nil {
			h.t.Fatal(err)
		}
	}
	return d
}

// A Release places anew what waits for room: elsewhere in its DCN, the rest where it is.
func TestWhatWaitsIsPlacedElsewhere(t *testing.T) {
	h := newHub(t)
	first, err := h.place("one", "pay", 4)
	if err != nil {
		t.Fatal(err)
	}
	was := first.Spec.Assignments[0]
	if len(first.Spec.Assignments) != 1 || len(was.Seats) != 4 {
		t.Fatalf("placed at %+v", first.Spec.Assignments)
	}
	h.waiting(tenancyv1.ClassTest, was.Cell, was.Seats[1])

	// There is only one rack: it is said, and nothing is given away.
	if _, err := h.place("two", "pay", 4); err == nil || !strings.Contains(err.Error(), "instances wait for room on rack east-a") {
		t.Errorf("with nowhere to go: %v", err)
	}

	pool := &fleetv1.Pool{}
	if err := h.Get(t.Context(), client.ObjectKey{Name: "retail-business"}, pool); err != nil {
		t.Fatal(err)
	}
	pool.Status.Racks = append(pool.Status.Racks, fleetv1.PoolRack{
		Cluster: "east-1", Rack: "east-b", Hosts: []string{"h5"}, Capacity: fleetv1.Resources{CPU: resource.MustParse("1"), Memory: resource.MustParse("2Gi"), Instances: 10},
	})
	if err := h.Update(t.Context(), pool); err != nil {
		t.Fatal(err)
	}
	second, err := h.place("three", "pay", 4)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]int32{}
	for _, a := range second.Spec.Assignments {
		got[a.Cell.Rack] = a.Seats
	}
	if left := slices.Delete(slices.Clone(was.Seats), 1, 2); !slices.Equal(got["east-a"], left) || len(got["east-b"]) != 1 {
		t.Errorf("placed at %v, want %v to stay and one in east-b", got, left)
	}
}

// The way back is not closed by what waits: with nowhere else to go it goes back all the same,
// and says so.
func TestWhatWaitsClosesNoWayBack(t *testing.T) {
	h := newHub(t)
	first, err := h.place("one", "pay", 4)
	if err != nil {
		t.Fatal(err)
	}
	was := first.Spec.Assignments[0]
	h.waiting(tenancyv1.ClassTest, was.Cell, was.Seats[1])
	revision := placementtest.Revision(t, "pay", 4)
	back := releasetest.New("back", revision.Name, releasetest.Rollback, func(r *releasev1.Release) { r.Spec.Application = "pay" })
	made, err := h.placer.Place(t.Context(), back, revision)
	if err != nil {
		t.Fatal(err)
	}
	if seats := made.Spec.Assignments[0].Seats; len(made.Spec.Assignments) != 1 || len(seats) != 4 {
		t.Errorf("placed at %+v, want all four in the cell where they were", made.Spec.Assignments)
	}
}

// A brake that is set between the decision and the act keeps what waits from being released.
func TestABrakeCountsWhenWhatWaitsIsReleased(t *testing.T) {
	h := newHub(t)
	d := h.waiting(tenancyv1.ClassTest, placementv1.Cell{Cluster: "east-1", Pool: "retail-business", Zone: "business", Rack: "east-a", DCN: "dcn-east-1"}, 1)
	late := intents(func(ctx context.Context) error {
		return h.Create(ctx, &placementv1.Brake{ObjectMeta: metav1.ObjectMeta{Name: "late"}, Spec: placementv1.BrakeSpec{Reason: "stop", By: "li.na"}})
	})
	w := &controller.Waiting{Hub: h.Client, Direct: h.Client, Recorder: late, Clock: clocktesting.NewFakePassiveClock(time.Now())}
	if _, err := w.Reconcile(t.Context(), d); err == nil || !strings.Contains(err.Error(), "brake late holds") {
		t.Errorf("%v: want the start refused for the brake", err)
	}
	if started := h.releases(); len(started) != 0 {
		t.Errorf("%d releases were started", len(started))
	}
}

// intents is a log that does something when an intent is recorded.
type intents func(context.Context) error

func (i intents) Intent(ctx context.Context, _ audit.Act) (string, error) { return "1", i(ctx) }

func (i intents) Outcome(context.Context, string, audit.Outcome) error { return nil }

// Outside production a Release is started by itself, once; then the application is left
// alone for a while. In production people are told.
func TestWaitingIsReleased(t *testing.T) {
	cell := placementv1.Cell{Cluster: "east-1", Pool: "retail-business", Zone: "business", Rack: "east-a", DCN: "dcn-east-1"}
	for name, c := range map[string]struct {
		class  tenancyv1.EnvironmentClass
		active string
		brake  bool
		// observed is how long ago pay's virtual machines were looked at. 0: it has none.
		observed time.Duration
		want     int
		told     bool
	}{
		"test":          {class: tenancyv1.ClassTest, want: 1},
		"development":   {class: tenancyv1.ClassDevelopment, want: 1},
		"braked":        {class: tenancyv1.ClassTest, brake: true, told: true},
		"production":    {class: tenancyv1.ClassProduction, told: true},
		"unknown":       {told: true},
		"being changed": {class: tenancyv1.ClassTest, active: "pay-2"},
		"in doubt":      {class: tenancyv1.ClassTest, observed: 25 * time.Hour},
		"not in doubt":  {class: tenancyv1.ClassTest, observed: 23 * time.Hour, want: 1},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHub(t)
			d := h.waiting(c.class, cell, 1, 2)
			if c.observed > 0 {
				h.machines(c.observed)
			}
			if c.active != "" {
				h.holds(c.active)
			}
			if c.brake {
				brake := &placementv1.Brake{ObjectMeta: metav1.ObjectMeta{Name: "stop"}, Spec: placementv1.BrakeSpec{Reason: "a test", By: "zhang.wei"}}
				if err := h.Create(t.Context(), brake); err != nil {
					t.Fatal(err)
				}
			}
			ledger, told := &books{}, events.NewFakeRecorder(10)
			w := &controller.Waiting{Hub: h.Client, Direct: h.Client, Recorder: ledger, Clock: clocktesting.NewFakePassiveClock(time.Now()), Events: told}
			for range 2 {
				result, err := w.Reconcile(t.Context(), d)
				if err != nil || c.active != "" && result.RequeueAfter == 0 {
					t.Fatal(result, err)
				}
			}
			started := h.releases()
			if len(started) != c.want || len(ledger.acts) != c.want {
				t.Fatalf("%d releases were started with %d acts in evidence, want %d", len(started), len(ledger.acts), c.want)
			}
			if (len(told.Events) > 0) != c.told {
				t.Errorf("people are told %d times", len(told.Events))
			}
			if c.want == 0 {
				return
			}
			if s := started[0].Spec; s.Kind != releasev1.KindDeploy || s.Revision == "" || s.Requester != "fairway" || !strings.Contains(s.Reason, "account [1 2] in cell "+cell.Key()) {
				t.Errorf("started %+v", s)
			}
			if why := (&controller.Brakes{Direct: h.Client}).Hold(t.Context(), &started[0]); why != "" {
				t.Errorf("without a brake it is held: %s", why)
			}
			brake := &placementv1.Brake{ObjectMeta: metav1.ObjectMeta{Name: "stop"}, Spec: placementv1.BrakeSpec{Reason: "a test", By: "zhang.wei"}}
			if err := h.Create(t.Context(), brake); err != nil {
				t.Fatal(err)
			}
			if (&controller.Brakes{Direct: h.Client}).Hold(t.Context(), &started[0]) == "" {
				t.Error("a brake does not hold it")
			}
			if err := h.Delete(t.Context(), brake); err != nil {
				t.Fatal(err)
			}
			// What it brought waits, too: automation pauses.
			d.Spec.Release = started[0].Name
			started[0].CreationTimestamp = metav1.Now()
			if err := h.Update(t.Context(), &started[0]); err != nil {
				t.Fatal(err)
			}
			result, err := w.Reconcile(t.Context(), d)
			if err != nil || result.RequeueAfter < 9*time.Minute || len(h.releases()) != 1 {
				t.Errorf("after a release it goes on with %v, %v", result, err)
			}
			w.Clock = clocktesting.NewFakePassiveClock(time.Now().Add(11 * time.Minute))
			if _, err := w.Reconcile(t.Context(), d); err != nil || len(h.releases()) != 2 {
				t.Errorf("after the pause there are %d releases, %v", len(h.releases()), err)
			}
		})
	}
}

// What is started for room counts towards the budget of losses, and waits while it is used
// up; a share of sick hosts holds it, too.
func TestRoomKeepsToTheBudget(t *testing.T) {
	cell := placementv1.Cell{Cluster: "east-1", Pool: "retail-business", Zone: "business", Rack: "east-a", DCN: "dcn-east-1"}
	now := time.Now()
	earlier := func(name string, change func(*releasev1.Release)) *releasev1.Release {
		r := releasetest.New(name, "pay-0000000000", func(r *releasev1.Release) {
			r.Spec.Application, r.Spec.Requester = "card", "fairway"
			r.CreationTimestamp = metav1.NewTime(now.Add(-30 * time.Minute))
			change(r)
		})
		return r
	}
	for name, c := range map[string]struct {
		reason string
		budget int32
		before []client.Object
		sick   bool
		want   int
	}{
		"enough":      {"two are within three", 3, nil, false, 1},
		"too many":    {"two are more than one", 1, nil, false, 0},
		"used up":     {"nobody knows what another Release for room brought", 3, []client.Object{earlier("card-1-room", func(r *releasev1.Release) { r.Status.Placement = "gone" })}, false, 0},
		"not placed":  {"another Release for room, of which nothing waits any more, brought nothing", 3, []client.Object{earlier("card-1-room", func(*releasev1.Release) {})}, false, 1},
		"by a person": {"a person's Release does not count", 3, []client.Object{earlier("card-1-room", func(r *releasev1.Release) { r.Spec.Requester, r.Status.Placement = "li.na", "gone" })}, false, 1},
		"an hour ago": {"it is over", 3, []client.Object{earlier("card-1-room", func(r *releasev1.Release) {
			r.CreationTimestamp, r.Status.Placement = metav1.NewTime(now.Add(-time.Hour)), "gone"
		})}, false, 1},
		"sick": {"five of eight hosts do not answer", 3, nil, true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHub(t)
			policy := &placementv1.PlacementPolicy{}
			if err := h.Get(t.Context(), client.ObjectKey{Name: "all"}, policy); err != nil {
				t.Fatal(err)
			}
			policy.Spec.Lost = &placementv1.LostPolicy{Action: placementv1.LostRelease, Budget: placementv1.LostBudget{Instances: c.budget}}
			cluster := &fleetv1.Cluster{}
			if err := h.Get(t.Context(), client.ObjectKey{Name: "east-1"}, cluster); err != nil {
				t.Fatal(err)
			}
			cluster.Status.Hosts = fleetv1.HostCounts{Total: 8, Ready: 8}
			if c.sick {
				cluster.Status.Hosts.Ready = 3
			}
			for _, o := range []client.Object{policy, cluster} {
				if err := h.Update(t.Context(), o); err != nil {
					t.Fatal(err)
				}
			}
			for _, o := range c.before {
				if err := h.Create(t.Context(), o.DeepCopyObject().(client.Object)); err != nil {
					t.Fatal(err)
				}
			}
			d := h.waiting(tenancyv1.ClassTest, cell, 1, 2)
			w := &controller.Waiting{Hub: h.Client, Direct: h.Client, Recorder: &books{}, Clock: clocktesting.NewFakePassiveClock(now), Events: events.NewFakeRecorder(10)}
			result, err := w.Reconcile(t.Context(), d)
			if err != nil {
				t.Fatal(err)
			}
			if n := len(h.releases()) - len(c.before); n != c.want {
				t.Errorf("%s: %d releases were started, want %d", c.reason, n, c.want)
			}
			if c.want == 0 && result.RequeueAfter == 0 {
				t.Errorf("%s: it is not looked at again", c.reason)
			}
		})
	}
}

// In production, and where policy leaves losses to people, what waits for room is proposed
// elsewhere, once; a Release carries it out, or it is withdrawn when there is room again.
func TestWhatWaitsIsProposed(t *testing.T) {
	for name, c := range map[string]struct {
		class  tenancyv1.EnvironmentClass
		policy *placementv1.LostPolicy
		want   int
	}{
		"production":            {class: tenancyv1.ClassProduction, want: 1},
		"automatic, production": {class: tenancyv1.ClassProduction, policy: &placementv1.LostPolicy{Action: placementv1.LostRelease, Ticket: "CHG-7"}, want: 1},
		"people, test":          {class: tenancyv1.ClassTest, policy: &placementv1.LostPolicy{Action: placementv1.LostPropose}, want: 1},
		"automatic, test":       {class: tenancyv1.ClassTest, policy: &placementv1.LostPolicy{Action: placementv1.LostRelease}},
		"test":                  {class: tenancyv1.ClassTest},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, c.policy)
			if err := s.Create(t.Context(), &tenancyv1.Environment{ObjectMeta: metav1.ObjectMeta{Name: "prod"}, Spec: tenancyv1.EnvironmentSpec{Class: c.class}}); err != nil {
				t.Fatal(err)
			}
			inForce, revision := s.run("pay", 4)
			was := inForce.Spec.Assignments[0]
			d := &deliveryv1.Delivery{ObjectMeta: metav1.ObjectMeta{Namespace: "fairway-cluster-east-1", Name: "retail-prod-pay"}}
			d.Spec.Application, d.Spec.Namespace = "retail-prod/pay", "retail-prod-pay"
			d.Status.Waiting = []deliveryv1.WaitingWorkload{{Name: "pay-account", Component: was.Component, Cell: was.Cell, Instances: 1, Seats: was.Seats[:1]}}
			if err := s.Create(t.Context(), d); err != nil {
				t.Fatal(err)
			}
			s.pass(time.Second)
			s.pass(time.Minute)
			found := s.proposals()
			if len(found) != c.want || len(s.releases()) != 0 {
				t.Fatalf("%d proposals and %d releases, want %d and none", len(found), len(s.releases()), c.want)
			}
			if c.want == 0 {
				return
			}
			p := found[0].Spec
			if p.Cause.Kind != placementv1.CauseNoRoom || len(p.Cause.Waits) != 1 || p.Cause.Waits[0].Cell != was.Cell || p.Cause.From != inForce.Name || len(p.Cause.Gains) != 1 || p.Cause.Gains[0].Instances != 1 {
				t.Errorf("proposed for %+v", p.Cause)
			}
			if before, after := seatsIn(inForce), seatsIn(&found[0]); after[was.Cell.Rack] != before[was.Cell.Rack]-1 || after["east-a"]+after["east-b"] != 4 {
				t.Errorf("proposed at %v, it runs at %v: want one to move", after, before)
			}
			if used := placementtest.Run(t, s.placer, releasetest.New("pay-2", revision.Name, func(r *releasev1.Release) { r.Spec.Application, r.Spec.Placement = "pay", found[0].Name }), revision); used.Name != found[0].Name {
				t.Fatalf("a release with it uses %s", used.Name)
			}
			s.change(d, func(o client.Object) { o.(*deliveryv1.Delivery).Status.Waiting = nil })
			s.pass(time.Minute)
			if left := s.proposals(); len(left) != 0 {
				t.Errorf("%d proposals are left", len(left))
			}
		})
	}
}

// machines has an import of one virtual machine of application pay, made so long ago.
func (h *hub) machines(ago time.Duration) {
	h.t.Helper()
	m := &placementv1.MachineImport{ObjectMeta: metav1.ObjectMeta{Namespace: "retail-prod", Name: "pay-cmdb"}}
	m.Spec.Application, m.Spec.Source, m.Spec.ObservedAt = "pay", "cmdb", metav1.NewTime(time.Now().Add(-ago))
	m.Spec.Instances = []placementv1.MachineInstance{{Component: "account", DCN: "dcn-east-1", DataCenter: "dc-east", Rack: "east-a", Seat: 9}}
	if err := h.Create(h.t.Context(), m); err != nil {
		h.t.Fatal(err)
	}
}

func (h *hub) releases() []releasev1.Release {
	h.t.Helper()
	var list releasev1.ReleaseList
	if err := h.List(h.t.Context(), &list); err != nil {
		h.t.Fatal(err)
	}
	return list.Items
}

// holds has a Release hold application pay.
func (h *hub) holds(name string) {
	h.t.Helper()
	a := &appv1.Application{}
	if err := h.Get(h.t.Context(), client.ObjectKey{Namespace: "retail-prod", Name: "pay"}, a); err != nil {
		h.t.Fatal(err)
	}
	a.Status.ActiveRelease = name
	if err := h.Update(h.t.Context(), a); err != nil {
		h.t.Fatal(err)
	}
}
