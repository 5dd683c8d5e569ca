// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
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
