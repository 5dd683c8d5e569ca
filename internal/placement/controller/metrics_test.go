// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app/apptest"
	"github.com/fairway-cloud/fairway/internal/placement/controller"
	"github.com/fairway-cloud/fairway/internal/placement/placementtest"
	"github.com/fairway-cloud/fairway/internal/platform/metricstest"
	"github.com/fairway-cloud/fairway/internal/release"
	"github.com/fairway-cloud/fairway/internal/release/releasetest"
)

// TestDecisionsAreCounted follows decisions to what became of them.
func TestDecisionsAreCounted(t *testing.T) {
	away := false
	hub := placementtest.Hub(t).WithInterceptorFuncs(interceptor.Funcs{Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
		if away {
			return errors.New("the hub did not take it")
		}
		return c.Create(ctx, o, opts...)
	}}).Build()
	placer := &controller.Placer{Hub: hub, Direct: hub, Clock: clocktesting.NewFakePassiveClock(apptest.Now)}
	place := func(name string, n int32) error {
		revision := placementtest.Revision(t, name, n)
		_, err := placer.Place(t.Context(), releasetest.New("rel-"+name, revision.Name, func(r *releasev1.Release) { r.Spec.Application = name }), revision)
		return err
	}
	before := metricstest.Read(t, metrics.Registry)
	if err := place("pay", 10); err != nil {
		t.Fatal(err)
	}
	if err := place("loan", 7); err == nil {
		t.Fatal("seven more were placed where six fit")
	}
	away = true
	if err := place("card", 1); err == nil {
		t.Fatal("it was stored")
	}
	after, got := metricstest.Read(t, metrics.Registry), map[string]float64{}
	for name, value := range after {
		if value != before[name] {
			got[name] = value - before[name]
		}
	}
	want := map[string]float64{
		"fairway_placement_commits_total stored": 1, "fairway_placement_commits_total refused": 1, "fairway_placement_commits_total failed": 1,
		"fairway_placement_batch_requests number": 3, "fairway_placement_batch_requests sum": 3,
	}
	for name := range got {
		if _, mine := want[name]; !mine {
			delete(got, name)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// TestAWithdrawnDecisionIsCounted has another server store the last of the room between a
// decision and its Placement: it is withdrawn, and what was decided anew is refused.
func TestAWithdrawnDecisionIsCounted(t *testing.T) {
	hub := placementtest.Hub(t).Build()
	clock := clocktesting.NewFakePassiveClock(apptest.Now)
	place := func(by *controller.Placer, name string, n int32) error {
		revision := placementtest.Revision(t, name, n)
		_, err := by.Place(t.Context(), releasetest.New("rel-"+name, revision.Name, func(r *releasev1.Release) { r.Spec.Application = name }), revision)
		return err
	}
	quicker := &controller.Placer{Hub: hub, Direct: hub, Clock: clock}
	raced := false
	slower := &controller.Placer{Direct: hub, Clock: clock, Hub: interceptor.NewClient(hub, interceptor.Funcs{Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
		if !raced {
			raced = true
			if err := place(quicker, "card", 16); err != nil {
				t.Errorf("the other server: %v", err)
			}
		}
		return c.Create(ctx, o, opts...)
	}})}
	before := metricstest.Read(t, metrics.Registry)
	if err := place(slower, "pay", 4); release.Refused(err) == nil {
		t.Errorf("another server was first, and there is no room left: %v", err)
	}
	after := metricstest.Read(t, metrics.Registry)
	for result, want := range map[string]float64{"withdrawn": 1, "refused": 1, "stored": 1, "failed": 0} {
		name := "fairway_placement_commits_total " + result
		if got := after[name] - before[name]; got != want {
			t.Errorf("%s: %v, want %v", result, got, want)
		}
	}
}

// TestMachineImportsAreCounted counts imports by what was reported of them.
func TestMachineImportsAreCounted(t *testing.T) {
	hub := placementtest.Hub(t)
	for name, reason := range map[string]string{"a": "Current", "b": "Stale", "c": "Stale", "d": "Contradicted", "e": ""} {
		m := &placementv1.MachineImport{ObjectMeta: metav1.ObjectMeta{Namespace: "retail-prod", Name: name + "-cmdb"}, Spec: placementv1.MachineImportSpec{Application: name, Source: "cmdb"}}
		if reason != "" {
			m.Status.Conditions = []metav1.Condition{{Type: "Ready", Reason: reason}}
		}
		hub.WithObjects(m)
	}
	got := metricstest.Read(t, metricstest.Of(t, (&controller.Machines{Hub: hub.Build()}).Metrics()))
	want := map[string]float64{
		"fairway_placement_machine_imports Current": 1, "fairway_placement_machine_imports Stale": 2,
		"fairway_placement_machine_imports Contradicted": 1, "fairway_placement_machine_imports Unjudged": 1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}
