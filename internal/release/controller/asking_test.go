// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller_test

import (
	"errors"
	"testing"
	"time"

	"github.com/fairway-cloud/fairway/internal/release/releasetest"
)

// Whoever waits for an approval is woken by its request, and asks by himself but now and
// then, however many wait. Where the Gate cannot say, and between the steps of what has
// begun, it is asked again soon.
func TestHowOftenTheGateIsAsked(t *testing.T) {
	b := newBank(t)
	b.gate.refuse = "waits for 1 of party business"
	b.create(releasetest.New("first", b.revise()))
	b.reconcile() // draws the plan
	look := func() time.Duration {
		t.Helper()
		b.fuse.off = false
		defer func() { b.fuse.off = true }()
		asked := len(b.gate.acts)
		result, err := b.steps.Reconcile(t.Context(), b.release("first"))
		if err != nil {
			t.Fatal(err)
		}
		if len(b.gate.acts) == asked {
			t.Fatal("the gate was not asked")
		}
		return result.RequeueAfter
	}
	if again := look(); again < 10*time.Minute || again > 15*time.Minute {
		t.Errorf("what waits for an approval asks again after %s, want 10 to 15 minutes", again)
	}
	b.gate.refuse, b.gate.err = "", errors.New("the hub does not answer")
	if again := look(); again != 30*time.Second {
		t.Errorf("where the gate cannot say it is asked again after %s, want 30 s", again)
	}
	b.gate.err = nil
	b.gate.meanwhile = func() {
		if b.gate.acts[len(b.gate.acts)-1].Verb == "release.step" {
			b.gate.refuse = "a batch runs"
		}
	}
	if again := look(); again != 30*time.Second {
		t.Errorf("what has begun asks for its next step after %s, want 30 s", again)
	}
	if b.release("first").Status.StartedAt == nil {
		t.Error("agreed to, it has not begun")
	}
}
