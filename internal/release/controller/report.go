// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/release"
)

// report tells what was decided and done. It returns the part of the failure that
// is nobody's decision, to be tried again.
func report(rel *releasev1.Release, d release.Decision, failed error, now time.Time) error {
	rel.Status.ObservedGeneration = rel.Generation
	for _, f := range d.Facts {
		set(rel, f.Type, f.True, f.Reason, f.Message, now)
	}
	if d.Clusters != nil && !reflect.DeepEqual(counted(d.Clusters), counted(rel.Status.Clusters)) {
		at := metav1.NewTime(now)
		rel.Status.ProgressedAt = &at
	}
	if d.Clusters != nil {
		rel.Status.Clusters = d.Clusters
	}
	switch refusal := release.Refused(failed); {
	case refusal != nil:
		reportRefusal(rel, refusal, now)
		return nil
	case errors.Is(failed, audit.ErrAway):
		message := "the evidence log is away: the next step is taken once it can be recorded"
		set(rel, releasev1.ConditionProgressing, false, releasev1.ReasonNoEvidence, message, now)
		set(rel, releasev1.ConditionReady, false, releasev1.ReasonNoEvidence, message, now)
		return nil
	case apierrors.IsConflict(failed), apierrors.IsAlreadyExists(failed):
		return nil
	case failed != nil:
		return failed
	}
	reportDone(rel, d, now)
	return nil
}

// counted is what counts as progress: not the words.
func counted(clusters []releasev1.ClusterProgress) []releasev1.ClusterProgress {
	out := slices.Clone(clusters)
	for i := range out {
		out[i].Message = ""
	}
	return out
}

// reportRefusal says what does not let the Release go on.
func reportRefusal(rel *releasev1.Release, refusal *release.Refusal, now time.Time) {
	set(rel, releasev1.ConditionReady, false, refusal.Reason, refusal.Message, now)
	switch refusal.Reason {
	case releasev1.ReasonRefused:
		// Waiting for an approval or a window is no reason to call anybody.
		set(rel, releasev1.ConditionApproved, false, refusal.Reason, refusal.Message, now)
	case releasev1.ReasonAway:
		set(rel, releasev1.ConditionPlanned, false, refusal.Reason, refusal.Message, now)
		set(rel, releasev1.ConditionStalled, false, refusal.Reason, "it goes on by itself when the cluster connects", now)
	default:
		set(rel, releasev1.ConditionPlanned, false, refusal.Reason, refusal.Message, now)
		set(rel, releasev1.ConditionStalled, true, refusal.Reason, refusal.Message, now)
	}
}

// reportDone says what the actions have brought about.
func reportDone(rel *releasev1.Release, d release.Decision, now time.Time) {
	for _, a := range d.Actions {
		switch a.(type) {
		case release.Claim, release.Place:
			set(rel, releasev1.ConditionReady, false, releasev1.ReasonStepping, "the plan is being made", now)
			set(rel, releasev1.ConditionStalled, false, releasev1.ReasonStepping, "nothing needs a person", now)
		case release.Render:
			set(rel, releasev1.ConditionPlanned, true, releasev1.ReasonPlanned, "placement and rendering are done and digested", now)
			set(rel, releasev1.ConditionStalled, false, releasev1.ReasonStepping, "nothing needs a person", now)
		case release.Start, release.Step:
			set(rel, releasev1.ConditionApproved, true, releasev1.ReasonAllowed, "the gate lets the plan pass", now)
			set(rel, releasev1.ConditionProgressing, true, releasev1.ReasonStepping, "steps are being taken", now)
		case release.Complete:
			set(rel, releasev1.ConditionReady, true, releasev1.ReasonComplete, "every step was observed to be done", now)
			set(rel, releasev1.ConditionProgressing, false, releasev1.ReasonComplete, "every step was observed to be done", now)
			set(rel, releasev1.ConditionStalled, false, releasev1.ReasonComplete, "nothing needs a person", now)
		}
	}
}

func set(rel *releasev1.Release, kind string, is bool, reason, message string, now time.Time) {
	status := metav1.ConditionFalse
	if is {
		status = metav1.ConditionTrue
	}
	const most = 4096
	if len(message) > most {
		message = strings.ToValidUTF8(message[:most-4], "") + " …"
	}
	meta.SetStatusCondition(&rel.Status.Conditions, metav1.Condition{
		Type: kind, Status: status, Reason: reason, Message: message,
		ObservedGeneration: rel.Generation, LastTransitionTime: metav1.NewTime(now),
	})
}

// tell emits an event for what happened: not for what is still waited for.
func (r *Reconciler) tell(before, after *releasev1.Release) {
	if r.Events == nil {
		return
	}
	became := func(kind string) *metav1.Condition {
		c := meta.FindStatusCondition(after.Status.Conditions, kind)
		if c == nil || c.Status != metav1.ConditionTrue || meta.IsStatusConditionTrue(before.Status.Conditions, kind) {
			return nil
		}
		return c
	}
	if c := became(releasev1.ConditionStalled); c != nil {
		r.Events.Eventf(after, nil, corev1.EventTypeWarning, c.Reason, "Stall", "%s", c.Message)
	}
	if c := became(releasev1.ConditionReady); c != nil {
		r.Events.Eventf(after, nil, corev1.EventTypeNormal, c.Reason, "Complete", "%s", c.Message)
	}
	if before.Status.StartedAt == nil && after.Status.StartedAt != nil {
		r.Events.Eventf(after, nil, corev1.EventTypeNormal, "Started", "Start", "the plan %s is carried out", after.Status.PlanDigest)
	}
}
