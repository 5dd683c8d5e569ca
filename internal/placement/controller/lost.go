// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	deliveryv1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/placement"
	"github.com/fairway-cloud/fairway/internal/placement/keeper"
	"github.com/fairway-cloud/fairway/internal/placement/lost"
	"github.com/fairway-cloud/fairway/internal/placement/observed"
	"github.com/fairway-cloud/fairway/internal/platform/canonical"
	"github.com/fairway-cloud/fairway/internal/platform/members"
	"github.com/fairway-cloud/fairway/internal/platform/patch"
)

// LabelCause says on a Placement why it was proposed: Lost, Recovered or NoRoom.
const LabelCause = "placement.fairway.cloud/cause"

// Lost proposes Placements after losses and returns, and starts Releases with them where
// the policy says so (R86). It is controller "placement.lost".
type Lost struct {
	// Hub reads from the cache and writes.
	Hub client.Client
	// Direct reads past every cache.
	Direct client.Reader
	Clock  clock.PassiveClock
	// Fence is asked before each write. Nil: nobody else writes.
	Fence members.Fence
	// Recorder takes an intent and an outcome of what automation does.
	Recorder audit.Recorder
	Events   events.EventRecorder
	// Kept is as in Brakes.
	Kept func(environment string) string
	// Expiry of a proposal. 0: DefaultExpiry.
	Expiry time.Duration
	// Keeper compares what is proposed with what was placed meanwhile. Nil: nobody else
	// places.
	Keeper *keeper.Keeper

	told told
}

const (
	// afresh is when to look again after something was done.
	afresh = 200 * time.Millisecond
	// watchful is how often to look while something is away or held.
	watchful = time.Minute
)

// Reconcile looks at the whole fleet.
func (l *Lost) Reconcile(ctx context.Context, _ ctrl.Request) (ctrl.Result, error) {
	now := l.Clock.Now()
	well, err := observed.AllWell(ctx, l.Hub, now)
	if err != nil {
		return ctrl.Result{}, err
	}
	waits, err := observed.Waits(ctx, l.Hub)
	if err != nil {
		return ctrl.Result{}, err
	}
	if well && len(waits) == 0 {
		l.told.well()
		return patch.Settle(ctrl.Result{}, l.fits(ctx, lost.Decision{}))
	}
	w, err := observed.Read(ctx, l.Hub, l.Direct)
	if err != nil {
		return ctrl.Result{}, err
	}
	seen, left, err := w.Lost(ctx, l.Hub, l.Direct, now)
	if err != nil {
		return ctrl.Result{}, err
	}
	decision := lost.Decide(seen, now)
	if slices.ContainsFunc(decision.Actions, starting) {
		// What was started a moment ago counts: the cache may not have it yet.
		if seen.Started, err = w.Started(ctx, l.Direct, seen, waits); err != nil {
			return ctrl.Result{}, err
		}
		decision = lost.Decide(seen, now)
	}
	refused, err := l.carryOut(ctx, &decision)
	err = errors.Join(err, l.fits(ctx, decision))
	l.tell(ctx, seen, decision, left)
	switch {
	case apierrors.IsConflict(err), apierrors.IsAlreadyExists(err):
		return ctrl.Result{RequeueAfter: afresh}, nil
	case err != nil:
		return ctrl.Result{}, err
	case len(decision.Actions) > refused:
		return ctrl.Result{RequeueAfter: afresh}, nil
	}
	return ctrl.Result{RequeueAfter: nextLook(decision, now)}, nil
}

func nextLook(d lost.Decision, now time.Time) time.Duration {
	var next time.Duration
	if !d.Next.IsZero() {
		next = max(d.Next.Sub(now), time.Second)
	}
	if len(d.Held)+len(d.Unplaced)+len(d.Losses) > 0 && (next == 0 || next > watchful) {
		next = watchful
	}
	return next
}

// carryOut does what was decided. What failed keeps nothing else from being done: what
// stops automation comes first. What cannot be stored is that application's matter, and is
// noted in the decision; refused counts it.
func (l *Lost) carryOut(ctx context.Context, decision *lost.Decision) (refused int, err error) {
	var errs []error
	for _, stops := range []bool{true, false} {
		for _, action := range decision.Actions {
			if stopping(action) != stops {
				continue
			}
			err := l.act(ctx, action)
			if p, is := action.(lost.Propose); is && unstorable(err) {
				decision.Refused(p, err.Error())
				refused++
				continue
			}
			errs = append(errs, err)
		}
	}
	return refused, errors.Join(errs...)
}

// errTooLarge is what no Placement holds: who divides the application is told by the message.
var errTooLarge = errors.New("it is too large for one placement")

// unstorable reports whether a proposal can never be stored as it is.
func unstorable(err error) bool {
	return errors.Is(err, errTooLarge) || apierrors.IsInvalid(err) || apierrors.IsRequestEntityTooLargeError(err)
}

func stopping(a lost.Action) bool {
	switch a.(type) {
	case lost.Stop, lost.Trip, lost.Withdraw:
		return true
	}
	return false
}

func starting(a lost.Action) bool {
	_, is := a.(lost.Start)
	return is
}

func (l *Lost) act(ctx context.Context, action lost.Action) error {
	if l.Fence != nil {
		if err := l.Fence.Check(); err != nil {
			return err
		}
	}
	switch a := action.(type) {
	case lost.Trip:
		return l.trip(ctx, a)
	case lost.Stop:
		return l.stop(ctx, a)
	case lost.Withdraw:
		return l.withdraw(ctx, a)
	case lost.Propose:
		return l.propose(ctx, a)
	case lost.Start:
		return l.start(ctx, a)
	}
	return fmt.Errorf("could not %s: nobody knows how", action)
}

// trip sets a Brake.
func (l *Lost) trip(ctx context.Context, a lost.Trip) error {
	made := &placementv1.Brake{
		ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("sick-%s-%s", a.Environment, l.Clock.Now().UTC().Format("20060102-150405"))},
		Spec:       placementv1.BrakeSpec{Environments: []string{a.Environment}, Reason: observed.Bounded(a.Why, 512), By: observed.Automation},
	}
	act := audit.Act{Verb: "placement.brake", Person: observed.Automation, Subject: "Brake/" + made.Name, Environment: a.Environment, Class: audit.ClassChange, From: "placement.lost", Reason: made.Spec.Reason}
	return audit.Do(ctx, l.Recorder, audit.FailOpen, act, func(ctx context.Context) error {
		if err := l.Hub.Create(ctx, made); err != nil {
			return fmt.Errorf("could not set a brake in environment %q: %w", a.Environment, err)
		}
		return nil
	})
}

// stop has a Release that automation started hold.
func (l *Lost) stop(ctx context.Context, a lost.Stop) error {
	namespace, _, _ := strings.Cut(a.Release.Application, "/")
	r := &releasev1.Release{}
	if err := l.Direct.Get(ctx, client.ObjectKey{Namespace: namespace, Name: a.Release.Name}, r); err != nil {
		return client.IgnoreNotFound(err)
	}
	if !observed.ByAutomation(r) || r.Spec.Desired == "Stop" || r.Status.CompletedAt != nil {
		return nil
	}
	before := r.DeepCopy()
	r.Spec.Desired = "Stop"
	act := audit.Act{
		Verb: "release.stop", Person: observed.Automation, Subject: "Release/" + namespace + "/" + r.Name, Application: a.Release.Application,
		Release: namespace + "/" + r.Name, Environment: a.Release.Environment, Class: audit.ClassChange, From: "placement.lost", Reason: observed.Bounded(a.Why, 512),
	}
	return audit.Do(ctx, l.Recorder, audit.FailOpen, act, func(ctx context.Context) error {
		if err := l.Hub.Patch(ctx, r, client.MergeFrom(before)); err != nil {
			return fmt.Errorf("could not stop release %q: %w", r.Name, err)
		}
		return nil
	})
}

// withdraw gives back the room of a proposal, unless a Release took it meanwhile.
func (l *Lost) withdraw(ctx context.Context, a lost.Withdraw) error {
	namespace, _, _ := strings.Cut(a.Proposal.Application, "/")
	p := &placementv1.Placement{}
	if err := l.Direct.Get(ctx, client.ObjectKey{Namespace: namespace, Name: a.Proposal.Name}, p); err != nil {
		return client.IgnoreNotFound(err)
	}
	if p.Status.Release != "" || p.Spec.Cause == nil || meta.IsStatusConditionFalse(p.Status.Conditions, placementv1.ConditionReserved) {
		return nil
	}
	if err := giveBack(ctx, l.Hub, l.Clock, p, placementv1.ReasonWithdrawn, observed.Bounded(a.Why, 1024)); err != nil {
		return err
	}
	if l.Keeper != nil {
		l.Keeper.Saw(p.DeepCopy())
	}
	l.event(p, "Withdrawn", "Withdraw", a.Why)
	return nil
}

// propose stores a Placement that no Release asked for.
func (l *Lost) propose(ctx context.Context, a lost.Propose) error {
	namespace, application, _ := strings.Cut(a.Application.Request.Application, "/")
	spec, err := observed.SpecOf(application, a.Application.Revision, a.Decision, a.Application.By)
	if err != nil {
		return err
	}
	spec.Cause = &a.Cause
	if spec.Digest, err = observed.DigestOf(&spec); err != nil {
		return err
	}
	switch why, err := observed.TooLarge(spec); {
	case err != nil:
		return err
	case why != "":
		return fmt.Errorf("could not propose a placement of application %q: %w: %s", application, errTooLarge, why)
	}
	spec.ExpiresAt = metav1.NewTime(l.Clock.Now().Add(cmp.Or(l.Expiry, DefaultExpiry)).Truncate(time.Second))
	made := &placementv1.Placement{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: application + "-" + canonical.Short(spec.Digest, 10),
			Labels: map[string]string{appv1.LabelApplication: application, LabelCause: string(a.Cause.Kind)},
		},
		Spec: spec,
	}
	if err := l.Hub.Create(ctx, made); err != nil {
		return fmt.Errorf("could not propose a placement of application %q: %w", application, err)
	}
	if clash, err := l.clash(ctx, made, a.Application.Request); clash != "" || err != nil {
		// Somebody else was quicker, or nobody can tell: it is decided anew.
		gone := l.Hub.Delete(ctx, made, client.Preconditions{UID: &made.UID, ResourceVersion: &made.ResourceVersion})
		if l.Keeper != nil && gone == nil {
			l.Keeper.Lost(made)
		}
		return errors.Join(err, client.IgnoreNotFound(gone))
	}
	l.event(made, "Proposed", "Propose", lost.Told(a.Cause))
	return nil
}

// clash says what keeps a proposal that was just stored from staying beside what was stored
// before it; empty: nothing does.
func (l *Lost) clash(ctx context.Context, made *placementv1.Placement, r placement.Request) (clash string, err error) {
	if l.Keeper == nil {
		return "", nil
	}
	if err := l.Keeper.Reached(ctx, made.ResourceVersion); err != nil {
		return "", err
	}
	err = l.Keeper.Decide(ctx, func(v *keeper.View) { clash = v.Clash(made, r.Quotas, *r.Policy) })
	return clash, err
}

// start starts a Release with a proposal.
func (l *Lost) start(ctx context.Context, a lost.Start) error {
	namespace, application, _ := strings.Cut(a.Proposal.Application, "/")
	made := &releasev1.Release{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: a.Proposal.Name + "-lost", Labels: map[string]string{appv1.LabelApplication: application}},
		Spec: releasev1.ReleaseSpec{
			Application: application, Kind: releasev1.KindDeploy, Revision: a.Proposal.Revision, Placement: a.Proposal.Name, Desired: "Run",
			Reason: observed.Bounded("started by itself, as policy "+a.Proposal.Cause.Policy+" says: "+a.Why, 512), Ticket: a.Ticket, Requester: observed.Automation,
			ChangeClass: releasev1.ChangeStandard, Risk: releasev1.RiskMedium,
		},
	}
	return byItself{hub: l.Hub, recorder: l.Recorder, brakes: Brakes{Direct: l.Direct, Kept: l.Kept}, fence: l.Fence, from: "placement.lost"}.start(ctx, made)
}

// SetupWithManager registers the controller and what wakes it.
func (l *Lost) SetupWithManager(mgr ctrl.Manager) error {
	fleet := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []reconcile.Request {
		return []reconcile.Request{{NamespacedName: client.ObjectKey{Name: "fleet"}}}
	})
	proposals := handler.EnqueueRequestsFromMapFunc(func(_ context.Context, o client.Object) []reconcile.Request {
		if o.(*placementv1.Placement).Spec.Cause == nil {
			return nil
		}
		return []reconcile.Request{{NamespacedName: client.ObjectKey{Name: "fleet"}}}
	})
	unhosted := func(o client.Object) bool {
		d := o.(*deliveryv1.Delivery)
		return len(d.Status.Waiting)+len(observed.SilentIn(d)) > 0
	}
	rooms := predicate.Funcs{
		CreateFunc: func(e event.CreateEvent) bool { return unhosted(e.Object) },
		UpdateFunc: func(e event.UpdateEvent) bool {
			was, is := e.ObjectOld.(*deliveryv1.Delivery), e.ObjectNew.(*deliveryv1.Delivery)
			return !equality.Semantic.DeepEqual(was.Status.Waiting, is.Status.Waiting) || !slices.Equal(observed.SilentIn(was), observed.SilentIn(is))
		},
		DeleteFunc: func(e event.DeleteEvent) bool { return unhosted(e.Object) },
	}
	// What a Release held back can be proposed once it has handed its application back.
	handedBack := predicate.Funcs{
		CreateFunc: func(event.CreateEvent) bool { return false },
		UpdateFunc: func(e event.UpdateEvent) bool {
			return e.ObjectOld.(*appv1.Application).Status.ActiveRelease != "" && e.ObjectNew.(*appv1.Application).Status.ActiveRelease == ""
		},
		DeleteFunc: func(event.DeleteEvent) bool { return false },
	}
	return ctrl.NewControllerManagedBy(mgr).Named("placement.lost").
		Watches(&appv1.Application{}, fleet, builder.WithPredicates(handedBack)).
		Watches(&deliveryv1.Delivery{}, fleet, builder.WithPredicates(rooms)).
		Watches(&fleetv1.Cluster{}, fleet, builder.WithPredicates(changes(ofCluster))).
		Watches(&fleetv1.Pool{}, fleet, builder.WithPredicates(changes(ofPool))).
		Watches(&placementv1.Brake{}, fleet).
		Watches(&placementv1.PlacementPolicy{}, fleet).
		Watches(&placementv1.Placement{}, proposals).
		Complete(l)
}
