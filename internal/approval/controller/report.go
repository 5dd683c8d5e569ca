// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/approval"
)

// report writes a judgement into the request's status.
func report(r *approvalv1.ApprovalRequest, c approval.Case, j approval.Judgement, now time.Time) {
	s := &r.Status
	s.Parties, s.Uncounted = j.Parties, j.Uncounted
	s.Window = ""
	if j.State == approval.Approved && !j.May {
		s.Window = j.Why
	}
	s.CompleteAt, s.UsedAt, s.EndedAt = stamp(j.CompleteAt), stamp(c.Subject.StartedAt), stamp(c.Subject.EndedAt)
	set := func(kind string, is bool, reason, message string) {
		status := metav1.ConditionFalse
		if is {
			status = metav1.ConditionTrue
		}
		meta.SetStatusCondition(&s.Conditions, metav1.Condition{
			Type: kind, Status: status, Reason: reason, Message: message, ObservedGeneration: r.Generation, LastTransitionTime: metav1.NewTime(now),
		})
	}
	set(approvalv1.ConditionReady, j.State == approval.Approved, j.Reason, j.Message)
	for kind, state := range map[string]approval.State{
		approvalv1.ConditionVoid: approval.Void, approvalv1.ConditionRejected: approval.Rejected, approvalv1.ConditionExpired: approval.Expired,
	} {
		if j.State == state {
			set(kind, true, j.Reason, j.Message)
		}
	}
	if !c.Subject.StartedAt.IsZero() {
		set(approvalv1.ConditionUsed, true, approvalv1.ReasonUsed, "the act has begun: an approval is used once")
	}
	for _, o := range j.Owed {
		reportOwed(o, now, set)
	}
}

func reportOwed(o approval.Owed, now time.Time, set func(kind string, is bool, reason, message string)) {
	kind, what, how := approvalv1.ConditionVerified, "verification", "verify"
	if o.Verdict == approvalv1.VerdictReview {
		kind, what, how = approvalv1.ConditionReviewed, "review", "review"
	}
	due := o.Due.UTC().Format("2006-01-02 15:04 MST")
	switch {
	case o.By != "":
		set(kind, true, approvalv1.ReasonDone, "given by "+o.By)
	case o.Due.IsZero():
	case now.After(o.Due):
		set(kind, false, approvalv1.ReasonOverdue, fmt.Sprintf("the %s is owed since %s: fairway approval %s", what, due, how))
	default:
		set(kind, false, approvalv1.ReasonDue, fmt.Sprintf("the %s is owed until %s: fairway approval %s", what, due, how))
	}
}

func stamp(t time.Time) *metav1.Time {
	if t.IsZero() {
		return nil
	}
	out := metav1.NewTime(t.Truncate(time.Second))
	return &out
}

func is(r *approvalv1.ApprovalRequest, kind string) bool {
	return meta.IsStatusConditionTrue(r.Status.Conditions, kind)
}

// owes says whether something is still to be done after the act.
func owes(r *approvalv1.ApprovalRequest, kind string) bool {
	return meta.IsStatusConditionFalse(r.Status.Conditions, kind)
}

// tell emits an event for what happened: not for what is still waited for.
func (p *Progress) tell(before, after *approvalv1.ApprovalRequest) {
	if p.Events == nil {
		return
	}
	for kind, weight := range map[string]string{
		approvalv1.ConditionReady: corev1.EventTypeNormal, approvalv1.ConditionUsed: corev1.EventTypeNormal, approvalv1.ConditionVoid: corev1.EventTypeWarning,
		approvalv1.ConditionRejected: corev1.EventTypeWarning, approvalv1.ConditionExpired: corev1.EventTypeWarning,
	} {
		if c := meta.FindStatusCondition(after.Status.Conditions, kind); is(after, kind) && !is(before, kind) {
			p.Events.Eventf(after, nil, weight, c.Reason, kind, "%s", c.Message)
		}
	}
	for _, kind := range []string{approvalv1.ConditionVerified, approvalv1.ConditionReviewed} {
		was, now := meta.FindStatusCondition(before.Status.Conditions, kind), meta.FindStatusCondition(after.Status.Conditions, kind)
		if now != nil && now.Reason == approvalv1.ReasonOverdue && (was == nil || was.Reason != approvalv1.ReasonOverdue) {
			p.Events.Eventf(after, nil, corev1.EventTypeWarning, now.Reason, kind, "%s", now.Message)
		}
	}
}
