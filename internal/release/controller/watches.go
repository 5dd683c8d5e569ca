// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"context"
	"strings"
	"time"

	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	deliveryv1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/platform/fields"
	"github.com/fairway-cloud/fairway/internal/release"
)

// workers is how many Releases, of different applications, are looked at at once. Most of
// them wait: for the hub, which answers a list up to 100 ms late, or for the disk.
const workers = 32

// SetupWithManager registers the controller and what wakes it.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		Named("release.steps").
		For(&releasev1.Release{}).
		Watches(&releasev1.Release{}, handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, o client.Object) []reconcile.Request {
			return r.going(ctx, o.GetNamespace(), o.(*releasev1.Release).Spec.Application)
		})).
		Watches(&appv1.Application{}, handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, o client.Object) []reconcile.Request {
			return r.going(ctx, o.GetNamespace(), o.GetName())
		})).
		Watches(&deliveryv1.Delivery{}, handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, o client.Object) []reconcile.Request {
			namespace, name, _ := strings.Cut(o.(*deliveryv1.Delivery).Spec.Application, "/")
			return r.going(ctx, namespace, name)
		})).
		Watches(&fleetv1.Cluster{}, handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, _ client.Object) []reconcile.Request {
			return r.going(ctx, "", "")
		}), builder.WithPredicates(comesOrGoes)).
		Watches(&approvalv1.ApprovalRequest{}, handler.EnqueueRequestsFromMapFunc(func(_ context.Context, o client.Object) []reconcile.Request {
			return []reconcile.Request{{NamespacedName: client.ObjectKey{Namespace: o.GetNamespace(), Name: o.(*approvalv1.ApprovalRequest).Spec.Subject.Name}}}
		})).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers, RateLimiter: limiter}).
		Complete(reconcile.AsReconciler(mgr.GetClient(), r))
}

// comesOrGoes lets a change of a Cluster through by which it can be reached or not: what
// else it tells, such as how many instances it has, would have every Release looked at.
var comesOrGoes = predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
	before, okB := e.ObjectOld.(*fleetv1.Cluster)
	after, okA := e.ObjectNew.(*fleetv1.Cluster)
	return okB && okA && whyAway(before) != whyAway(after)
}}

// limiter tries what failed again after a fifth of a second, then ever later, up to half
// a minute: a Release is not to sleep longer than what it waited for was away.
var limiter = workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](soon, 30*time.Second)

// going lists the Releases that are not over: of one application, or of all.
func (r *Reconciler) going(ctx context.Context, namespace, application string) []reconcile.Request {
	var list releasev1.ReleaseList
	var err error
	if application == "" {
		err = r.Hub.List(ctx, &list, client.InNamespace(namespace))
	} else {
		err = fields.List(ctx, r.Hub, &list, fields.Application, application, client.InNamespace(namespace))
	}
	if err != nil {
		return nil // the next event or the next look finds them
	}
	var out []reconcile.Request
	for i := range list.Items {
		if it := &list.Items[i]; !release.Over(it) && (application == "" || it.Spec.Application == application) {
			out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(it)})
		}
	}
	return out
}
