// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package approval

import (
	"fmt"
	"strings"
	"time"

	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
)

// Judge says what a request comes to now: whether it is complete, and whether the
// next step of its act may be taken. It is asked at each use, and again before
// each step; it looks at the decisions themselves, never at a status.
func Judge(c Case, now time.Time) Judgement {
	if flaw := c.Made.flaw(); flaw != "" {
		return ended(Void, approvalv1.ReasonUnproven, "Fairway did not ask for this: "+flaw)
	}
	policy, err := Open(c.Request.Spec.Policy)
	if err != nil {
		return ended(Void, approvalv1.ReasonPolicyChanged, err.Error())
	}
	if reason, message := c.void(); reason != "" {
		return ended(Void, reason, message)
	}
	t := count(c, policy, now)
	j := t.judgement()
	switch {
	case t.rejectedBy != "":
		j.State, j.Reason = Rejected, approvalv1.ReasonRejected
		j.Message = fmt.Sprintf("%s rejected it: %s", t.rejectedBy, t.rejection)
	case len(lacks(c.Request, policy)) > 0:
		j.State, j.Reason = Waiting, approvalv1.ReasonIncomplete
		j.Message = "the request lacks " + strings.Join(lacks(c.Request, policy), ", ") + ": start another Release with them"
	case c.Request.Spec.Policy.Standing == approvalv1.StandingAutomatic:
		c.automatic(policy, now, &j)
	default:
		t.people(now, &j)
	}
	if j.State == Approved {
		t.start(now, &j)
	}
	if j.Why == "" {
		j.Why = j.Message
	}
	j.Owed = t.owed()
	return j
}

// ended is a judgement that nothing changes any more.
func ended(state State, reason, message string) Judgement {
	return Judgement{State: state, Reason: reason, Message: message, Why: message}
}

// void says why the request does not speak of what is there any more. Once the act
// has begun an edit of what the plan was made from changes nothing of the plan, and
// the policy under which it was agreed stays.
func (c Case) void() (reason, message string) {
	spec := c.Request.Spec
	switch {
	case c.Subject.UID != "" && c.Subject.UID != spec.Subject.UID:
		return approvalv1.ReasonSubjectGone, fmt.Sprintf("%s %q is another one of that name: an approval is not transferable", spec.Subject.Kind, spec.Subject.Name)
	case c.Subject.Gone && !c.Subject.started():
		return approvalv1.ReasonSubjectGone, fmt.Sprintf("%s %q was stopped, ended or deleted before it began", spec.Subject.Kind, spec.Subject.Name)
	case c.Subject.Digest != spec.Digest:
		return approvalv1.ReasonPlanChanged, fmt.Sprintf("the plan is another one (%s): nothing of it was agreed to", short(c.Subject.Digest))
	case c.Subject.started():
		return "", ""
	case c.Subject.State != spec.State:
		return approvalv1.ReasonSubjectChanged, fmt.Sprintf("edited since it was asked for: it was made from %s, now there is %s", spec.State, c.Subject.State)
	case c.Holds == nil:
		return approvalv1.ReasonPolicyChanged, "no approval policy covers the act any more"
	case c.Holds.Name != spec.Policy.Name || c.Holds.Digest != spec.Policy.Digest || c.Holds.Standing != spec.Policy.Standing:
		return approvalv1.ReasonPolicyChanged, fmt.Sprintf("approval policy %q holds now as it is (%s), the request was made under %q (%s)",
			c.Holds.Name, short(c.Holds.Digest), spec.Policy.Name, short(spec.Policy.Digest))
	}
	return "", ""
}

func short(digest string) string {
	if digest == "" {
		return "none"
	}
	return digest[:min(len(digest), len("sha256:")+10)]
}

// automatic judges what the policy agrees to by itself.
func (c Case) automatic(policy approvalv1.ApprovalPolicySpec, now time.Time, j *Judgement) {
	made := c.Request.CreationTimestamp.Time
	switch budget := policy.Automatic.Budget; {
	case c.Subject.started(), budget == nil, c.Spent < budget.Acts:
	default:
		j.State, j.Reason = Waiting, approvalv1.ReasonBudgetSpent
		j.Message = fmt.Sprintf("policy %q agrees by itself to %d acts within %s, and all are used up: wait, or ask people by another change class",
			c.Request.Spec.Policy.Name, budget.Acts, budget.Within.Duration)
		return
	}
	if until := ValidUntil(policy, made); !c.Subject.started() && !now.Before(until) {
		j.State, j.Reason, j.Message = Expired, approvalv1.ReasonExpired, "the approval was not used in time: it ran out at "+stamp(until)
		return
	}
	j.State, j.Reason, j.CompleteAt = Approved, approvalv1.ReasonAutomatic, made
	j.Message = fmt.Sprintf("policy %q agrees by itself", c.Request.Spec.Policy.Name)
}

// people judges what people agree to.
func (t *tally) people(now time.Time, j *Judgement) {
	c := t.c
	if lacking := t.lacking(); lacking != "" {
		j.State, j.Reason, j.Message = Waiting, approvalv1.ReasonWaiting, "waits for "+lacking
		if by := c.Request.Spec.DecideBy.Time; !c.Subject.started() && !now.Before(by) {
			j.State, j.Reason, j.Message = Expired, approvalv1.ReasonExpired, "nobody completed it in time: it ran out at "+stamp(by)
		}
		return
	}
	j.CompleteAt = t.completeAt
	if until := ValidUntil(t.policy, j.CompleteAt); !c.Subject.started() && !now.Before(until) {
		j.State, j.Reason, j.Message = Expired, approvalv1.ReasonExpired, "the approval was not used in time: it ran out at "+stamp(until)
		return
	}
	j.State, j.Reason = Approved, approvalv1.ReasonApproved
	j.Message = "approved by " + strings.Join(t.agreed, ", ")
}

// start says whether the next step of an approved act may be taken now.
func (t *tally) start(now time.Time, j *Judgement) {
	c := t.c
	switch {
	case !c.Window.Open:
		j.Why = c.Window.Reason
		j.Refuse = t.policy.Window != nil && t.policy.Window.Outside == "Refuse" && !c.Subject.started()
		return
	case t.policy.Operation != nil && t.operator == "":
		j.Why = "waits for whoever operates it (" + crew(*t.policy.Operation) + "): fairway approval operate " + c.Request.Name
		return
	case t.policy.Attendance != nil && t.attendant == "":
		j.Why = "waits for whoever reviews it on line (" + crew(*t.policy.Attendance) + "): fairway approval attend " + c.Request.Name
		return
	}
	j.May, j.Why = true, j.Message
	if t.operator != "" {
		j.Why += ", operated by " + t.operator
	}
	if t.attendant != "" {
		j.Why += ", reviewed on line by " + t.attendant
	}
}

// stamp writes a time for people.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 MST") }

func crew(c approvalv1.Crew) string {
	var names []string
	for _, r := range c.Roles {
		names = append(names, string(r))
	}
	return strings.Join(append(names, c.Groups...), ", ")
}

// owed lists what is to be done after the act.
func (t *tally) owed() []Owed {
	var out []Owed
	s := t.c.Subject
	if f := t.policy.Verification; f != nil {
		out = append(out, Owed{Verdict: approvalv1.VerdictVerify, By: t.verifier, Due: after(s.EndedAt, f.Within.Duration)})
	}
	if f := t.policy.Review; f != nil {
		out = append(out, Owed{Verdict: approvalv1.VerdictReview, By: t.reviewer, Due: after(s.StartedAt, f.Within.Duration)})
	}
	return out
}

func after(t time.Time, d time.Duration) time.Time {
	if t.IsZero() {
		return t
	}
	return t.Add(or(d, defaultFollow))
}
