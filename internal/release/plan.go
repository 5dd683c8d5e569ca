// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package release

import (
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
)

// Plan decides what may be done for a Release now.
func Plan(s Seen, now time.Time) Decision {
	var d Decision
	switch {
	case Finished(s.Release):
		d.close(s)
	case s.Application == nil:
		d.stall(releasev1.ReasonNotFound, "application %q is not there: nothing can be released", s.Release.Spec.Application)
	case lost(s):
		d.stall(releasev1.ReasonSuperseded, "release %q has taken the application over: this one is over; start another if it is still wanted", s.Application.Status.ActiveRelease)
	case !holds(s):
		d.claim(s)
	case s.PlanError != nil:
		d.stall(releasev1.ReasonBadPlan, "%v: nothing of it is carried out; start the release anew", s.PlanError)
	case s.Plan == nil:
		d.prepare(s)
	default:
		d.carryOn(s, now)
	}
	return d
}

// Finished reports whether a Release is complete.
func Finished(r *releasev1.Release) bool {
	return r.Status.CompletedAt != nil
}

// Over reports whether a Release will never take a step again: it is complete, or
// another one took its application over.
func Over(r *releasev1.Release) bool {
	stalled := find(r.Status.Conditions, releasev1.ConditionStalled)
	return Finished(r) || stalled != nil && stalled.Status == metav1.ConditionTrue && stalled.Reason == releasev1.ReasonSuperseded
}

// Holds reports whether the Release has the application.
func Holds(s Seen) bool { return s.Application != nil && holds(s) }

// Renders reports whether the plan is drawn next, for which what runs is looked at.
func Renders(s Seen) bool {
	return s.Plan == nil && Holds(s) && (!places(s.Release) || s.Release.Status.Placement != "")
}

// Prepares reports whether a decision is a step on the way to the plan, by which nothing
// changes that runs, and after which the next one may follow at once.
func Prepares(d Decision) bool {
	return only(d, func(a Action) bool {
		switch a.(type) {
		case Claim, Place:
			return true
		}
		return false
	})
}

// Begins reports whether a decision is the plan or its start: nothing that runs changes by
// it, and what follows may follow once it is written.
func Begins(d Decision) bool {
	return only(d, func(a Action) bool {
		switch a.(type) {
		case Render, Start:
			return true
		}
		return false
	})
}

// Steps reports whether a decision gives members their next state.
func Steps(d Decision) bool {
	return only(d, func(a Action) bool { _, step := a.(Step); return step })
}

// only reports whether a decision has actions, and all of them are of a kind.
func only(d Decision, kind func(Action) bool) bool {
	return len(d.Actions) > 0 && !slices.ContainsFunc(d.Actions, func(a Action) bool { return !kind(a) })
}

func holds(s Seen) bool { return s.Application.Status.ActiveRelease == s.Release.Name }

// lost reports whether another Release took the application over.
func lost(s Seen) bool { return s.Release.Status.Sequence > 0 && !holds(s) }

func stopped(r *releasev1.Release) bool { return r.Spec.Desired == "Stop" }

// StoppedSince reports whether a Release was stopped since its status last spoke of
// it. Only desired changes in a Release, and each change is a generation: two of them
// make a stop that was taken back before anybody looked.
func StoppedSince(r *releasev1.Release) bool {
	unseen := r.Generation - r.Status.ObservedGeneration
	return unseen >= 1 && stopped(r) || unseen >= 2
}

func places(r *releasev1.Release) bool {
	return r.Spec.Kind == releasev1.KindDeploy || r.Spec.Kind == releasev1.KindRollback
}

// close writes the result of a complete Release into its application.
func (d *Decision) close(s Seen) {
	d.fact(releasev1.ConditionReady, true, releasev1.ReasonComplete, "%s", done(s.Release))
	if s.Application == nil || !holds(s) {
		return
	}
	switch s.Release.Spec.Kind {
	case releasev1.KindRetire:
		d.do(FreeRoom{}, HandBack{})
	case releasev1.KindRestart:
		d.do(HandBack{Released: s.Application.Status.ReleasedRevision})
	default:
		d.do(FreeRoom{Keep: s.Release.Status.Placement}, HandBack{Released: s.Release.Spec.Revision})
	}
}

func done(r *releasev1.Release) string {
	switch r.Spec.Kind {
	case releasev1.KindRetire:
		return "the application is out of service everywhere"
	case releasev1.KindRestart:
		return fmt.Sprintf("%d instances were restarted", len(r.Spec.Seats))
	default:
		return fmt.Sprintf("revision %s is in service", r.Spec.Revision)
	}
}

// claim takes the application, if nobody who goes on holds it.
func (d *Decision) claim(s Seen) {
	if stopped(s.Release) {
		d.wait(releasev1.ConditionProgressing, releasev1.ReasonStopped, "stopped before it began: set desired to Run to go on")
		return
	}
	if places(s.Release) && !s.RevisionFound {
		d.stall(releasev1.ReasonNotFound, "revision %q of application %q is not there: name one that is", s.Release.Spec.Revision, s.Release.Spec.Application)
		d.Next = s.Limits.retry()
		return
	}
	if why := heldBack(s); why != "" {
		d.wait(releasev1.ConditionReady, releasev1.ReasonHeld, "%s", why)
		d.Next = s.Limits.retry()
		return
	}
	from := s.Application.Status.ActiveRelease
	d.do(Claim{Sequence: max(s.Application.Status.ReleaseSequence, s.HighestSequence) + 1, From: from})
}

// heldBack says why the application cannot be taken now, or "".
func heldBack(s Seen) string {
	h := s.Holder
	if h == nil || Finished(h) && s.Application.Status.ActiveRelease == "" {
		return ""
	}
	switch {
	case Finished(h):
		return fmt.Sprintf("release %q is complete and hands the application back", h.Name)
	case stopped(h):
		return ""
	case h.Status.StartedAt == nil && condition(h.Status.Conditions, releasev1.ConditionStalled):
		return ""
	case WayBack(s.Release, s.HolderPlan):
		return ""
	}
	return fmt.Sprintf("release %q holds the application: wait for it, or stop it", h.Name)
}

// WayBack reports whether a Release goes back to the revision that a plan names
// as its way back. That is part of the plan's approval and never refused because
// log, hub or ticket system is away.
func WayBack(r *releasev1.Release, plan *Document) bool {
	return plan != nil && r.Spec.Kind == releasev1.KindRollback && r.Spec.Revision == plan.WayBack && plan.WayBack != ""
}

// prepare places and renders.
func (d *Decision) prepare(s Seen) {
	if stopped(s.Release) {
		d.wait(releasev1.ConditionProgressing, releasev1.ReasonStopped, "stopped before its plan was made: set desired to Run to go on")
		return
	}
	if places(s.Release) && s.Release.Status.Placement == "" {
		d.do(Place{})
		return
	}
	d.do(Render{})
}

// carryOn takes the steps of the plan.
func (d *Decision) carryOn(s Seen, now time.Time) {
	d.fact(releasev1.ConditionPlanned, true, releasev1.ReasonPlanned, "%s", planned(s.Plan))
	v := view{seen: s, plan: s.Plan}
	d.Clusters = v.progress()

	if stopped(s.Release) {
		d.wait(releasev1.ConditionProgressing, releasev1.ReasonStopped, "stopped: what is done stays, and no further step is taken; set desired to Run to go on, or start a Rollback")
		return
	}
	if s.Release.Status.StartedAt == nil {
		d.do(Start{})
		return
	}
	actions, waiting := v.steps()
	d.do(actions...)
	if len(actions) == 0 && len(waiting) == 0 {
		d.do(Complete{})
		return
	}
	d.Reasons = append(d.Reasons, waiting...)
	d.fact(releasev1.ConditionProgressing, true, releasev1.ReasonStepping, "%s", sentence(waiting, "steps are being taken"))
	d.fact(releasev1.ConditionReady, false, releasev1.ReasonStepping, "%s", sentence(waiting, "steps are being taken"))
	d.watch(s, v, now)
}

// watch calls a person when nothing moves, or when a member says that it needs one.
func (d *Decision) watch(s Seen, v view, now time.Time) {
	if message := v.stalled(); message != "" {
		d.fact(releasev1.ConditionStalled, true, releasev1.ReasonDeliveryStalled, "%s", message)
		d.Next = s.Limits.retry()
		return
	}
	since := s.Release.Status.ProgressedAt
	if since == nil {
		since = s.Release.Status.StartedAt
	}
	left := since.Add(s.Limits.progress()).Sub(now)
	if left > 0 || len(d.Actions) > 0 {
		d.fact(releasev1.ConditionStalled, false, releasev1.ReasonStepping, "nothing needs a person")
		d.Next = max(left, s.Limits.retry())
		return
	}
	d.fact(releasev1.ConditionStalled, true, releasev1.ReasonNoProgress, "nothing has moved for %s: %s", s.Limits.progress(), sentence(v.troubles(), sentence(d.Reasons, "no member says why")))
	d.Next = s.Limits.retry()
}

func (d *Decision) do(actions ...Action) { d.Actions = append(d.Actions, actions...) }

func (d *Decision) fact(kind string, is bool, reason, format string, args ...any) {
	f := Fact{Type: kind, True: is, Reason: reason, Message: fmt.Sprintf(format, args...)}
	d.Facts = slices.DeleteFunc(d.Facts, func(x Fact) bool { return x.Type == kind })
	d.Facts = append(d.Facts, f)
}

// wait says what the Release waits for; it is not ready meanwhile.
func (d *Decision) wait(kind, reason, format string, args ...any) {
	d.fact(kind, false, reason, format, args...)
	d.fact(releasev1.ConditionReady, false, reason, format, args...)
	d.Reasons = append(d.Reasons, fmt.Sprintf(format, args...))
}

// stall says what a person must put right.
func (d *Decision) stall(reason, format string, args ...any) {
	d.fact(releasev1.ConditionStalled, true, reason, format, args...)
	d.fact(releasev1.ConditionReady, false, reason, format, args...)
	d.fact(releasev1.ConditionProgressing, false, reason, format, args...)
	d.Reasons = append(d.Reasons, fmt.Sprintf(format, args...))
}
