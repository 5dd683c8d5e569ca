// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	deliveryv1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app"
	"github.com/fairway-cloud/fairway/internal/approval"
	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/platform/fields"
	"github.com/fairway-cloud/fairway/internal/release"
)

// atOnce bounds how many objects one round of the clean-up removes.
const atOnce = 100

// unclear is when an application is looked at again of which not all is known.
const unclear = time.Minute

// Cleanup removes renderings and placements that nothing names any more: no Delivery,
// none of an application's last Releases, none that goes on (release.NamedBy). It
// works on an application only while no Release holds it, and never on what holds
// room. It is controller "release.cleanup".
//
// A Release that takes an old rendering up again writes its name onto it (store), and
// a delete names the version that was listed before anything else was read: of the
// two, one fails and looks again.
type Cleanup struct {
	// Hub lists from the cache and deletes.
	Hub client.Client
	// Direct reads past every cache who holds an application.
	Direct   client.Reader
	Gate     approval.Gate
	Recorder audit.Recorder
}

// Reconcile looks at the leftovers of one Application.
func (c *Cleanup) Reconcile(ctx context.Context, a *appv1.Application) (ctrl.Result, error) {
	if idle := !a.DeletionTimestamp.IsZero() || !atRest(a); idle {
		return ctrl.Result{}, nil
	}
	candidates, err := c.candidates(ctx, a) // first of all reads: see above
	if err != nil || len(candidates) == 0 {
		return ctrl.Result{}, err
	}
	present := &appv1.Application{}
	if err := c.Direct.Get(ctx, client.ObjectKeyFromObject(a), present); err != nil || !atRest(present) {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	named, err := c.named(ctx, present)
	if err != nil {
		return ctrl.Result{}, err
	}
	if named.Wait != "" {
		return ctrl.Result{RequeueAfter: unclear}, nil
	}
	var leftovers []client.Object
	for _, o := range candidates {
		if !isNamed(named, o) {
			leftovers = append(leftovers, o)
		}
	}
	if len(leftovers) == 0 {
		return ctrl.Result{}, nil
	}
	rest := len(leftovers) > atOnce
	if err := c.remove(ctx, a, leftovers[:min(atOnce, len(leftovers))]); err != nil {
		return ctrl.Result{}, err
	}
	if rest {
		return ctrl.Result{RequeueAfter: soon}, nil
	}
	return ctrl.Result{}, nil
}

// atRest reports whether Releases have run and none holds the application.
func atRest(a *appv1.Application) bool {
	return a.Status.ActiveRelease == "" && a.Status.ReleaseSequence > 0
}

// candidates are the renderings of an application, and those of its placements that
// have given their room back.
func (c *Cleanup) candidates(ctx context.Context, a *appv1.Application) ([]client.Object, error) {
	tenant, environment, ok := app.SplitNamespace(a.Namespace)
	if !ok {
		return nil, nil
	}
	renderings := &metav1.PartialObjectMetadataList{}
	renderings.SetGroupVersionKind(deliveryv1.GroupVersion.WithKind("RenderingList"))
	if err := fields.List(ctx, c.Hub, renderings, fields.LabelledFor, a.Name, client.MatchingLabels{appv1.LabelApplication: a.Name}); err != nil {
		return nil, fmt.Errorf("could not list the renderings of application %q: %w", a.Name, err)
	}
	var out []client.Object
	for i := range renderings.Items {
		it := &renderings.Items[i]
		if release.RenderedFor(it.Name) == app.MemberNamespace(tenant, environment, a.Name) && strings.HasPrefix(it.Namespace, fleetv1.ClusterNamespacePrefix) {
			it.SetGroupVersionKind(deliveryv1.GroupVersion.WithKind("Rendering"))
			out = append(out, it)
		}
	}
	var placements placementv1.PlacementList
	if err := fields.List(ctx, c.Hub, &placements, fields.Application, a.Name, client.InNamespace(a.Namespace)); err != nil {
		return nil, fmt.Errorf("could not list the placements of application %q: %w", a.Name, err)
	}
	for i := range placements.Items {
		it := &placements.Items[i]
		if it.Spec.Application == a.Name && meta.IsStatusConditionFalse(it.Status.Conditions, placementv1.ConditionReserved) {
			out = append(out, it)
		}
	}
	return out, nil
}

func (c *Cleanup) named(ctx context.Context, a *appv1.Application) (release.Named, error) {
	var releases releasev1.ReleaseList
	if err := fields.List(ctx, c.Hub, &releases, fields.Application, a.Name, client.InNamespace(a.Namespace)); err != nil {
		return release.Named{}, fmt.Errorf("could not list the releases of application %q: %w", a.Name, err)
	}
	var own []releasev1.Release
	for _, r := range releases.Items {
		if r.Spec.Application == a.Name {
			own = append(own, r)
		}
	}
	var all deliveryv1.DeliveryList
	if err := fields.List(ctx, c.Hub, &all, fields.Application, a.Namespace+"/"+a.Name); err != nil {
		return release.Named{}, fmt.Errorf("could not list the deliveries of application %q: %w", a.Name, err)
	}
	deliveries := map[string]*deliveryv1.Delivery{}
	for i := range all.Items {
		if d := &all.Items[i]; d.Spec.Application == a.Namespace+"/"+a.Name {
			deliveries[clusterOf(d)] = d
		}
	}
	return release.NamedBy(a.Status.ReleaseSequence, own, deliveries), nil
}

func clusterOf(o client.Object) string {
	return strings.TrimPrefix(o.GetNamespace(), fleetv1.ClusterNamespacePrefix)
}

func isNamed(named release.Named, o client.Object) bool {
	if _, placement := o.(*placementv1.Placement); placement {
		return named.Placements[o.GetName()]
	}
	return named.Renderings[clusterOf(o)+"/"+o.GetName()]
}

// remove deletes leftovers as one act. One that changed since it was listed stays.
func (c *Cleanup) remove(ctx context.Context, a *appv1.Application, leftovers []client.Object) error {
	act := audit.Act{Verb: "release.cleanup", Person: "fairway", Subject: subject("Application", a), Reason: "nothing names them any more"}
	for _, o := range leftovers {
		act.Details = append(act.Details, "remove "+o.GetNamespace()+"/"+o.GetName())
	}
	_, environment, _ := app.SplitNamespace(a.Namespace)
	verdict, err := c.Gate.Check(ctx, approval.Act{Verb: act.Verb, Subject: act.Subject, Environment: environment, Person: act.Person})
	if err != nil || !verdict.Allowed {
		return err // nothing depends on it: the next Release brings it up again
	}
	act.Approval, act.Verdict = verdict.Approval, verdict.Reason
	return audit.Do(ctx, c.Recorder, audit.FailClosed, act, func(ctx context.Context) error {
		var errs []error
		for _, o := range leftovers {
			uid, version := o.GetUID(), o.GetResourceVersion()
			err := c.Hub.Delete(ctx, o, client.Preconditions{UID: &uid, ResourceVersion: &version})
			if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
				errs = append(errs, fmt.Errorf("could not remove %s/%s, which nothing names any more: %w", o.GetNamespace(), o.GetName(), err))
			}
		}
		return errors.Join(errs...)
	})
}

// SetupWithManager registers the controller: at the start, and whenever a Release
// gives an application back.
func (c *Cleanup) SetupWithManager(mgr ctrl.Manager) error {
	handedBack := predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		before, okB := e.ObjectOld.(*appv1.Application)
		after, okA := e.ObjectNew.(*appv1.Application)
		return okB && okA && !atRest(before) && atRest(after)
	}}
	return ctrl.NewControllerManagedBy(mgr).
		Named("release.cleanup").
		For(&appv1.Application{}, builder.WithPredicates(handedBack)).
		Complete(reconcile.AsReconciler(mgr.GetClient(), c))
}
