// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"context"
	"errors"
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
	"sigs.k8s.io/controller-runtime/pkg/source"

	v1alpha1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/platform/members"
)

// limiter tries what failed again after a second, then ever later, up to a minute.
var limiter = workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](time.Second, time.Minute)

// SetupWithManager runs the reconciler: on changes of Deliveries, arrival of
// Renderings, and on what members report.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	r.Members.OnConnect(r.engage)
	return ctrl.NewControllerManagedBy(mgr).
		Named("delivery.apply").
		For(&v1alpha1.Delivery{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WatchesMetadata(&v1alpha1.Rendering{}, handler.EnqueueRequestsFromMapFunc(r.waiting), builder.WithPredicates(arrivals)).
		WatchesRawSource(source.Func(r.links.attach)).
		WithOptions(controller.Options{MaxConcurrentReconciles: 8, RateLimiter: limiter}).
		Complete(reconcile.AsReconciler(r.Hub, r))
}

// arrivals lets only new Renderings through: they never change, and one that is
// deleted is no reason to do anything.
var arrivals = predicate.Funcs{
	UpdateFunc: func(event.UpdateEvent) bool { return false },
	DeleteFunc: func(event.DeleteEvent) bool { return false },
}

// waiting finds the Deliveries that wait for a Rendering.
func (r *Reconciler) waiting(_ context.Context, rendering client.Object) []reconcile.Request {
	var requests []reconcile.Request
	for _, key := range r.Library.arrived(client.ObjectKeyFromObject(rendering)) {
		requests = append(requests, reconcile.Request{NamespacedName: key})
	}
	return requests
}

// engage is called for each member that connects: it makes the member know this
// leadership, and has all its Deliveries looked at, now and when it goes away. Those
// that this process has not met yet are looked at in any case.
func (r *Reconciler) engage(ctx context.Context, m members.Member) error {
	bounded, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := raiseEpoch(bounded, m, r.epoch()); err != nil && !errors.Is(err, ErrSuperseded) {
		return err // where another leads, watching goes on; writing does not
	}
	r.links.wakeAll(m.Name())
	context.AfterFunc(ctx, func() { r.links.wakeAll(m.Name()) })
	return nil
}
