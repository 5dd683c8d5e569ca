// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/platform/patch"
)

// Expiry deletes Placements that no Release came to use. It is controller
// "placement.expiry".
type Expiry struct {
	Hub    client.Client
	Clock  clock.PassiveClock
	Events events.EventRecorder
}

// Reconcile looks at one Placement.
func (e *Expiry) Reconcile(ctx context.Context, p *placementv1.Placement) (ctrl.Result, error) {
	if !p.DeletionTimestamp.IsZero() || p.Status.Release != "" {
		return ctrl.Result{}, nil
	}
	if left := p.Spec.ExpiresAt.Sub(e.Clock.Now()); left > 0 {
		return ctrl.Result{RequeueAfter: left}, nil
	}
	uid, version := p.UID, p.ResourceVersion
	err := e.Hub.Delete(ctx, p, client.Preconditions{UID: &uid, ResourceVersion: &version})
	if client.IgnoreNotFound(err) != nil {
		return patch.Settle(ctrl.Result{}, fmt.Errorf("could not delete expired placement %q: %w", p.Name, err))
	}
	if err == nil && e.Events != nil {
		e.Events.Eventf(p, nil, corev1.EventTypeNormal, "Expired", "Delete", "no release used the room until it expired")
	}
	return ctrl.Result{}, nil
}

// SetupWithManager registers the controller.
func (e *Expiry) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		Named("placement.expiry").
		For(&placementv1.Placement{}).
		Complete(reconcile.AsReconciler(mgr.GetClient(), e))
}
