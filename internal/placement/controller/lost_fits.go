// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement/lost"
	"github.com/fairway-cloud/fairway/internal/placement/observed"
	"github.com/fairway-cloud/fairway/internal/platform/patch"
)

// mostFits bounds the message of the condition, in bytes.
const mostFits = 4096

// fits says on each application, in the condition Fits, that some of its instances find no
// place, and takes it back when they do. Where nobody can tell, what was said stands. It
// writes only what has changed.
func (l *Lost) fits(ctx context.Context, d lost.Decision) error {
	var all appv1.ApplicationList
	// What is changed is copied first.
	if err := l.Hub.List(ctx, &all, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("could not read the applications: %w", err)
	}
	lacks := map[string]lost.Unplaced{}
	for _, u := range d.Unplaced {
		if u.Lack != lost.LackReturn { // what runs has its place
			lacks[u.Application] = u
		}
	}
	var errs []error
	for i := range all.Items {
		a := &all.Items[i]
		name := a.Namespace + "/" + a.Name
		u, is := lacks[name]
		if !is && (meta.FindStatusCondition(a.Status.Conditions, appv1.ConditionFits) == nil || slices.Contains(d.Undecided, name)) {
			continue
		}
		after := a.DeepCopy()
		if is {
			meta.SetStatusCondition(&after.Status.Conditions, metav1.Condition{
				Type: appv1.ConditionFits, Status: metav1.ConditionFalse, Reason: reasonOf(u), Message: observed.Bounded(u.String(), mostFits),
				ObservedGeneration: a.Generation, LastTransitionTime: metav1.NewTime(l.Clock.Now()),
			})
		} else {
			meta.RemoveStatusCondition(&after.Status.Conditions, appv1.ConditionFits)
		}
		if l.Fence != nil {
			if err := l.Fence.Check(); err != nil {
				return errors.Join(append(errs, err)...)
			}
		}
		errs = append(errs, client.IgnoreNotFound(patch.Status(ctx, l.Hub, a, after)))
	}
	return errors.Join(errs...)
}

// reasonOf is the reason of the condition, and of the event.
func reasonOf(u lost.Unplaced) string {
	if u.Lack == lost.LackPlace || u.Lack == lost.LackHost {
		return appv1.ReasonNowhereElse
	}
	return appv1.ReasonWouldNotFit
}
