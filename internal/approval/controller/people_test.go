// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	identityv1 "github.com/fairway-cloud/fairway/api/identity/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/approval"
	"github.com/fairway-cloud/fairway/internal/approval/approvaltest"
	"github.com/fairway-cloud/fairway/internal/approval/controller"
)

// A decision comes to count when a role is given: its request says so within seconds, and not
// when it is looked at next, up to an hour later. An import of people has it looked at a few
// times, not once for each of them.
func TestARoleThatChangesWakesWhoWaits(t *testing.T) {
	w := approvaltest.New(t, hub, tenancyv1.ClassProduction)
	w.Joint()
	q := w.Ask(w.Release("woken"))
	tenant := &tenancyv1.Tenant{}
	if err := hub.Client().Get(t.Context(), client.ObjectKey{Name: w.Tenant}, tenant); err != nil {
		t.Fatal(err)
	}
	given := slices.Clone(tenant.Spec.Roles)
	say := func(roles []tenancyv1.RoleBinding) {
		t.Helper()
		w.Eventually("say who has which role", func() error {
			if err := hub.Client().Get(t.Context(), client.ObjectKeyFromObject(tenant), tenant); err != nil {
				return err
			}
			tenant.Spec.Roles = roles
			return hub.Client().Update(t.Context(), tenant)
		})
	}
	say(slices.DeleteFunc(slices.Clone(given), func(b tenancyv1.RoleBinding) bool { return b.Role == tenancyv1.RoleBusinessApprover }))
	w.Agree(q)

	var looks atomic.Int64
	reader := *w.Cases
	reader.People = func(ctx context.Context) (approval.People, error) {
		looks.Add(1)
		return w.Cases.People(ctx)
	}
	skip := true
	mgr, err := ctrl.NewManager(hub.UserConfig(t, "fairway", "fairway:system"), ctrl.Options{
		Scheme: approvaltest.Scheme(), Metrics: metricsserver.Options{BindAddress: "0"}, Logger: logr.Discard(), Controller: config.Controller{SkipNameValidation: &skip},
		Cache: cache.Options{ByObject: map[client.Object]cache.ByObject{&approvalv1.ApprovalRequest{}: {Namespaces: map[string]cache.Config{w.Namespace: {}}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	people := &controller.People{Now: time.Now}
	if err := people.SetupWithManager(mgr); err != nil {
		t.Fatal(err)
	}
	if err := (&controller.Progress{Hub: mgr.GetClient(), Cases: &reader, People: people}).SetupWithManager(mgr); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	ready := func(want string) {
		t.Helper()
		w.Eventually("see "+want, func() error {
			if err := hub.Client().Get(t.Context(), client.ObjectKeyFromObject(q), q); err != nil {
				return err
			}
			if c := meta.FindStatusCondition(q.Status.Conditions, approvalv1.ConditionReady); c == nil || !strings.HasPrefix(string(c.Status)+" "+c.Reason, want) {
				return fmt.Errorf("it says %+v", c)
			}
			return nil
		})
	}
	ready("False Waiting")
	before := looks.Load()
	const imported = 200
	for i := range imported {
		w.Create(w.System, &identityv1.Person{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("import-%s-%d", w.Tenant, i)}, Spec: identityv1.PersonSpec{Groups: []string{"staff"}}})
	}
	say(given)
	ready("True Approved")
	// The status that was written is looked at once more, and the import may last longer than the changes are gathered for.
	if n := looks.Load() - before; n > 6 {
		t.Errorf("looked at %d times for %d people and a role, want a few", n, imported)
	}
}

// Changes are gathered until they rest, and told after half a minute even if they do not.
func TestChangesOfPeopleAreGathered(t *testing.T) {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	p := &controller.People{Now: func() time.Time { return now }}
	look := func() (time.Duration, bool) {
		t.Helper()
		result, err := p.Reconcile(t.Context(), ctrl.Request{})
		if err != nil {
			t.Fatal(err)
		}
		select {
		case <-p.Changed():
			return result.RequeueAfter, true
		default:
			return result.RequeueAfter, false
		}
	}
	told := 0
	for second := range 60 { // a change each second
		controller.Heard(p)
		if _, told1 := look(); told1 {
			told++
			if second < 29 {
				t.Errorf("told after %d s, while changes still come", second)
			}
		}
		now = now.Add(time.Second)
	}
	if told < 1 || told > 2 {
		t.Errorf("told %d times within a minute of changes, want once in half a minute", told)
	}
	controller.Heard(p)
	left, is := look()
	if is || left <= 0 || left > 2*time.Second {
		t.Errorf("told %v, and looks again after %s: want it to wait for quiet, two seconds at most", is, left)
	}
	now = now.Add(left)
	if _, is := look(); !is {
		t.Error("it is quiet, and nobody was told")
	}
}
