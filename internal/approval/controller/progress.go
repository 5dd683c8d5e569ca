// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"context"
	"time"

	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/approval"
	"github.com/fairway-cloud/fairway/internal/approval/cases"
	"github.com/fairway-cloud/fairway/internal/platform/patch"
)

// Progress reports how far requests are. It is controller "approval.progress".
type Progress struct {
	Hub   client.Client
	Cases *cases.Reader
	// Events tells people what happened. Nil: nobody is told.
	Events events.EventRecorder
	// People tells when who is who, or who has which role, has changed. Nil: nobody tells.
	People *People
}

// look is how often a request is looked at that waits for a policy's budget: what others
// use up, and what comes back with time, is told by nothing.
const look = 30 * time.Second

// Reconcile reports on one request.
func (r *Progress) Reconcile(ctx context.Context, request *approvalv1.ApprovalRequest) (ctrl.Result, error) {
	if settled(request) {
		return ctrl.Result{}, nil
	}
	before := request.DeepCopy()
	rel, err := r.Cases.Release(ctx, request.Namespace, request.Spec.Subject.Name)
	if err != nil {
		return ctrl.Result{}, err
	}
	digest := request.Spec.Digest
	if rel != nil {
		digest = rel.Status.PlanDigest
	}
	c, err := r.Cases.Of(ctx, request, rel, digest)
	if err != nil {
		return ctrl.Result{}, err
	}
	now := r.Cases.Now()
	j := approval.Judge(c, now)
	report(request, c, j, now)
	if err := patch.Status(ctx, r.Hub, before, request); err != nil {
		return patch.Settle(ctrl.Result{}, err)
	}
	r.tell(before, request)
	return ctrl.Result{RequeueAfter: next(c, j, now)}, nil
}

// settled says whether nothing of a request changes any more: it is void, rejected
// or expired, or used with nothing owed.
func settled(r *approvalv1.ApprovalRequest) bool {
	for _, kind := range []string{approvalv1.ConditionVoid, approvalv1.ConditionRejected, approvalv1.ConditionExpired} {
		if is(r, kind) {
			return true
		}
	}
	return r.Status.EndedAt != nil && !owes(r, approvalv1.ConditionVerified) && !owes(r, approvalv1.ConditionReviewed)
}

// next is when to look again if nothing is heard.
func next(c approval.Case, j approval.Judgement, now time.Time) time.Duration {
	if j.State == approval.Void || j.State == approval.Rejected || j.State == approval.Expired {
		return 0
	}
	wait := time.Hour
	soonest := func(t time.Time) {
		if d := t.Sub(now); !t.IsZero() && d > 0 {
			wait = min(wait, d+time.Second)
		}
	}
	if !c.Subject.EndedAt.IsZero() || j.State == approval.Waiting {
		soonest(c.Request.Spec.DecideBy.Time)
	}
	for _, o := range j.Owed {
		soonest(o.Due)
	}
	for i := range c.Decisions { // one from the future counts when its time has come
		soonest(c.Decisions[i].CreationTimestamp.Time)
	}
	if j.State == approval.Approved && c.Subject.EndedAt.IsZero() {
		soonest(c.Window.Next)
		soonest(c.Window.Until)
	}
	if !c.Subject.StartedAt.IsZero() {
		return wait
	}
	if policy, err := approval.Open(c.Request.Spec.Policy); err == nil && j.State == approval.Approved {
		soonest(approval.ValidUntil(policy, j.CompleteAt))
	}
	if c.Request.Spec.Policy.Standing == approvalv1.StandingAutomatic {
		return min(wait, look)
	}
	return wait
}

// SetupWithManager registers the controller and what wakes it.
func (r *Progress) SetupWithManager(mgr ctrl.Manager) error {
	of := func(namespace string, wanted func(*approvalv1.ApprovalRequest) bool) func(context.Context) []reconcile.Request {
		return func(ctx context.Context) []reconcile.Request {
			var list approvalv1.ApprovalRequestList
			if err := r.Hub.List(ctx, &list, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil { // only read
				return nil // the next event or the next look finds them
			}
			var out []reconcile.Request
			for i := range list.Items {
				if it := &list.Items[i]; wanted(it) && !settled(it) {
					out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(it)})
				}
			}
			return out
		}
	}
	everything := handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, _ client.Object) []reconcile.Request {
		return of("", func(*approvalv1.ApprovalRequest) bool { return true })(ctx)
	})
	made := ctrl.NewControllerManagedBy(mgr)
	if r.People != nil {
		made = made.WatchesRawSource(source.Channel(r.People.Changed(), everything))
	}
	return made.
		Named("approval.progress").
		For(&approvalv1.ApprovalRequest{}).
		Watches(&approvalv1.Decision{}, handler.EnqueueRequestsFromMapFunc(func(_ context.Context, o client.Object) []reconcile.Request {
			return []reconcile.Request{{NamespacedName: client.ObjectKey{Namespace: o.GetNamespace(), Name: o.(*approvalv1.Decision).Spec.Request}}}
		})).
		Watches(&releasev1.Release{}, handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, o client.Object) []reconcile.Request {
			return of(o.GetNamespace(), func(q *approvalv1.ApprovalRequest) bool { return q.Spec.Subject.Name == o.GetName() })(ctx)
		})).
		Watches(&appv1.Application{}, handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, o client.Object) []reconcile.Request {
			return of(o.GetNamespace(), func(q *approvalv1.ApprovalRequest) bool { return q.Spec.Scope.Application == o.GetName() })(ctx)
		})).
		Watches(&approvalv1.ApprovalPolicy{}, everything).
		Watches(&approvalv1.Freeze{}, everything).
		Watches(&approvalv1.ChangeCalendar{}, everything).
		Complete(reconcile.AsReconciler(mgr.GetClient(), r))
}
