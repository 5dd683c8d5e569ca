// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placing

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	deliveryv1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	"github.com/fairway-cloud/fairway/test/scale/stage"
)

// written are the objects of one application, as they are on the hub.
type written struct {
	application *appv1.Application
	revision    *appv1.Revision
	release     *releasev1.Release
	placement   *placementv1.Placement
}

// gather reads what was written, by application.
func (s *scene) gather() []written {
	s.t.Helper()
	var applications appv1.ApplicationList
	var revisions appv1.RevisionList
	var releases releasev1.ReleaseList
	var placements placementv1.PlacementList
	for _, list := range []client.ObjectList{&applications, &revisions, &releases, &placements} {
		stage.Must(s.t, s.Raw.List(s.t.Context(), list))
	}
	of := map[string]*written{}
	at := func(namespace, application string) *written {
		key := namespace + "/" + application
		if of[key] == nil {
			of[key] = &written{}
		}
		return of[key]
	}
	for i := range applications.Items {
		at(applications.Items[i].Namespace, applications.Items[i].Name).application = &applications.Items[i]
	}
	for i := range revisions.Items {
		at(revisions.Items[i].Namespace, revisions.Items[i].Spec.Application).revision = &revisions.Items[i]
	}
	for i := range releases.Items {
		at(releases.Items[i].Namespace, releases.Items[i].Spec.Application).release = &releases.Items[i]
	}
	for i := range placements.Items {
		at(placements.Items[i].Namespace, placements.Items[i].Spec.Application).placement = &placements.Items[i]
	}
	var out []written
	for _, w := range of {
		if w.application != nil && w.revision != nil && w.release != nil && w.placement != nil {
			out = append(out, *w)
		}
	}
	return out
}

// carriedOn says how far what was placed has come by itself meanwhile: nobody holds the
// Releases, so that they go on into the members.
func (s *scene) carriedOn() string {
	s.t.Helper()
	var deliveries deliveryv1.DeliveryList
	stage.Must(s.t, s.Raw.List(s.t.Context(), &deliveries))
	applied := 0
	for i := range deliveries.Items {
		if meta.IsStatusConditionTrue(deliveries.Items[i].Status.Conditions, deliveryv1.ConditionApplied) {
			applied++
		}
	}
	return fmt.Sprintf("%d deliveries, %d of them applied in their member", len(deliveries.Items), applied)
}

// bytesOf says how many bytes the objects of an application have, as JSON, on average.
func bytesOf(all []written) string {
	sum := map[string]int{}
	for _, w := range all {
		for name, o := range map[string]client.Object{"application": w.application, "revision": w.revision, "release": w.release, "placement": w.placement} {
			raw, _ := json.Marshal(o)
			sum[name] += len(raw)
		}
	}
	var out []string
	for _, name := range slices.Sorted(maps.Keys(sum)) {
		out = append(out, fmt.Sprintf("%s %.1f KiB", name, float64(sum[name])/float64(len(all))/1024))
	}
	return strings.Join(out, ", ")
}

// floorWrites is how many writes the floor makes for each application.
const floorWrites = 7

// floor writes the same objects to the same hub with nothing decided, while no server
// runs: each Application, Revision, Release and Placement, and the status of all but the
// Revision, one after another, with as many callers, and as Fairway's own account.
func (s *scene) floor(all []written) time.Duration {
	s.t.Helper()
	for i := range s.size.tenants {
		stage.Must(s.t, s.Raw.Create(s.t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "floor" + s.size.tenant(i)[4:] + "-" + environment}}))
	}
	began := time.Now()
	next := make(chan written)
	var callers sync.WaitGroup
	for range s.size.callers {
		callers.Go(func() {
			for w := range next {
				if err := s.again(s.t.Context(), w); err != nil {
					s.t.Errorf("floor: %v", err)
				}
			}
		})
	}
	for _, w := range all {
		next <- w
	}
	close(next)
	callers.Wait()
	return time.Since(began)
}

// again writes the objects of an application once more, into a namespace beside.
func (s *scene) again(ctx context.Context, w written) error {
	for _, o := range []client.Object{w.application, w.revision, w.release, w.placement} {
		made, _ := o.DeepCopyObject().(client.Object)
		made.SetNamespace("floor" + o.GetNamespace()[4:])
		made.SetUID("")
		made.SetResourceVersion("")
		made.SetCreationTimestamp(metav1.Time{})
		made.SetManagedFields(nil)
		made.SetGeneration(0)
		told, _ := made.DeepCopyObject().(client.Object)
		if err := s.Own.Create(ctx, made); err != nil {
			return fmt.Errorf("could not write %T: %w", o, err)
		}
		before, _ := made.DeepCopyObject().(client.Object)
		switch x := made.(type) {
		case *appv1.Application:
			x.Status = told.(*appv1.Application).Status
		case *releasev1.Release:
			x.Status = told.(*releasev1.Release).Status
		case *placementv1.Placement:
			x.Status = told.(*placementv1.Placement).Status
		default:
			continue
		}
		if err := s.Own.Status().Patch(ctx, made, client.MergeFrom(before)); err != nil {
			return fmt.Errorf("could not report on %T: %w", o, err)
		}
	}
	return nil
}
