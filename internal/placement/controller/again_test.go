// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller_test

import (
	"context"
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

// TestWhatWasGivenBackIsHeldAgain takes a Placement up again that was given back, as a Rollback
// to where it ran before does. From the decision on its room is held: at each write somebody
// else asks for all that there is, and is refused.
func TestWhatWasGivenBackIsHeldAgain(t *testing.T) {
	var meanwhile func()
	tell := func() {
		if meanwhile != nil {
			meanwhile()
		}
	}
	hub := placementtest.Hub(t).WithInterceptorFuncs(interceptor.Funcs{
		Patch: func(ctx context.Context, c client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption) error {
			tell()
			return c.Patch(ctx, o, p, opts...)
		},
		SubResourcePatch: func(ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption) error {
			tell()
			return c.SubResource(sub).Patch(ctx, o, p, opts...)
		},
	}).Build()
	placer := &controller.Placer{Hub: hub, Direct: hub, Clock: clocktesting.NewFakePassiveClock(apptest.Now)}
	place := func(name, application string, n int32) error {
		revision := placementtest.Revision(t, application, n)
		_, err := placer.Place(t.Context(), releasetest.New(name, revision.Name, func(r *releasev1.Release) { r.Spec.Application = application }), revision)
		return err
	}
	if err := place("one", "pay", 4); err != nil {
		t.Fatal(err)
	}
	if err := placer.Free(t.Context(), "retail-prod", "pay", ""); err != nil {
		t.Fatal(err)
	}
	asked := 0
	meanwhile = func() {
		asked++
		before := meanwhile
		meanwhile = nil
		defer func() { meanwhile = before }()
		if err := place("other", "card", 16); release.Refused(err) == nil {
			t.Errorf("write %d: 16 find room where 4 of 16 are taken up again: %v", asked, err)
		}
	}
	if err := place("two", "pay", 4); err != nil {
		t.Fatal(err)
	}
	meanwhile = nil
	if asked == 0 {
		t.Error("nothing was written")
	}
	if err := place("three", "loan", 12); err != nil {
		t.Errorf("the rest is free: %v", err)
	}
}
