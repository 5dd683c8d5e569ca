// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app"
	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/release"
)

// Automatic starts Releases of new Revisions where the environment is not
// production and the application asks for it (R63). It is controller
// "release.automatic".
type Automatic struct {
	Hub      client.Client
	Recorder audit.Recorder
}

// Reconcile looks at one Application.
func (r *Automatic) Reconcile(ctx context.Context, a *appv1.Application) (ctrl.Result, error) {
	if a.Spec.ReleasePolicy != appv1.ReleaseAutomatic || a.Status.LatestRevision == a.Status.ReleasedRevision {
		return ctrl.Result{}, nil
	}
	_, name, _ := app.SplitNamespace(a.Namespace)
	environment, revision := &tenancyv1.Environment{}, &appv1.Revision{}
	if err := r.Hub.Get(ctx, client.ObjectKey{Name: name}, environment); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if err := r.Hub.Get(ctx, client.ObjectKey{Namespace: a.Namespace, Name: a.Status.LatestRevision}, revision); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	wanted := release.Automatic(a, revision, environment.Spec.Class)
	if wanted == nil {
		return ctrl.Result{}, nil
	}
	if err := r.Hub.Get(ctx, client.ObjectKeyFromObject(wanted), wanted.DeepCopy()); !apierrors.IsNotFound(err) {
		return ctrl.Result{}, err
	}
	act := audit.Act{
		Verb: "release.create", Person: wanted.Spec.Requester, Subject: subject("Release", wanted),
		Application: wanted.Namespace + "/" + wanted.Spec.Application,
		Release:     wanted.Namespace + "/" + wanted.Name, Reason: wanted.Spec.Reason, After: revision.Spec.Digest,
	}
	err := audit.Do(ctx, r.Recorder, audit.FailClosed, act, func(ctx context.Context) error { return r.Hub.Create(ctx, wanted) })
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return ctrl.Result{}, fmt.Errorf("could not start release %q by itself: %w", wanted.Name, err)
	}
	return ctrl.Result{}, nil
}

// SetupWithManager registers the controller.
func (r *Automatic) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		Named("release.automatic").
		For(&appv1.Application{}).
		Complete(reconcile.AsReconciler(mgr.GetClient(), r))
}
