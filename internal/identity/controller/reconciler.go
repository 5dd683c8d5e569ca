// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package controller tells of each Person whether he can come in and stands for
// himself alone. It is the controller identity.people.
package controller

import (
	"context"
	"errors"
	"fmt"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	identityv1 "github.com/fairway-cloud/fairway/api/identity/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/platform/patch"
)

// Reconciler writes the status of people. It gives nobody anything: whoever is
// asked who somebody is finds out from the Persons themselves.
type Reconciler struct {
	// Hub with the kinds of identity.
	Hub client.Client
	// Now is the clock.
	Now func() time.Time
}

// everybody is the one request: whom a change concerns is known only after
// everybody was looked at, since the other one who shares an alias is concerned too.
var everybody = reconcile.Request{NamespacedName: client.ObjectKey{Name: "everybody"}}

// SetupWithManager adds the controller identity.people.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	changed := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []reconcile.Request { return []reconcile.Request{everybody} })
	return ctrl.NewControllerManagedBy(mgr).Named("identity.people").
		Watches(&identityv1.Person{}, changed, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Complete(r)
}

// Reconcile tells everybody's standing where it changed.
func (r *Reconciler) Reconcile(ctx context.Context, _ ctrl.Request) (ctrl.Result, error) {
	persons := &identityv1.PersonList{}
	if err := r.Hub.List(ctx, persons); err != nil {
		return ctrl.Result{}, fmt.Errorf("could not list the people of the bank: %w", err)
	}
	now := r.Now()
	people := identity.NewPeople(persons.Items, nil)
	var failed error
	for i := range persons.Items {
		person := &persons.Items[i]
		before := person.DeepCopy()
		person.Status = identity.Report(person.Status, person.Generation, people.Standing(person.Name, now), now)
		failed = errors.Join(failed, client.IgnoreNotFound(patch.Status(ctx, r.Hub, before, person)))
	}
	result := ctrl.Result{}
	if next := people.NextEnd(now); !next.IsZero() {
		result.RequeueAfter = next.Sub(now)
	}
	return patch.Settle(result, failed)
}
