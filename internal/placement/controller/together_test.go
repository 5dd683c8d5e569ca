// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app/apptest"
	"github.com/fairway-cloud/fairway/internal/placement/controller"
	"github.com/fairway-cloud/fairway/internal/placement/placementtest"
	"github.com/fairway-cloud/fairway/internal/release"
	"github.com/fairway-cloud/fairway/internal/release/releasetest"
)

// TestManyAtOnce has forty applications ask at the same time for room that four of them
// find. Every second write fails: its room is given back, and whoever comes next has it.
func TestManyAtOnce(t *testing.T) {
	var mu sync.Mutex
	writes, failing := 0, true
	hub := placementtest.Hub(t).WithInterceptorFuncs(interceptor.Funcs{Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
		mu.Lock()
		writes++
		fails := failing && writes%2 == 0
		mu.Unlock()
		if fails {
			return errors.New("the hub did not take it")
		}
		return c.Create(ctx, o, opts...)
	}}).Build()
	placer := &controller.Placer{Hub: hub, Direct: hub, Clock: clocktesting.NewFakePassiveClock(apptest.Now)}
	place := func(i int) error {
		name := fmt.Sprintf("app-%d", i)
		revision := placementtest.Revision(t, name, 4)
		_, err := placer.Place(t.Context(), releasetest.New("rel-"+name, revision.Name, func(r *releasev1.Release) { r.Spec.Application = name }), revision)
		if err != nil && release.Refused(err) == nil && !strings.Contains(err.Error(), "did not take it") {
			t.Errorf("%s: %v", name, err)
		}
		return err
	}
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() { _ = place(i) })
	}
	all.Wait()
	mu.Lock()
	failing = false
	mu.Unlock()
	found := 0
	for i := range 40 {
		if place(i) == nil {
			found++
		}
	}
	if found != 4 {
		t.Errorf("%d applications found room, want 4", found)
	}
}
