// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	deliveryv1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/approval"
	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/platform/patch"
	"github.com/fairway-cloud/fairway/internal/platform/turns"
	"github.com/fairway-cloud/fairway/internal/release"
)

// Reconciler moves Releases. It is controller "release.steps".
type Reconciler struct {
	// Hub reads from the cache and writes.
	Hub client.Client
	// Direct reads past every cache: claims and steps rest on what is, not on what
	// was a moment ago.
	Direct   client.Reader
	Placer   release.Placer
	Renderer release.Renderer
	// Stored is told of each rendering that is stored, so that whoever applies it need not
	// read it. Nil: nobody asks.
	Stored    func(deliveryv1.RenderingSpec)
	Instances release.InstanceFinder
	// Gate is asked for the plan and again before each step.
	Gate approval.Gate
	// Stops that wait for the hub. Nil: none do.
	Stops release.Stops
	// Brakes are asked before each step, at that moment. Nil: nothing is automatic.
	Brakes release.Brakes
	// Recorder writes an intent and an outcome for each step and cluster.
	Recorder audit.Recorder
	Clock    clock.PassiveClock
	// Events tells people what happened. Nil: nobody is told.
	Events events.EventRecorder
	Limits release.Limits
	// Gather is for how long words of progress wait for those of other clusters, so that they
	// are written together. Steps never wait. 0: each is written at once.
	Gather time.Duration

	words words
	// turns lets one Release of an application go on at a time: what takes an application
	// over begins when the step of the Release that had it has ended.
	turns turns.Turns
}

// Reconcile moves one Release a step closer to its plan.
func (r *Reconciler) Reconcile(ctx context.Context, cached *releasev1.Release) (ctrl.Result, error) {
	leave, err := r.turns.Take(ctx, client.ObjectKey{Namespace: cached.Namespace, Name: cached.Spec.Application})
	if err != nil {
		return ctrl.Result{}, err
	}
	defer leave()

	if next, idle := r.idle(ctx, cached); idle {
		return ctrl.Result{RequeueAfter: next}, nil
	}
	rel := &releasev1.Release{}
	if err := r.Direct.Get(ctx, client.ObjectKeyFromObject(cached), rel); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !rel.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, nil
	}
	if over, err := r.over(ctx, r.Direct, rel); over || err != nil {
		return ctrl.Result{}, err
	}
	if err := r.noteStop(ctx, rel); err != nil {
		return patch.Settle(ctrl.Result{}, err)
	}
	said := rel.DeepCopy()
	seen, err := r.observe(ctx, r.Direct, rel)
	if err != nil {
		return ctrl.Result{}, err
	}
	return r.goOn(ctx, said, rel, seen)
}

// idle reports whether nothing is to be done or said of a Release as far as the caches know,
// and when to look again: then the hub is not asked at all. What they do not know yet they
// tell of when they do, and wake it. Whatever is done rests on what the hub itself says.
func (r *Reconciler) idle(ctx context.Context, cached *releasev1.Release) (next time.Duration, idle bool) {
	if !cached.DeletionTimestamp.IsZero() {
		return 0, true
	}
	if over, err := r.over(ctx, r.Hub, cached); over || err != nil {
		r.words.said(client.ObjectKeyFromObject(cached))
		return 0, over
	}
	if release.StoppedSince(cached) {
		return 0, false
	}
	rel := cached.DeepCopy()
	seen, err := r.observe(ctx, r.Hub, rel)
	if err != nil {
		return 0, false
	}
	decision := release.Plan(seen, r.Clock.Now())
	of := client.ObjectKeyFromObject(cached)
	if len(decision.Actions) > 0 || report(rel, decision, nil, r.Clock.Now()) != nil {
		r.words.said(of)
		return 0, false
	}
	if equality.Semantic.DeepEqual(cached.Status, rel.Status) {
		r.words.said(of)
		return decision.Next, true
	}
	if onlyWords(&cached.Status, &rel.Status) {
		left := r.words.wait(of, r.Gather, r.Clock.Now())
		return left, left > 0
	}
	r.words.said(of)
	return 0, false
}

// goOn decides and acts until something is awaited. What is written on the way to the first
// steps nobody else writes meanwhile without a write here failing: so what was seen before
// still holds, with what was done since. said is the Release as it is written.
func (r *Reconciler) goOn(ctx context.Context, said, rel *releasev1.Release, seen release.Seen) (ctrl.Result, error) {
	stepped := false
	for {
		decision := release.Plan(seen, r.Clock.Now())
		if stepped && len(decision.Actions) > 0 {
			decision.Actions, decision.Next = nil, soon // the next round is decided by what is seen then
		}
		err := r.carryOut(ctx, rel, seen, decision.Actions)
		stepped = release.Steps(decision)
		if err == nil && (stepped || release.Prepares(decision)) {
			// What was claimed, placed and stepped is found again if it ends here: it is said
			// together with what follows.
			if again, failed := r.onwards(ctx, seen); failed == nil {
				reportDone(rel, decision, r.Clock.Now())
				seen = again
				continue
			}
		}
		problem := report(rel, decision, err, r.Clock.Now())
		r.tell(said, rel)
		if failed := r.save(ctx, said, rel); failed != nil {
			return patch.Settle(ctrl.Result{}, errors.Join(problem, failed))
		}
		switch {
		case apierrors.IsConflict(err), apierrors.IsAlreadyExists(err):
			return ctrl.Result{RequeueAfter: soon}, nil
		case problem != nil:
			return ctrl.Result{}, problem
		case err != nil:
			return ctrl.Result{RequeueAfter: cmp.Or(again(err), retry(r.Limits))}, nil
		case len(decision.Actions) == 0:
			return ctrl.Result{RequeueAfter: decision.Next}, nil
		case !release.Begins(decision):
			return ctrl.Result{RequeueAfter: unheard}, nil
		}
		// The plan, and then that it has begun, are written before anything rests on them. A
		// stop that came meanwhile lets none of the two be written.
		again, failed := r.onwards(ctx, seen)
		if failed != nil {
			return ctrl.Result{RequeueAfter: soon}, nil
		}
		said, seen = rel.DeepCopy(), again
	}
}

// noteStop writes down that the Release was stopped, before the Gate is asked for
// anything: whoever let it begin has to let it go on anew. A stop that was taken back
// before anybody looked counts too.
func (r *Reconciler) noteStop(ctx context.Context, rel *releasev1.Release) error {
	if !release.StoppedSince(rel) {
		return nil
	}
	before, now := rel.DeepCopy(), metav1.NewTime(r.Clock.Now())
	rel.Status.StoppedAt, rel.Status.ObservedGeneration = &now, rel.Generation
	return r.save(ctx, before, rel)
}

// over reports whether nothing is left to do for a Release.
func (r *Reconciler) over(ctx context.Context, from client.Reader, rel *releasev1.Release) (bool, error) {
	if !release.Over(rel) {
		return false, nil
	}
	application := &appv1.Application{}
	err := from.Get(ctx, client.ObjectKey{Namespace: rel.Namespace, Name: rel.Spec.Application}, application)
	if client.IgnoreNotFound(err) != nil {
		return false, fmt.Errorf("could not read application %q: %w", rel.Spec.Application, err)
	}
	return err != nil || application.Status.ActiveRelease != rel.Name, nil
}

// soon is when a Release is looked at again that somebody else wrote meanwhile. unheard is
// when it is after something was done: whatever is done is written, and the hub tells of it
// at once, so that nobody waits for this.
const (
	soon    = 200 * time.Millisecond
	unheard = 2 * time.Second
)

func retry(l release.Limits) time.Duration {
	if l.Retry > 0 {
		return l.Retry
	}
	return 30 * time.Second
}

// again is when a refusal is worth asking again. 0: it does not say.
func again(err error) time.Duration {
	if refusal := release.Refused(err); refusal != nil {
		return refusal.Again
	}
	return 0
}

// untilAgreed is when the Gate is asked again for a Release that it has not let begin: its
// approval request tells of whatever changes that, agreement as well as a window, and wakes
// it. This is for what nobody tells, and spread, since thousands may wait at once. Of one
// that has begun the next step is asked for as usual.
func untilAgreed(rel *releasev1.Release) time.Duration {
	if rel.Status.StartedAt != nil {
		return 0
	}
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(rel.Namespace + "/" + rel.Name))
	return 10*time.Minute + time.Duration(hash.Sum32()%300)*time.Second
}

// save writes the status if it says something new.
func (r *Reconciler) save(ctx context.Context, before, after *releasev1.Release) error {
	if equality.Semantic.DeepEqual(before.Status, after.Status) {
		return nil
	}
	err := r.Hub.Status().Patch(ctx, after, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("could not report on release %q: %w", after.Name, err)
	}
	return nil
}
