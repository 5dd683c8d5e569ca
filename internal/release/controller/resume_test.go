// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	deliveryv1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/approval"
	"github.com/fairway-cloud/fairway/internal/placement/observed"
	"github.com/fairway-cloud/fairway/internal/release"
	"github.com/fairway-cloud/fairway/internal/release/releasetest"
)

// crew is a Gate that lets nothing go on which was stopped after somebody let it.
type crew struct {
	bank *bank
	let  time.Time
	why  string
}

func (c *crew) Check(_ context.Context, act approval.Act) (approval.Verdict, error) {
	stopped := c.bank.release("upgrade").Status.StoppedAt
	if act.Release == "retail-prod/upgrade" && stopped != nil && !c.let.After(stopped.Time) {
		return approval.Verdict{Reason: c.why}, nil
	}
	return approval.Verdict{Allowed: true}, nil
}

// Whoever lets a Release go on does so after its last stop, also where the stop was
// taken back before any controller looked.
func TestEachResumptionIsAsked(t *testing.T) {
	b := newBank(t)
	b.create(releasetest.New("first", b.revise()))
	b.settle()
	b.members["west-1"].Broken = map[string]string{"account": "not ready yet"}
	b.create(releasetest.New("upgrade", b.revise(changed("account.image=2.0"))))
	b.settle()
	gate := &crew{bank: b, let: b.clock.Now().Add(time.Second), why: "waits for whoever operates it"}
	b.steps.Gate = gate
	b.members["west-1"].Broken = nil

	held := func(reason string) {
		t.Helper()
		before := b.picture()
		b.settle()
		r := b.release("upgrade")
		if release.Finished(r) || len(b.picture()) != len(before) {
			t.Errorf("%s: a step was taken: %+v", reason, r.Status.Conditions)
		}
	}
	b.pass(time.Minute)
	b.say("upgrade", "Stop")
	held("stopped")
	first := b.release("upgrade").Status.StoppedAt
	if first == nil {
		t.Fatal("the stop is noted")
	}
	b.pass(time.Minute)
	b.settle()
	if again := b.release("upgrade").Status.StoppedAt; !again.Equal(first) {
		t.Errorf("a stop is noted once: %v, then %v", first, again)
	}
	b.say("upgrade", "Run")
	held("resumed, and nobody let it go on since")
	if now := b.release("upgrade").Status.StoppedAt; !now.Equal(first) {
		t.Errorf("to go on is no stop: %v, then %v", first, now)
	}
	gate.let = b.clock.Now()

	// Between two looks: stopped and let run again.
	b.pass(time.Minute)
	b.say("upgrade", "Stop")
	b.say("upgrade", "Run")
	held("stopped and resumed while nobody looked")
	gate.let = b.clock.Now().Add(time.Second)
	// Stopped, resumed and stopped: what was said before the last stop does not count.
	b.pass(time.Minute)
	b.say("upgrade", "Stop")
	b.settle()
	b.pass(time.Minute)
	gate.let = b.clock.Now()
	b.pass(time.Minute)
	b.say("upgrade", "Run")
	b.say("upgrade", "Stop")
	held("stopped again while nobody looked")
	b.say("upgrade", "Run")
	held("let go on before the last stop")
	gate.let = b.clock.Now().Add(time.Second)
	b.settle()
	if r := b.release("upgrade"); !release.Finished(r) {
		t.Errorf("let go on after the last stop, it does: %+v", r.Status.Conditions)
	}
}

// kept are stops that wait for the hub.
type kept map[string]bool

func (k kept) Holds(r *releasev1.Release) bool { return k[r.Name] }

// A stop that waits for the hub holds its Release, whatever the Gate says, also one that
// goes back: no step is taken before it is written.
func TestAKeptStopHoldsEveryStep(t *testing.T) {
	for name, options := range map[string][]func(*releasev1.Release){"forward": nil, "back": {releasetest.Rollback}} {
		t.Run(name, func(t *testing.T) {
			b := newBank(t)
			first := b.revise()
			b.create(releasetest.New("first", first))
			b.settle()
			revision := b.revise(changed("account.image=2.0"))
			if options != nil {
				b.create(releasetest.New("second", revision))
				b.settle()
				revision = first
			}
			stops := kept{"held": true}
			b.steps.Stops = stops
			before := b.picture()
			b.create(releasetest.New("held", revision, options...))
			b.settle()
			r := b.release("held")
			if r.Status.StartedAt != nil || r.Status.PlanDigest == "" || len(b.picture()) != len(before) {
				t.Fatalf("it is planned and does not begin: %+v", r.Status.Conditions)
			}
			delete(stops, "held")
			b.settle()
			if !release.Finished(b.release("held")) {
				t.Errorf("it was the stop alone: %+v", b.release("held").Status.Conditions)
			}
		})
	}
}

// A Release comes to its plan in one look, and to its first steps if it may begin.
func TestOneLookTakesTheFirstSteps(t *testing.T) {
	b := newBank(t)
	b.create(releasetest.New("first", b.revise()))
	b.gate.refuse = "nobody has agreed"
	b.reconcile()
	r := b.release("first")
	if r.Status.Sequence != 1 || r.Status.Placement == "" || r.Status.Plan == "" || r.Status.StartedAt != nil {
		t.Errorf("after the first look it has number %d, placement %q, a plan of %d bytes, and began %v; want it planned, and not begun",
			r.Status.Sequence, r.Status.Placement, len(r.Status.Plan), r.Status.StartedAt)
	}
	b.gate.refuse = ""
	b.reconcile()
	var deliveries deliveryv1.DeliveryList
	if err := b.hub.List(t.Context(), &deliveries); err != nil {
		t.Fatal(err)
	}
	if r := b.release("first"); r.Status.StartedAt == nil || len(deliveries.Items) != 2 {
		t.Errorf("allowed, it began %v and gave %d clusters something to do; want it begun, and two", r.Status.StartedAt, len(deliveries.Items))
	}
}

// Who stops a Release while the Gate is asked whether it may begin stops it before anything
// that runs changes: that it has begun cannot be written.
func TestAStopOvertakesTheStart(t *testing.T) {
	b := newBank(t)
	b.create(releasetest.New("first", b.revise()))
	b.gate.meanwhile = func() { b.gate.meanwhile = nil; b.say("first", "Stop") }
	b.settle()
	var deliveries deliveryv1.DeliveryList
	if err := b.hub.List(t.Context(), &deliveries); err != nil {
		t.Fatal(err)
	}
	if r := b.release("first"); r.Status.StartedAt != nil || r.Status.StoppedAt == nil || r.Status.Plan == "" || len(deliveries.Items) != 0 {
		t.Errorf("stopped before it began, it began, or nobody noted it: %d deliveries, %+v", len(deliveries.Items), r.Status)
	}
	if asked := len(b.gate.acts); asked != 1 {
		t.Errorf("the gate was asked %d times, want once: %v", asked, b.gate.acts)
	}
}

// unasked is a hub that nobody may ask.
type unasked struct {
	client.Reader
	t *testing.T
}

func (u unasked) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	u.t.Errorf("the hub was asked for %T %s", into, key)
	return errors.New("nobody may ask")
}

func (u unasked) List(_ context.Context, into client.ObjectList, _ ...client.ListOption) error {
	u.t.Errorf("the hub was asked to list %T", into)
	return errors.New("nobody may ask")
}

// A Release that waits for its members, for a person or for nothing any more asks the hub
// for nothing and writes nothing, however often it is looked at.
func TestWaitingCostsTheHubNothing(t *testing.T) {
	b := newBank(t)
	b.create(releasetest.New("first", b.revise()))
	ends := map[string]func(){
		"its members": func() { b.reconcile() },
		"a person":    func() { b.say("first", "Stop"); b.reconcile() },
		"one who is late": func() {
			b.say("first", "Run")
			b.reconcile()
			b.clock.SetTime(b.clock.Now().Add(time.Hour))
			b.reconcile()
		},
		"nothing": func() { b.settle() },
	}
	for _, what := range []string{"its members", "a person", "one who is late", "nothing"} {
		ends[what]()
		b.reconcile() // what was done is said
		before := b.release("first")
		b.steps.Direct = unasked{t: t}
		b.reconcile()
		b.reconcile()
		b.steps.Direct = b.hub
		if after := b.release("first"); after.ResourceVersion != before.ResourceVersion {
			t.Errorf("waiting for %s it was written: %v", what, cmp.Diff(before.Status, after.Status))
		}
	}
	if r := b.release("first"); !release.Finished(r) {
		t.Errorf("it is not complete at the end: %+v", r.Status.Conditions)
	}
}

// A step that the Gate lets pass after it refused says so, though words of what is waited
// for come with it.
func TestAStepThatPassesIsApproved(t *testing.T) {
	b := newBank(t)
	b.create(releasetest.New("first", b.revise()))
	b.gate.meanwhile = func() {
		b.gate.refuse = ""
		if len(b.gate.acts) > 1 { // after the start
			b.gate.refuse = "the window is closed"
		}
	}
	b.settle()
	approved := func() *metav1.Condition {
		return meta.FindStatusCondition(b.release("first").Status.Conditions, releasev1.ConditionApproved)
	}
	if c := approved(); c == nil || c.Status != metav1.ConditionFalse {
		t.Fatalf("refused at its first step, it says %+v", c)
	}
	b.gate.meanwhile, b.gate.refuse = nil, ""
	b.reconcile()
	if c := approved(); c == nil || c.Status != metav1.ConditionTrue {
		t.Errorf("its steps passed, and it says %+v", c)
	}
}

// What a Release placed is in force from its first step on, and not while it waits.
func TestWhatWaitsIsNotInForce(t *testing.T) {
	b := newBank(t)
	b.create(releasetest.New("first", b.revise()))
	b.settle()
	b.gate.refuse = "nobody has agreed"
	b.create(releasetest.New("second", b.revise(changed("account.image=2.0"), changed("account.dcn-east-1=1"))))
	b.settle()
	begun := func() bool {
		p := &placementv1.Placement{}
		if err := b.hub.Get(t.Context(), client.ObjectKey{Namespace: "retail-prod", Name: b.release("second").Status.Placement}, p); err != nil {
			t.Fatal(err)
		}
		return observed.Begun(p)
	}
	if begun() {
		t.Error("it waits, and its placement is in force")
	}
	b.gate.refuse = ""
	b.reconcile()
	if !begun() {
		t.Error("it has taken its first step, and its placement is not in force")
	}
	b.settle()
	if !begun() || !release.Finished(b.release("second")) {
		t.Errorf("at the end its placement is in force: %v; %+v", begun(), b.release("second").Status.Conditions)
	}
}
