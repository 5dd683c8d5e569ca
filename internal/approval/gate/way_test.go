// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package gate_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/approval"
	"github.com/fairway-cloud/fairway/internal/approval/approvaltest"
	"github.com/fairway-cloud/fairway/internal/approval/cases"
	"github.com/fairway-cloud/fairway/internal/approval/gate"
	"github.com/fairway-cloud/fairway/internal/identity/rights"
)

// restart is a Standard change of one seat.
func restart(r *releasev1.Release) {
	r.Spec.Kind, r.Spec.Revision, r.Spec.Seats, r.Spec.ChangeClass = releasev1.KindRestart, "", []string{"account-1"}, releasev1.ChangeStandard
}

// A policy's budget is exact over several Releases, and comes back with time, not
// by clearing away what was done.
func TestBudgetIsExact(t *testing.T) {
	w := approvaltest.New(t, hub, tenancyv1.ClassProduction)
	w.Joint(func(s *approvalv1.ApprovalPolicySpec) {
		s.Automatic = &approvalv1.Automatic{When: "act.changeClass == 'Standard'", Budget: &approvalv1.Budget{Acts: 2, Within: metav1.Duration{Duration: time.Hour}}}
	})
	w.Application()
	var all []*releasev1.Release
	for i := range 3 {
		r := w.Release(fmt.Sprintf("restart-%d", i), restart)
		if q := w.Ask(r); q.Spec.Policy.Standing != approvalv1.StandingAutomatic {
			t.Fatalf("got %s", q.Spec.Policy.Standing)
		}
		all = append(all, r)
	}
	for i, r := range all[:2] {
		wants(t, fmt.Sprintf("act %d of 2", i+1), w.Check(start, r), true, "agrees by itself")
		w.Start(r)
		wants(t, "its steps go on", w.Check(step, r), true, "agrees by itself")
	}
	wants(t, "the third of 2", w.Check(start, all[2]), false, "all are used up")
	wants(t, "what has begun goes on", w.Check(step, all[1]), true, "agrees by itself")
	// Who may delete what is complete does not win the budget back with it.
	w.Complete(all[0])
	if err := w.As("ops").Delete(t.Context(), all[0]); err != nil {
		t.Fatal(err)
	}
	wants(t, "one was deleted", w.Check(start, all[2]), false, "all are used up")
	// A heavier class is not what was agreed to beforehand.
	normal := w.Release("normal")
	if q := w.Ask(normal); q.Spec.Policy.Standing != approvalv1.StandingPeople {
		t.Errorf("got %s", q.Spec.Policy.Standing)
	}
	wants(t, "people are asked", w.Check(start, normal), false, "waits for")
	w.Clock.Pass(61 * time.Minute)
	wants(t, "an hour later", w.Check(start, all[2]), true, "agrees by itself")
}

// Freezes and calendars hold an approved act back until they are over.
func TestWindows(t *testing.T) {
	w := approvaltest.New(t, hub, tenancyv1.ClassProduction)
	calendar := w.Tenant + "-nights"
	w.Joint(func(s *approvalv1.ApprovalPolicySpec) {
		s.Window = &approvalv1.WindowRule{Calendars: []string{calendar}}
	})
	r := w.Release("window")
	q := w.Ask(r)
	w.Agree(q)
	wants(t, "a calendar that is not there is closed", w.Check(start, r), false, calendar)
	w.Create(hub.Client(), &approvalv1.ChangeCalendar{ObjectMeta: metav1.ObjectMeta{Name: calendar}, Spec: approvalv1.ChangeCalendarSpec{
		TimeZone: "Asia/Shanghai", Windows: []approvalv1.ChangeWindow{{Name: "always", From: "00:00", To: "24:00"}},
	}})
	wants(t, "inside its window", w.Check(start, r), true, "approved")
	freeze := &approvalv1.Freeze{ObjectMeta: metav1.ObjectMeta{Name: w.Tenant + "-batch"}, Spec: approvalv1.FreezeSpec{
		Kind: approvalv1.FreezeBatch, Scope: approvalv1.FreezeScope{Tenants: []string{w.Tenant}}, From: metav1.NewTime(time.Now().Add(-time.Minute)), Reason: "end of day",
	}}
	w.Create(hub.Client(), freeze)
	wants(t, "a running batch", w.Check(start, r), false, "end of day")
	w.Start(r)
	wants(t, "the next step waits", w.Check(step, r), false, "end of day")
	wants(t, "what the last one has begun is carried out", w.Check(apply, r), true, "approved")
	before := freeze.DeepCopy()
	ended := metav1.NewTime(time.Now().Add(-time.Second))
	freeze.Spec.Ended = &ended
	if err := hub.Client().Patch(t.Context(), freeze, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
	wants(t, "the batch has ended", w.Check(step, r), true, "approved")
}

// Acts of a member follow the Release: not before it began, after its end as it
// was approved; and an approval is not another Release's of the same name.
func TestActsFollowTheRelease(t *testing.T) {
	w := approvaltest.New(t, hub, tenancyv1.ClassProduction)
	w.Joint()
	r := w.Release("follow")
	w.Agree(w.Ask(r))
	wants(t, "a member before the start", w.Check(apply, r), false, "has not begun")
	w.Start(r)
	wants(t, "a member after it", w.Check(apply, r), true, "approved")
	w.Complete(r)
	wants(t, "what was released is kept as it is", w.Check(apply, r), true, "stays as it was approved")
	if err := w.As("ops").Delete(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	wants(t, "also when the Release was cleared away", w.Check(apply, r), true, "stays as it was approved")
	wants(t, "which takes no further step", w.Check(step, r), false, "is not there any more")

	again := w.Release("follow")
	if again.Status.PlanDigest != r.Status.PlanDigest {
		t.Fatal("the plans are to be the same")
	}
	wants(t, "another Release of that name and plan", w.Check(start, again), false, "the request for it is being made")
	// The name of its first request is taken: the next number is free.
	q := w.Ask(again)
	if q == nil || q.Spec.Subject.UID != string(again.UID) {
		t.Fatalf("it is asked for anew: %+v", q)
	}
	wants(t, "nobody has agreed to this one", w.Check(start, again), false, "waits for")
	w.Agree(q)
	wants(t, "agreed anew", w.Check(start, again), true, "approved")
	if q.Spec.Scope.Environment != w.Environment {
		t.Errorf("an approval is for one environment: %+v", q.Spec.Scope)
	}
}

// breaking fails every read of one kind of list or object.
type breaking struct {
	client.Reader
	what string
}

var errAway = errors.New("the hub is away")

func (b breaking) broken(o any) bool {
	return b.what == "all" || strings.Contains(fmt.Sprintf("%T", o), b.what)
}

func (b breaking) Get(ctx context.Context, key types.NamespacedName, o client.Object, opts ...client.GetOption) error {
	if b.broken(o) {
		return errAway
	}
	return b.Reader.Get(ctx, key, o, opts...)
}

func (b breaking) List(ctx context.Context, l client.ObjectList, opts ...client.ListOption) error {
	if b.broken(l) {
		return errAway
	}
	return b.Reader.List(ctx, l, opts...)
}

// Whatever cannot be read makes the Gate say that it does not know: nothing is let
// pass on half of the case.
func TestTheGateFailsClosed(t *testing.T) {
	w := approvaltest.New(t, hub, tenancyv1.ClassProduction)
	w.Joint(func(s *approvalv1.ApprovalPolicySpec) {
		s.Window = &approvalv1.WindowRule{Calendars: []string{w.Tenant + "-always"}}
		s.Automatic = &approvalv1.Automatic{When: "act.changeClass == 'Standard'", Budget: &approvalv1.Budget{Acts: 2, Within: metav1.Duration{Duration: time.Hour}}}
	})
	w.Create(hub.Client(), &approvalv1.ChangeCalendar{ObjectMeta: metav1.ObjectMeta{Name: w.Tenant + "-always"}, Spec: approvalv1.ChangeCalendarSpec{TimeZone: "Asia/Shanghai"}})
	r := w.Release("closed")
	q := w.Ask(r)
	w.Agree(q)
	w.Decide("verifier", q, approve, func(s *approvalv1.DecisionSpec) { s.OnBehalfOf = w.ID("biz") }) // does not count, and is looked at
	wants(t, "all is well", w.Check(start, r), true, "approved")
	bare := w.Release("bare")
	budget := w.Release("budget", restart)
	if q := w.Ask(budget); q.Spec.Policy.Standing != approvalv1.StandingAutomatic {
		t.Fatalf("got %s", q.Spec.Policy.Standing)
	}
	wants(t, "within the budget", w.Check(start, budget), true, "agrees by itself")
	going := w.Release("going")
	w.Agree(w.Ask(going))
	w.Start(going)
	wants(t, "a step of what goes on", w.Check(step, going), true, "approved")
	for _, c := range []struct {
		verb  string
		of    *releasev1.Release
		needs []string
	}{
		{start, r, []string{
			"all", "v1alpha1.Release", "v1alpha1.ApprovalRequest", "DecisionList", "ApprovalPolicyList", "Tenant", "Application", "ChangeCalendarList", "FreezeList",
			"DelegationList",
		}},
		{start, budget, []string{"ApprovalRequestList", "ReleaseList"}},
		{start, bare, []string{"v1alpha1.Release", "v1alpha1.ApprovalRequest", "Environment", "ApprovalPolicyList"}},
		{step, going, []string{"v1alpha1.Release", "v1alpha1.ApprovalRequest", "DecisionList", "Tenant", "ChangeCalendarList", "FreezeList"}},
	} {
		for _, what := range c.needs {
			t.Run(c.verb+" of "+c.of.Name+" without "+what, func(t *testing.T) {
				reader := *w.Cases
				reader.Direct = breaking{w.System, what}
				verdict, err := (&gate.Gate{Cases: &reader}).Check(t.Context(), w.Act(c.verb, c.of))
				if !errors.Is(err, errAway) || verdict.Allowed {
					t.Errorf("got %+v, %v", verdict, err)
				}
			})
		}
	}
	t.Run("who is who", func(t *testing.T) {
		reader := *w.Cases
		reader.People = func(context.Context) (approval.People, error) { return nil, errAway }
		if verdict, err := (&gate.Gate{Cases: &reader}).Check(t.Context(), w.Act(start, r)); !errors.Is(err, errAway) || verdict.Allowed {
			t.Errorf("got %+v, %v", verdict, err)
		}
	})
	t.Run("database", func(t *testing.T) {
		if err := w.Database.Close(); err != nil {
			t.Fatal(err)
		}
		if verdict, err := w.Gate.Check(t.Context(), w.Act(start, r)); err == nil || verdict.Allowed {
			t.Errorf("got %+v, %v", verdict, err)
		}
	})
}

// The way back is never refused: not while the hub or the database are away, while
// nobody knows who is who, or while the hub's policies were changed by hand.
func TestTheWayBackIsOpen(t *testing.T) {
	away := &cases.Reader{
		Direct: breaking{what: "all"}, Now: time.Now,
		People: func(context.Context) (approval.People, error) { return nil, errAway },
	}
	for name, g := range map[string]approval.Gate{
		"hub, people and database away": &gate.Gate{Cases: away},
		"nothing there at all":          &gate.Gate{},
		"policies changed by hand":      rights.Gate{Inner: &gate.Gate{Cases: away}, State: func() rights.State { return rights.State{Reason: "somebody changed them"} }, Hub: breaking{what: "all"}},
		"policies not known":            rights.Gate{Inner: &gate.Gate{Cases: away}, State: func() rights.State { return rights.State{Unknown: true, Reason: "nobody has looked"} }, Hub: breaking{what: "all"}},
	} {
		for _, verb := range []string{"release.start", "release.step", "release.stop", "release.pause", "release.rollback", "delivery.delete", "delivery.drain"} {
			t.Run(name+"/"+verb, func(t *testing.T) {
				verdict, err := g.Check(t.Context(), approval.Act{Verb: verb, Release: "retail-prod/back", Environment: "prod", WayBack: true})
				if err != nil || !verdict.Allowed {
					t.Errorf("got %+v, %v", verdict, err)
				}
				forward := approval.Act{Verb: verb, Release: "retail-prod/back", Environment: "prod"}
				if _, inner := g.(*gate.Gate); inner && !strings.HasPrefix(verb, "delivery") && verb != "release.start" && verb != "release.step" {
					return // asking is RBAC's matter
				}
				if name == "nothing there at all" {
					return
				}
				if verdict, err := g.Check(t.Context(), forward); err == nil && verdict.Allowed {
					t.Errorf("the way forward is closed then, got %+v", verdict)
				}
			})
		}
	}
}
