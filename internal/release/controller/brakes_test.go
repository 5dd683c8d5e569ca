// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"

	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/release"
	"github.com/fairway-cloud/fairway/internal/release/releasetest"
)

// brakes hold one Release.
type brakes struct{ on string }

func (b *brakes) Hold(_ context.Context, r *releasev1.Release) string {
	if r.Name == b.on {
		return "brake night holds"
	}
	return ""
}

// A Release that a brake holds takes no step more, in the middle of it too, and says so;
// released, it goes on.
func TestABrakeHoldsEachStep(t *testing.T) {
	b := newBank(t)
	held := &brakes{}
	b.steps.Brakes = held
	b.create(releasetest.New("first", b.revise()))
	b.settle()
	b.members["west-1"].Broken = map[string]string{"account": "not ready yet"}
	b.create(releasetest.New("upgrade", b.revise(changed("account.image=2.0"))))
	b.settle()

	held.on = "upgrade"
	b.members["west-1"].Broken = nil
	before := b.picture()
	b.pass(time.Minute)
	b.settle()
	r := b.release("upgrade")
	if release.Finished(r) || len(b.picture()) != len(before) {
		t.Fatalf("a step was taken: %+v", r.Status.Conditions)
	}
	if c := meta.FindStatusCondition(r.Status.Conditions, releasev1.ConditionReady); c == nil || !strings.Contains(c.Message, "automation is stopped, and no step of what it started is taken: brake night holds") {
		t.Errorf("%+v: want to be told what holds it", c)
	}
	held.on = ""
	b.pass(time.Minute)
	b.settle()
	if r := b.release("upgrade"); !release.Finished(r) {
		t.Errorf("the brake is released: %+v", r.Status.Conditions)
	}
}

// slow is a log that takes its time to note what is about to be done.
type slow struct {
	*journal
	meanwhile func()
}

func (s *slow) Intent(ctx context.Context, act audit.Act) (string, error) {
	if s.meanwhile != nil {
		s.meanwhile()
	}
	return s.journal.Intent(ctx, act)
}

// A brake that is set while Gate or log take their time holds the step that they were asked
// about: it is asked again right before the step is written.
func TestABrakeOvertakesASlowGate(t *testing.T) {
	for name, late := range map[string]func(b *bank, set func()){
		"gate": func(b *bank, set func()) { b.gate.meanwhile = set },
		"log":  func(b *bank, set func()) { b.steps.Recorder = &slow{journal: b.journal, meanwhile: set} },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBank(t)
			held := &brakes{}
			b.steps.Brakes = held
			b.create(releasetest.New("first", b.revise()))
			b.settle()
			b.members["west-1"].Broken = map[string]string{"account": "not ready yet"}
			b.create(releasetest.New("upgrade", b.revise(changed("account.image=2.0"))))
			b.settle()

			asked := 0
			late(b, func() { asked++; held.on = "upgrade" })
			b.members["west-1"].Broken = nil
			before := b.picture()
			b.pass(time.Minute)
			b.settle()
			if asked == 0 {
				t.Fatal("nobody was asked: the test shows nothing")
			}
			if diff := cmp.Diff(before, b.picture()); diff != "" {
				t.Errorf("a step was carried past the brake: %s", diff)
			}
			if c := meta.FindStatusCondition(b.release("upgrade").Status.Conditions, releasev1.ConditionReady); c == nil || !strings.Contains(c.Message, "brake night holds") {
				t.Errorf("%+v: want to be told what holds it", c)
			}
			if asked != 1 {
				t.Errorf("asked %d times while the brake holds, want once", asked)
			}
			held.on = ""
			b.gate.meanwhile, b.steps.Recorder = nil, b.journal
			b.pass(time.Minute)
			b.settle()
			if r := b.release("upgrade"); !release.Finished(r) {
				t.Errorf("the brake is released: %+v", r.Status.Conditions)
			}
		})
	}
}
