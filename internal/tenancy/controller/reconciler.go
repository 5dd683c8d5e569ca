// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package controller gives each tenant its namespaces and rights on the hub. It
// is the controller tenancy.tenants.
package controller

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/approval"
	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/platform/patch"
	"github.com/fairway-cloud/fairway/internal/tenancy"
)

// System is the person id under which Fairway itself acts.
const System = "fairway"

// owner is the field manager of what is written for tenants.
const owner = client.FieldOwner("fairway")

// soon is how long what the hub refused or could not do waits for the next try,
// where nothing else wakes it.
const soon = 10 * time.Second

// errRefused says that the Gate did not let an act pass.
var errRefused = errors.New("refused")

// Reconciler gives tenants what tenancy.Plan says.
type Reconciler struct {
	hub      client.Client
	gate     approval.Gate
	recorder audit.Recorder
	now      func() time.Time
}

// Reconcile gives one Tenant its namespaces and rights, and takes back those of a
// Tenant that is gone. Namespaces stay.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	tenant := &tenancyv1.Tenant{}
	err := r.hub.Get(ctx, request.NamespacedName, tenant)
	if client.IgnoreNotFound(err) != nil {
		return ctrl.Result{}, fmt.Errorf("could not read tenant %q: %w", request.Name, err)
	}
	gone := apierrors.IsNotFound(err) || !tenant.DeletionTimestamp.IsZero()
	seen := tenancy.Seen{Name: request.Name, Now: r.now()}
	if !gone {
		seen.Spec = &tenant.Spec
	}
	if err := r.observe(ctx, &seen); err != nil {
		return ctrl.Result{}, err
	}
	decision := tenancy.Plan(seen)
	failed := r.carryOut(ctx, request.Name, decision.Actions)
	if gone {
		return patch.Settle(ctrl.Result{}, failed)
	}
	before := tenant.DeepCopy()
	tenant.Status = tenancy.Report(tenant.Status, tenant.Generation, decision, failed, r.now())
	result := ctrl.Result{}
	if !decision.Next.IsZero() {
		result.RequeueAfter = decision.Next.Sub(seen.Now)
	}
	if errors.Is(failed, errRefused) {
		// The Gate may change its mind without telling.
		result.RequeueAfter, failed = soon, nil
	}
	return patch.Settle(result, errors.Join(failed, patch.Status(ctx, r.hub, before, tenant)))
}

// carryOut does the actions as one act with its evidence. An idle tenant costs
// nothing. FailClosed: rights that cannot be recorded are not given.
func (r *Reconciler) carryOut(ctx context.Context, tenant string, actions []tenancy.Action) error {
	if len(actions) == 0 {
		return nil
	}
	const verb = "tenancy.rights"
	subject := "Tenant//" + tenant
	verdict, err := r.gate.Check(ctx, approval.Act{Verb: verb, Subject: subject, Person: System})
	if err != nil {
		return fmt.Errorf("could not find out whether the rights of tenant %q may change: %w", tenant, err)
	}
	if !verdict.Allowed {
		return fmt.Errorf("could not change the rights of tenant %q: %w: %s", tenant, errRefused, verdict.Reason)
	}
	act := audit.Act{Verb: verb, Person: System, Subject: subject, Approval: verdict.Approval, Verdict: verdict.Reason}
	for _, action := range actions {
		act.Details = append(act.Details, action.String())
	}
	return audit.Do(ctx, r.recorder, audit.FailClosed, act, func(ctx context.Context) error {
		var failed error
		for _, action := range actions {
			if err := r.do(ctx, tenant, action); err != nil {
				failed = errors.Join(failed, fmt.Errorf("could not %s: %w", action, err))
			}
		}
		return failed
	})
}
