// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package controller makes Revisions of Applications and tells what runs. It never changes
// anything in a member: that is what Releases are for.
package controller

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app"
	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/platform/canonical"
	"github.com/fairway-cloud/fairway/internal/platform/patch"
)

// System is the person id under which Fairway itself acts.
const System = "fairway"

// missing is how long after a person was told of a missing image the registry is asked again:
// nothing else says that the image has come.
const missing = 30 * time.Second

// Reconciler turns each new spec of an Application into a Revision.
type Reconciler struct {
	// Hub reads and writes the hub.
	Hub client.Client
	// Resolver asks registries.
	Resolver app.Resolver
	// Recorder keeps the evidence of each Revision that is made.
	Recorder audit.Recorder
	// Now is the clock.
	Now func() time.Time
}

// outcome is what became of the spec.
type outcome struct {
	// revision is the Revision that the spec has become.
	revision string
	findings []appv1.Finding
	// reason and message say why there is no Revision; person says that one is needed.
	reason, message string
	person          bool
	// again is when to try again although nothing changed; 0 is never.
	again time.Duration
	err   error
}

// Reconcile implements reconcile.ObjectReconciler.
func (r *Reconciler) Reconcile(ctx context.Context, a *appv1.Application) (ctrl.Result, error) {
	if !a.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, nil // what runs is left alone; a Release retires it
	}
	before := a.DeepCopy()
	deliveries, err := r.deliveries(ctx, a)
	if err != nil {
		return ctrl.Result{}, err
	}
	machines, err := r.machines(ctx, a)
	if err != nil {
		return ctrl.Result{}, err
	}
	var done outcome
	if !revised(a) {
		done = r.revise(ctx, a)
		report(a, done, r.Now())
	}
	reportRunning(a, deliveries, r.Now())
	a.Status.OnMachines = app.OnMachines(a.Name, machines)
	return patch.Settle(ctrl.Result{RequeueAfter: done.again}, errors.Join(done.err, patch.Status(ctx, r.Hub, before, a)))
}

// revised says whether the current spec has become a Revision. It is then not judged again:
// a tag that moved, or a level that changed, makes no new Revision until somebody applies.
func revised(a *appv1.Application) bool {
	c := meta.FindStatusCondition(a.Status.Conditions, appv1.ConditionRevised)
	return c != nil && c.Status == metav1.ConditionTrue && c.ObservedGeneration == a.Generation
}

// revise makes the Revision of the current spec, or says why not.
func (r *Reconciler) revise(ctx context.Context, a *appv1.Application) outcome {
	world, failed := observe(ctx, r.Hub, a, r.Now())
	if failed != nil {
		return refuse(failed)
	}
	facts, failed := resolve(ctx, r.Resolver, a)
	if failed != nil {
		done := refuse(failed)
		done.findings = app.Check(a, world)
		return done
	}
	world.Images = facts
	frozen, findings, err := app.Revise(a, world)
	switch {
	case errors.Is(err, app.ErrChecksFailed):
		return outcome{findings: findings, reason: appv1.ReasonChecksFailed, person: true,
			message: "go-live checks found errors: " + firstError(findings) + " (status.findings lists all)"}
	case errors.Is(err, app.ErrContentTooLarge):
		return outcome{findings: findings, reason: appv1.ReasonContentTooLarge, message: err.Error(), person: true}
	case err != nil:
		return outcome{findings: findings, reason: appv1.ReasonNotFrozen, message: err.Error(), person: true}
	}
	name, err := r.keep(ctx, a, frozen)
	if err != nil {
		return outcome{findings: findings, reason: appv1.ReasonNotFrozen, message: "the Revision could not be stored yet; it is tried again", err: err}
	}
	return outcome{revision: name, findings: findings}
}

// refusal is a failure with the words for the person who reads the Application.
type refusal struct {
	reason, message string
	person          bool
	again           time.Duration
	err             error
}

func refuse(f *refusal) outcome {
	return outcome{reason: f.reason, message: f.message, person: f.person, again: f.again, err: f.err}
}

// keep stores the Revision. One that is there already with the same content is the same.
func (r *Reconciler) keep(ctx context.Context, a *appv1.Application, frozen app.Frozen) (string, error) {
	revision := &appv1.Revision{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: a.Namespace, Name: app.RevisionName(a.Name, frozen.Digest),
			Labels: map[string]string{appv1.LabelApplication: a.Name, appv1.LabelManagedBy: appv1.ManagedBy},
		},
		Spec: appv1.RevisionSpec{Application: a.Name, Content: frozen.Text, Digest: frozen.Digest, Makers: app.Makers(a)},
	}
	there := &appv1.Revision{}
	err := r.Hub.Get(ctx, client.ObjectKeyFromObject(revision), there)
	if apierrors.IsNotFound(err) {
		err = audit.Do(ctx, r.Recorder, audit.FailClosed, audit.Act{
			Verb: "app.revise", Person: System, Subject: "Application/" + a.Namespace + "/" + a.Name,
			After: revision.Name, Details: []string{frozen.Digest},
		}, func(ctx context.Context) error { return r.Hub.Create(ctx, revision) })
		if err == nil {
			return revision.Name, nil
		}
		if apierrors.IsAlreadyExists(err) { // the cache was behind
			err = r.Hub.Get(ctx, client.ObjectKeyFromObject(revision), there)
		}
	}
	if err != nil {
		return "", fmt.Errorf("could not store revision %q: %w", revision.Name, err)
	}
	if err := canonical.Verify(there.Spec.Content, there.Spec.Digest); err != nil || there.Spec.Digest != frozen.Digest {
		return "", fmt.Errorf("could not use revision %q: another content has its name: %w", revision.Name, errors.Join(err, errors.New("compare spec.digest")))
	}
	return there.Name, nil
}

func firstError(findings []appv1.Finding) string {
	for _, f := range findings {
		if f.Severity == appv1.SeverityError {
			if f.Component != "" {
				return f.Component + ": " + f.Message
			}
			return f.Message
		}
	}
	return ""
}
