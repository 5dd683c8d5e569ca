// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"context"
	"sync"
	"time"

	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	identityv1 "github.com/fairway-cloud/fairway/api/identity/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
)

// People has open requests looked at once it has changed who is who or who has which role,
// by which a decision may come to count, or may count no more. A request whose status changes
// by that wakes its Release. It is controller "approval.people".
//
// Changes are gathered: an import of ten thousand people has each request looked at once.
type People struct {
	// Now is the clock.
	Now func() time.Time

	once  sync.Once
	woken chan event.GenericEvent

	mu sync.Mutex
	// first and last are when the changes were heard of that nobody has been told of yet.
	first, last time.Time
}

// quiet is for how long nothing has changed when requests are looked at; longest is when they
// are at the latest, however many changes still come.
const (
	quiet   = 2 * time.Second
	longest = 30 * time.Second
)

// anybody is the one request: whose decisions a change concerns, only the judge knows.
var anybody = reconcile.Request{NamespacedName: client.ObjectKey{Name: "anybody"}}

// Changed tells of each time that all open requests are to be looked at.
func (p *People) Changed() chan event.GenericEvent {
	p.once.Do(func() { p.woken = make(chan event.GenericEvent, 1) })
	return p.woken
}

// Reconcile tells, once the changes have come to rest.
func (p *People) Reconcile(context.Context, reconcile.Request) (ctrl.Result, error) {
	if left := p.left(); left > 0 {
		return ctrl.Result{RequeueAfter: left}, nil
	}
	select {
	case p.Changed() <- event.GenericEvent{Object: &approvalv1.ApprovalRequest{}}:
	default: // one that nobody has taken yet tells of this, too
	}
	return ctrl.Result{}, nil
}

// left is how long to wait still; 0: the changes so far are to be told.
func (p *People) left() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.Now()
	if left := min(quiet-now.Sub(p.last), longest-now.Sub(p.first)); left > 0 {
		return left
	}
	p.first = time.Time{}
	return 0
}

// heard notes a change.
func (p *People) heard(q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
	p.mu.Lock()
	p.last = p.Now()
	if p.first.IsZero() {
		p.first = p.last
	}
	p.mu.Unlock()
	q.AddAfter(anybody, quiet)
}

// SetupWithManager registers the controller and what it listens to. What was there before it
// is no change: every request is looked at when the server starts.
func (p *People) SetupWithManager(mgr ctrl.Manager) error {
	type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]
	changed := handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, q queue) {
			if !e.IsInInitialList {
				p.heard(q)
			}
		},
		UpdateFunc: func(_ context.Context, _ event.UpdateEvent, q queue) { p.heard(q) },
		DeleteFunc: func(_ context.Context, _ event.DeleteEvent, q queue) { p.heard(q) },
	}
	said := builder.WithPredicates(predicate.GenerationChangedPredicate{})
	return ctrl.NewControllerManagedBy(mgr).
		Named("approval.people").
		Watches(&identityv1.Person{}, changed, said).
		Watches(&identityv1.GroupMapping{}, changed, said).
		Watches(&tenancyv1.Tenant{}, changed, said).
		Watches(&approvalv1.Delegation{}, changed, said).
		Complete(p)
}
