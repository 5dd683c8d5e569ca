// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement/controller"
	"github.com/fairway-cloud/fairway/internal/platform/kubetest"
)

// On a real API server: eight workers ask before each of their writes whether a brake
// holds, as Releases and proposals do. No write begins later than 2 s after the brake was
// acknowledged, and none while it holds; released, they go on.
func TestABrakeHoldsWithinTwoSeconds(t *testing.T) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{placementv1.AddToScheme, releasev1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	hub := kubetest.Start(t, kubetest.WithCRDs(), kubetest.WithScheme(scheme)).Client()
	brakes := &controller.Brakes{Direct: hub}
	automatic := &releasev1.Release{ObjectMeta: metav1.ObjectMeta{Namespace: "retail-prod"}, Spec: releasev1.ReleaseSpec{Requester: "fairway", Placement: "pay-1"}}

	var mu sync.Mutex
	var last time.Time
	n := 0
	ctx, cancel := context.WithCancel(t.Context())
	var workers sync.WaitGroup
	for w := range 8 {
		workers.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				if brakes.Hold(ctx, automatic) != "" {
					continue
				}
				mu.Lock()
				last = time.Now()
				n++
				mu.Unlock()
				made := &placementv1.PlacementPolicy{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("w%d-%d", w, i)}}
				_ = hub.Create(ctx, made)
			}
		})
	}
	writes := func() (int, time.Time) {
		mu.Lock()
		defer mu.Unlock()
		return n, last
	}
	until := func(what string, holds func() bool) {
		t.Helper()
		for deadline := time.Now().Add(30 * time.Second); !holds(); <-time.After(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s: not within 30 s", what)
			}
		}
	}
	until("automation acts", func() bool { n, _ := writes(); return n > 50 })
	brake := &placementv1.Brake{ObjectMeta: metav1.ObjectMeta{Name: "night"}, Spec: placementv1.BrakeSpec{Environments: []string{"prod"}, Reason: "stop", By: "li.na"}}
	if err := hub.Create(t.Context(), brake); err != nil {
		t.Fatal(err)
	}
	acknowledged := time.Now()
	<-time.After(3 * time.Second)
	stopped, at := writes()
	late := at.Sub(acknowledged)
	t.Logf("%d writes before the brake; the last one began %s after it was acknowledged", stopped, late)
	if late > 2*time.Second {
		t.Errorf("a write began %s after the brake was acknowledged", late)
	}
	<-time.After(time.Second)
	if again, _ := writes(); again != stopped {
		t.Errorf("%d writes while the brake held", again-stopped)
	}
	before := brake.DeepCopy()
	brake.Spec.Released = &placementv1.BrakeRelease{By: "wang.wei", Reason: "seen to", At: metav1.Now()}
	if err := hub.Patch(t.Context(), brake, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
	until("automation goes on", func() bool { n, _ := writes(); return n > stopped })
	cancel()
	workers.Wait()
	// What was released stays so.
	brake.Spec.Released = nil
	if err := hub.Update(t.Context(), brake); err == nil {
		t.Error("a brake that was released is set again")
	}
}
