// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/approval"
	"github.com/fairway-cloud/fairway/internal/approval/cases"
	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/platform/fields"
	"github.com/fairway-cloud/fairway/internal/release"
)

// Requests asks for the approvals that Releases need. It is controller
// "approval.requests".
type Requests struct {
	Hub      client.Client
	Cases    *cases.Reader
	Recorder audit.Recorder
	// Proofs proves that the server made a request.
	Proofs Proofs
}

// Proofs proves that the server made a request. It is package proof's Keys.
type Proofs interface {
	ProveRequest(ctx context.Context, r *approvalv1.ApprovalRequest) error
}

// Reconcile makes the request that a Release lacks: the first, or the next one
// after one that is void or ran out.
func (r *Requests) Reconcile(ctx context.Context, rel *releasev1.Release) (ctrl.Result, error) {
	if rel.Status.PlanDigest == "" || rel.Status.StartedAt != nil || !rel.DeletionTimestamp.IsZero() || release.Over(rel) {
		return ctrl.Result{}, nil
	}
	// As far as the caches know: a policy that they do not know yet wakes this when they do,
	// and meanwhile the Gate, which asks the hub, lets nothing pass.
	if covered, err := covered(ctx, &cases.Reader{Direct: r.Hub}, rel); err != nil || !covered {
		return ctrl.Result{}, err
	}
	newest, err := r.Cases.Newest(ctx, rel)
	if err != nil {
		return ctrl.Result{}, err
	}
	number, before := int32(1), ""
	if newest != nil {
		c, err := r.Cases.Of(ctx, newest, rel, rel.Status.PlanDigest)
		if err != nil {
			return ctrl.Result{}, err
		}
		j := approval.Judge(c, r.Cases.Now())
		if c.Subject.Gone || (j.State != approval.Void && j.State != approval.Expired) {
			return ctrl.Result{}, nil
		}
		number, before = newest.Spec.Number+1, j.Message
	}
	return ctrl.Result{}, r.ask(ctx, rel, number, before)
}

// covered reports whether a policy asks for an approval of a Release, or nobody can tell.
func covered(ctx context.Context, from *cases.Reader, rel *releasev1.Release) (bool, error) {
	class, err := from.Class(ctx, cases.Environment(rel.Namespace))
	if err != nil {
		return false, err
	}
	policies, err := from.Policies(ctx)
	if err != nil {
		return false, err
	}
	f := from.Facts(ctx, rel, class)
	return f == nil || approval.Select(policies, *f) != nil, nil
}

func (r *Requests) ask(ctx context.Context, rel *releasev1.Release, number int32, before string) error {
	class, err := r.Cases.Class(ctx, cases.Environment(rel.Namespace))
	if err != nil {
		return err
	}
	policies, err := r.Cases.Policies(ctx)
	if err != nil {
		return err
	}
	draft, err := r.Cases.Draft(ctx, rel, class)
	if err != nil {
		return client.IgnoreNotFound(err)
	}
	if draft.Plan.Back {
		return nil // part of the approval of the plan that runs
	}
	if number, err = r.free(ctx, rel, number); err != nil || number == 0 {
		return err
	}
	draft.Number, draft.Before = number, before
	policy := approval.Select(policies, draft.Facts())
	if policy == nil {
		return nil // the Gate says so on the Release
	}
	// A condition that cannot be computed agrees to nothing: people do, and the
	// policy's own status says what is wrong with it.
	snapshot, _ := approval.Snapshot(policy, draft.Facts())
	request, err := draft.Request(snapshot, r.Cases.Now())
	if err != nil {
		return err
	}
	if err := r.Proofs.ProveRequest(ctx, request); err != nil {
		return err
	}
	act := audit.Act{
		Verb: "approval.request", Person: rel.Spec.Requester, Subject: "ApprovalRequest/" + request.Namespace + "/" + request.Name,
		Environment: request.Spec.Scope.Environment, Release: rel.Namespace + "/" + rel.Name, Class: audit.ClassApproval,
		Reason: rel.Spec.Reason, Ticket: rel.Spec.Ticket, After: request.Spec.Digest, Details: request.Spec.Summary,
	}
	err = audit.Do(ctx, r.Recorder, audit.FailClosed, act, func(ctx context.Context) error { return r.Hub.Create(ctx, request) })
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("could not ask for the approval of release %q: %w", rel.Name, err)
	}
	return nil
}

// mostAgain bounds how often a Release was made again under one name.
const mostAgain = 1000

// free is the first number from there on whose name is free: requests stay when
// their Release is deleted, and another one may bear its name. 0: the request for
// this one is there.
func (r *Requests) free(ctx context.Context, rel *releasev1.Release, number int32) (int32, error) {
	for last := number + mostAgain; number < last; number++ {
		there := &approvalv1.ApprovalRequest{}
		err := r.Cases.Direct.Get(ctx, client.ObjectKey{Namespace: rel.Namespace, Name: approval.RequestName(rel.Name, number)}, there)
		switch {
		case apierrors.IsNotFound(err):
			return number, nil
		case err != nil:
			return 0, fmt.Errorf("could not look for the approval request of release %q: %w", rel.Name, err)
		case there.Spec.Subject.UID == string(rel.UID):
			return 0, nil
		}
	}
	return 0, fmt.Errorf("could not ask for the approval of release %q: %d requests bear that name: make the Release under another one", rel.Name, mostAgain)
}

// SetupWithManager registers the controller and what wakes it.
func (r *Requests) SetupWithManager(mgr ctrl.Manager) error {
	waiting := handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, _ client.Object) []reconcile.Request {
		return r.waiting(ctx, "", "")
	})
	return ctrl.NewControllerManagedBy(mgr).
		Named("approval.requests").
		For(&releasev1.Release{}).
		Watches(&approvalv1.ApprovalRequest{}, handler.EnqueueRequestsFromMapFunc(func(_ context.Context, o client.Object) []reconcile.Request {
			return []reconcile.Request{{NamespacedName: client.ObjectKey{Namespace: o.GetNamespace(), Name: o.(*approvalv1.ApprovalRequest).Spec.Subject.Name}}}
		})).
		Watches(&appv1.Application{}, handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, o client.Object) []reconcile.Request {
			return r.waiting(ctx, o.GetNamespace(), o.GetName())
		})).
		Watches(&approvalv1.ApprovalPolicy{}, waiting).
		Complete(reconcile.AsReconciler(mgr.GetClient(), r))
}

// waiting lists the Releases that have a plan and have not begun.
func (r *Requests) waiting(ctx context.Context, namespace, application string) []reconcile.Request {
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
		it := &list.Items[i]
		if it.Status.PlanDigest != "" && it.Status.StartedAt == nil && !release.Over(it) && (application == "" || it.Spec.Application == application) {
			out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(it)})
		}
	}
	return out
}
