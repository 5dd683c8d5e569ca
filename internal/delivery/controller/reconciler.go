// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package controller carries Deliveries out: it observes what a member holds, has
// delivery.Plan decide, writes, and reports.
package controller

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/approval"
	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/delivery"
	"github.com/fairway-cloud/fairway/internal/platform/members"
)

// Reconciler brings one application in one member to what its Delivery wishes. Only
// the leader runs it.
type Reconciler struct {
	// Hub reads Deliveries and Releases and writes Delivery.status.
	Hub client.Client
	// Renderings reads Renderings, best past the cache: they are large, and each is
	// read once.
	Renderings client.Reader
	// Members finds connected members.
	Members members.Source
	// Fence says whether this process still leads.
	Fence members.Fence
	// Epoch returns the number of this leadership: the transitions of its lease. Nil: 0.
	Epoch func() int64
	// Gate is asked before each destructive step.
	Gate approval.Gate
	// Recorder writes evidence: one intent and one outcome per step.
	Recorder audit.Recorder
	// Events tells people what happened. Nil: nobody is told.
	Events events.EventRecorder
	// Library holds the renderings that were read here, or stored by this process.
	Library Library
	// Clock says how long instances wait. Nil: the machine's.
	Clock clock.PassiveClock

	links  links
	pace   pace
	behind behind
}

// errStale says that the Delivery was read before its last change: read it again.
var errStale = errors.New("the Delivery has changed meanwhile")

// Reconcile moves one Delivery's member a step closer to its wish. Deleting a
// Delivery changes nothing in the member.
func (r *Reconciler) Reconcile(ctx context.Context, d *v1alpha1.Delivery) (ctrl.Result, error) {
	result, err := r.round(ctx, d)
	if errors.Is(err, errStale) {
		return ctrl.Result{RequeueAfter: time.Second / 5}, nil
	}
	return result, err
}

func (r *Reconciler) round(ctx context.Context, d *v1alpha1.Delivery) (ctrl.Result, error) {
	if !d.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, nil
	}
	if r.behind.of(d, r.now()) {
		return ctrl.Result{RequeueAfter: time.Second / 20}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	before := d.DeepCopy()
	cluster := strings.TrimPrefix(d.Namespace, fleetv1.ClusterNamespacePrefix)
	r.links.remember(cluster, d.Spec.Namespace, client.ObjectKeyFromObject(d))

	member, err := r.Members.Get(cluster)
	if err != nil {
		reportAway(d, cluster)
		return ctrl.Result{RequeueAfter: slowly(d)}, r.report(ctx, before, d)
	}
	view, err := r.observe(ctx, d, member)
	if waiting := (*waitError)(nil); errors.As(err, &waiting) {
		reportWaiting(d, waiting.reason, waiting.Error())
		return ctrl.Result{RequeueAfter: slowly(d)}, r.report(ctx, before, d)
	}
	if err != nil {
		reportFailed(d, err)
		return ctrl.Result{}, errors.Join(err, r.report(ctx, before, d))
	}
	decision := delivery.Plan(view.seen)
	err = r.carryOut(ctx, d, member, view, &decision)
	waiting, next := delivery.Waiting(view.seen, r.now())
	d.Status.Waiting = waiting
	reportDecision(d, view.seen, decision, err)
	r.tell(before, d, decision, err)
	if decision.Stalled != nil {
		decision.Next = stalled
	}
	if apierrors.IsInvalid(err) {
		err = nil // Stalled says why: trying again soon would only fill the log
	}
	if errors.Is(err, errLookAgain) || errors.Is(err, errGate) || errors.Is(err, audit.ErrAway) {
		decision.Next, err = soon, nil
	}
	if err := errors.Join(err, r.report(ctx, before, d)); err != nil {
		return ctrl.Result{}, err
	}
	r.tellWaiting(before, d)
	if next > 0 && (decision.Next == 0 || next < decision.Next) {
		decision.Next = next
	}
	if decision.Next > 0 {
		return ctrl.Result{RequeueAfter: decision.Next}, nil
	}
	return ctrl.Result{RequeueAfter: slowly(d)}, nil
}

func (r *Reconciler) now() time.Time {
	if r.Clock == nil {
		return clock.RealClock{}.Now()
	}
	return r.Clock.Now()
}

// soon is when a step is tried again that was overtaken, or that Gate or log did
// not let begin.
const soon = 5 * time.Second

// stalled is when a Delivery that needs a person is looked at again, since what the
// person does in the member may not be seen from here.
const stalled = 30 * time.Second

// patience is how long one round with a member may take, so that a slow member holds
// no worker for good.
const patience = 30 * time.Second

// slowly is when a Delivery is looked at although nothing was reported: 10 to 15
// minutes, each Delivery at its own time.
func slowly(d *v1alpha1.Delivery) time.Duration {
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(d.Namespace + "/" + d.Name))
	return 10*time.Minute + time.Duration(hash.Sum32()%300)*time.Second
}

// report writes the status if it says something new.
func (r *Reconciler) report(ctx context.Context, before, after *v1alpha1.Delivery) error {
	if sameStatus(before.Status, after.Status) {
		return nil
	}
	// What was compared with may be old: the cache is behind what this controller wrote
	// itself a moment ago. A patch against an old base would leave parts of it standing.
	err := r.Hub.Status().Patch(ctx, after, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	if apierrors.IsConflict(err) {
		return errStale
	}
	if apierrors.IsNotFound(err) {
		return nil // deleted meanwhile: nothing to report on
	}
	if err != nil {
		return fmt.Errorf("could not report on Delivery %q: %w", client.ObjectKeyFromObject(after), err)
	}
	r.behind.note(after, r.now())
	return nil
}

// tellWaiting counts the instances that wait for room since this round, and says so, once it
// is reported: none is counted twice.
func (r *Reconciler) tellWaiting(before, after *v1alpha1.Delivery) {
	n := delivery.NewlyWaiting(before.Status.Waiting, after.Status.Waiting)
	if n == 0 {
		return
	}
	noRoom.Add(float64(n))
	if r.Events != nil {
		r.Events.Eventf(after, nil, corev1.EventTypeWarning, v1alpha1.ReasonNoRoom, "Wait", "%s", sentence(delivery.NoRoom(after.Status.Waiting)))
	}
}

// tell emits events for what happened.
func (r *Reconciler) tell(before, after *v1alpha1.Delivery, decision delivery.Decision, err error) {
	if r.Events == nil {
		return
	}
	for _, action := range decision.Actions {
		if action.Drift != "" && err == nil {
			r.Events.Eventf(after, nil, corev1.EventTypeWarning, "PutBack", "Apply", "%s was changed by somebody else and is put back: %s", action.Object, action.Drift)
		}
	}
	if decision.Stalled != nil && !isTrue(before.Status.Conditions, v1alpha1.ConditionStalled) {
		r.Events.Eventf(after, nil, corev1.EventTypeWarning, decision.Stalled.Reason, "Stop", "%s", decision.Stalled.Message)
	}
}
