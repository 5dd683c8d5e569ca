// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"context"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"
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
	deliveryv1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
)

// limiter asks a registry that does not answer again after a second, then ever later, up
// to a minute: nothing else says that it is back. Eight at a time, so that a slow registry
// of one tenant holds up no other.
var limiter = workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](time.Second, time.Minute)

// SetupWithManager adds the controller app.revisions to a manager whose scheme knows the
// kinds of app, delivery, fleet, placement and tenancy.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	if r.Now == nil {
		r.Now = time.Now
	}
	changed := builder.WithPredicates(predicate.GenerationChangedPredicate{})
	waiting := handler.EnqueueRequestsFromMapFunc(r.unrevised)
	return ctrl.NewControllerManagedBy(mgr).Named("app.revisions").
		For(&appv1.Application{}).
		Watches(&deliveryv1.Delivery{}, together(delivered)).
		Watches(&placementv1.MachineImport{}, handler.EnqueueRequestsFromMapFunc(imported), changed).
		Watches(&tenancyv1.Environment{}, waiting, changed).
		Watches(&tenancyv1.SecurityLevel{}, waiting, changed).
		Watches(&tenancyv1.AvailabilityClass{}, waiting, changed).
		Watches(&fleetv1.NetworkZone{}, waiting, changed).
		Watches(&fleetv1.Pool{}, waiting, changed).
		Watches(&fleetv1.DCN{}, waiting, changed).
		Watches(&fleetv1.Cluster{}, waiting, changed).
		Watches(&fleetv1.DataCenter{}, waiting, changed).
		WithOptions(controller.Options{MaxConcurrentReconciles: 8, RateLimiter: limiter}).
		Complete(reconcile.AsReconciler(r.Hub, r))
}

// gathered is how long what runs is gathered before it is told: the clusters of an
// application report one after another, and one write tells it all.
const gathered = time.Second

// together wakes what an object maps to after a moment, once for all that happens in it.
func together(to handler.MapFunc) handler.EventHandler {
	type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]
	add := func(ctx context.Context, object client.Object, q queue) {
		for _, request := range to(ctx, object) {
			q.AddAfter(request, gathered)
		}
	}
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, q queue) { add(ctx, e.Object, q) },
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, q queue) { add(ctx, e.ObjectNew, q) },
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, q queue) { add(ctx, e.Object, q) },
	}
}

// delivered maps a Delivery to its Application.
func delivered(_ context.Context, object client.Object) []reconcile.Request {
	d, ok := object.(*deliveryv1.Delivery)
	if !ok {
		return nil
	}
	namespace, name, ok := strings.Cut(d.Spec.Application, "/")
	if !ok {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: namespace, Name: name}}}
}

// imported maps a MachineImport to its Application.
func imported(_ context.Context, object client.Object) []reconcile.Request {
	m, ok := object.(*placementv1.MachineImport)
	if !ok {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: m.Namespace, Name: m.Spec.Application}}}
}

// unrevised maps a change of the bank's own objects to the Applications that wait for one.
func (r *Reconciler) unrevised(ctx context.Context, _ client.Object) []reconcile.Request {
	var all appv1.ApplicationList
	if r.Hub.List(ctx, &all) != nil {
		return nil
	}
	var out []reconcile.Request
	for i := range all.Items {
		if !revised(&all.Items[i]) {
			out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&all.Items[i])})
		}
	}
	return out
}
