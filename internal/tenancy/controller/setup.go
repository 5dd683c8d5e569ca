// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/approval"
	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/tenancy"
)

// Options are what the controller needs.
type Options struct {
	// Gate is asked before rights change.
	Gate approval.Gate
	// Recorder keeps the evidence of each change.
	Recorder audit.Recorder
	// Now is the clock. Default: the machine's.
	Now func() time.Time
}

// Setup adds the controller tenancy.tenants to a manager whose cache holds the
// kinds of app, fleet and tenancy.
func Setup(mgr ctrl.Manager, o Options) error {
	if o.Now == nil {
		o.Now = time.Now
	}
	hub := mgr.GetClient()
	r := &Reconciler{hub: hub, gate: o.Gate, recorder: o.Recorder, now: o.Now}
	every := handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, _ client.Object) []reconcile.Request {
		tenants := &tenancyv1.TenantList{}
		if hub.List(ctx, tenants) != nil {
			return nil
		}
		var requests []reconcile.Request
		for i := range tenants.Items {
			requests = append(requests, requestFor(tenants.Items[i].Name)...)
		}
		return requests
	})
	specs := builder.WithPredicates(predicate.GenerationChangedPredicate{})
	comesOrGoes := builder.WithPredicates(predicate.Funcs{UpdateFunc: func(event.UpdateEvent) bool { return false }})
	// What carries a tenant's label wakes the controller also where the Tenant is
	// gone: what a stopped server left behind is cleared when it starts.
	return ctrl.NewControllerManagedBy(mgr).Named("tenancy.tenants").
		For(&tenancyv1.Tenant{}, specs).
		Watches(&tenancyv1.Tenant{}, every, comesOrGoes).
		Watches(&tenancyv1.Environment{}, every, specs).
		Watches(&fleetv1.Pool{}, every, specs).
		Watches(&appv1.Application{}, handler.EnqueueRequestsFromMapFunc(inNamespace), comesOrGoes).
		Watches(&corev1.Namespace{}, handler.EnqueueRequestsFromMapFunc(namespaces)).
		Watches(&rbacv1.RoleBinding{}, handler.EnqueueRequestsFromMapFunc(inNamespace)).
		Watches(&rbacv1.ClusterRole{}, handler.EnqueueRequestsFromMapFunc(labelled)).
		Watches(&rbacv1.ClusterRoleBinding{}, handler.EnqueueRequestsFromMapFunc(labelled)).
		Complete(r)
}

func labelled(_ context.Context, object client.Object) []reconcile.Request {
	return requestFor(object.GetLabels()[tenancyv1.LabelTenant])
}

func inNamespace(_ context.Context, object client.Object) []reconcile.Request {
	return requestFor(tenancy.TenantOf(object.GetNamespace()))
}

func namespaces(ctx context.Context, object client.Object) []reconcile.Request {
	return append(labelled(ctx, object), requestFor(tenancy.TenantOf(object.GetName()))...)
}

func requestFor(tenant string) []reconcile.Request {
	if tenant == "" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Name: tenant}}}
}
