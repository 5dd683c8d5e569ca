// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller_test

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/approval/approvaltest"
)

// A request that waits for a window is looked at when that opens, and not before; its
// status then tells the Release. One that waits for people is left alone.
func TestARequestIsLookedAtWhenItsWindowOpens(t *testing.T) {
	w := approvaltest.New(t, hub, tenancyv1.ClassProduction)
	w.Joint()
	q := w.Ask(w.Release("waits"))
	look := func() (time.Duration, string) {
		t.Helper()
		if err := w.System.Get(t.Context(), client.ObjectKeyFromObject(q), q); err != nil {
			t.Fatal(err)
		}
		result, err := w.Progress.Reconcile(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		return result.RequeueAfter, q.Status.Window
	}
	if again, _ := look(); again < 59*time.Minute {
		t.Errorf("who waits for people is looked at after %s, want an hour", again)
	}
	opens := metav1.NewTime(time.Now().Add(20 * time.Minute))
	w.Create(hub.Client(), &approvalv1.Freeze{ObjectMeta: metav1.ObjectMeta{Name: w.Tenant + "-batch"}, Spec: approvalv1.FreezeSpec{
		Kind: approvalv1.FreezeBatch, Scope: approvalv1.FreezeScope{Tenants: []string{w.Tenant}}, From: metav1.NewTime(time.Now().Add(-time.Minute)), To: &opens, Reason: "end of day",
	}})
	w.Agree(q)
	again, says := look()
	if again < 19*time.Minute || again > 21*time.Minute || !strings.Contains(says, "end of day") {
		t.Errorf("a freeze of 20 minutes: looked at again after %s, status %q", again, says)
	}
	w.Clock.Pass(again)
	again, says = look()
	if says != "" || again < 30*time.Minute {
		t.Errorf("after the freeze: status %q, looked at again after %s", says, again)
	}
}

// A decision that the hub stamped with a clock ahead of the server's does not count yet:
// the request is looked at when it does.
func TestARequestIsLookedAtWhenADecisionCounts(t *testing.T) {
	w := approvaltest.New(t, hub, tenancyv1.ClassProduction)
	w.Joint()
	q := w.Ask(w.Release("ahead"))
	w.Agree(q)
	w.Clock.Pass(-20 * time.Second)
	look := func() time.Duration {
		t.Helper()
		if err := w.System.Get(t.Context(), client.ObjectKeyFromObject(q), q); err != nil {
			t.Fatal(err)
		}
		result, err := w.Progress.Reconcile(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		return result.RequeueAfter
	}
	again := look()
	wants(t, "they lie 20 s ahead", condition(q.Status.Conditions, approvalv1.ConditionReady), "False Waiting")
	if again > 21*time.Second {
		t.Errorf("looked at again after %s, want at most 21 s", again)
	}
	w.Clock.Pass(again)
	look()
	wants(t, "their time has come", condition(q.Status.Conditions, approvalv1.ConditionReady), "True Approved")
}

// A policy's budget comes back with time, which nothing tells.
func TestARequestThatWaitsForABudgetIsLookedAtOften(t *testing.T) {
	w := approvaltest.New(t, hub, tenancyv1.ClassProduction)
	w.Joint(func(s *approvalv1.ApprovalPolicySpec) {
		s.Automatic = &approvalv1.Automatic{When: "act.changeClass == 'Standard'", Budget: &approvalv1.Budget{Acts: 1, Within: metav1.Duration{Duration: time.Hour}}}
	})
	w.Application()
	restart := func(r *releasev1.Release) {
		r.Spec.Kind, r.Spec.Revision, r.Spec.Seats, r.Spec.ChangeClass = releasev1.KindRestart, "", []string{"account-1"}, releasev1.ChangeStandard
	}
	first, second := w.Release("one", restart), w.Release("two", restart)
	w.Ask(first)
	q := w.Ask(second)
	w.Start(first)
	result, err := w.Progress.Reconcile(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	wants(t, "the budget is spent", condition(q.Status.Conditions, approvalv1.ConditionReady), "False BudgetSpent")
	if result.RequeueAfter != 30*time.Second {
		t.Errorf("looked at again after %s, want 30 s", result.RequeueAfter)
	}
}
