// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller_test

import (
	"context"
	"testing"
	"time"

	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/approval"
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

// A Release comes to its plan in one look, and begins in another: who stops it meanwhile
// is seen before anything that runs changes.
func TestOneLookDrawsThePlan(t *testing.T) {
	b := newBank(t)
	b.create(releasetest.New("first", b.revise()))
	b.reconcile()
	r := b.release("first")
	if r.Status.Sequence != 1 || r.Status.Placement == "" || r.Status.Plan == "" || r.Status.StartedAt != nil {
		t.Errorf("after the first look it has number %d, placement %q, a plan of %d bytes, and began %v; want it planned, and not begun",
			r.Status.Sequence, r.Status.Placement, len(r.Status.Plan), r.Status.StartedAt)
	}
	b.say("first", "Stop")
	b.reconcile()
	if r := b.release("first"); r.Status.StartedAt != nil || r.Status.StoppedAt == nil {
		t.Errorf("stopped after its plan was drawn, it began: %+v", r.Status)
	}
}
