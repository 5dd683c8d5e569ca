// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package approval

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
)

// tally counts the decisions of one request, in the order in which they were made.
type tally struct {
	c      Case
	policy approvalv1.ApprovalPolicySpec

	stages     []stage
	agreed     []string
	uncounted  []approvalv1.Uncounted
	completeAt time.Time

	rejectedBy, rejection                   string
	operator, attendant, verifier, reviewer string
}

// count hears every decision of the request.
func count(c Case, policy approvalv1.ApprovalPolicySpec, now time.Time) *tally {
	t := &tally{c: c, policy: policy}
	t.stages = stagesOf(policy)
	var voices []voice
	for i := range c.Decisions {
		d := &c.Decisions[i]
		if d.Spec.Request != c.Request.Name {
			continue
		}
		v, why := t.hear(d, now)
		if why != "" {
			t.leave(d, "%s", why)
			continue
		}
		voices = append(voices, v)
	}
	slices.SortFunc(voices, func(a, b voice) int {
		// The hub stamps to the second: within one, whoever takes his word back is heard last.
		return cmp.Or(a.at.Compare(b.at), compareBack(a, b), cmp.Compare(a.Name, b.Name))
	})
	for _, v := range voices {
		t.take(v, standing(voices, v))
	}
	return t
}

func (t *tally) leave(d *approvalv1.Decision, format string, args ...any) {
	t.uncounted = append(t.uncounted, approvalv1.Uncounted{Decision: d.Name, Author: d.Spec.Author, Reason: fmt.Sprintf(format, args...)})
}

// compareBack puts a Withdraw behind what it may take back.
func compareBack(a, b voice) int {
	back := func(v voice) int {
		if v.Spec.Verdict == approvalv1.VerdictWithdraw {
			return 1
		}
		return 0
	}
	return cmp.Compare(back(a), back(b))
}

// take counts a voice.
func (t *tally) take(v voice, stands bool) {
	switch v.Spec.Verdict {
	case approvalv1.VerdictApprove:
		if !stands {
			t.leave(v.Decision, "its author took it back")
			return
		}
		t.approve(v)
	case approvalv1.VerdictReject:
		t.reject(v)
	case approvalv1.VerdictOperate:
		t.crew(v, t.policy.Operation, approvalv1.PartOperator, &t.operator)
	case approvalv1.VerdictAttend:
		t.crew(v, t.policy.Attendance, approvalv1.PartAttendant, &t.attendant)
	case approvalv1.VerdictVerify:
		t.follow(v, t.policy.Verification, t.c.Subject.EndedAt, approvalv1.PartVerifier, &t.verifier)
	case approvalv1.VerdictReview:
		t.review(v)
	}
}

// approve seats somebody who agrees.
func (t *tally) approve(v voice) {
	if why := t.conflict(v, approvalv1.PartApprover); why != "" {
		t.leave(v.Decision, "%s", why)
		return
	}
	if by := t.c.Request.Spec.DecideBy.Time; v.at.After(by) {
		t.leave(v.Decision, "it came after the time to decide had run out")
		return
	}
	i := t.current()
	if i == len(t.stages) {
		t.leave(v.Decision, "everybody who was needed had agreed already")
		return
	}
	for _, p := range v.people {
		if slices.Contains(t.agreed, p) {
			t.leave(v.Decision, "%s has agreed already", p)
			return
		}
	}
	s := &t.stages[i]
	able := make([]bool, len(s.parties))
	for k, p := range s.parties {
		able[k] = t.fills(v, p)
	}
	if !slices.Contains(able, true) {
		t.leave(v.Decision, "%s belongs to no party of stage %q", v.people[0], s.name)
		return
	}
	if !s.seat(vote{person: v.people[0], able: able}) {
		t.leave(v.Decision, "everybody who was needed of that party had agreed already")
		return
	}
	t.agreed = append(t.agreed, v.people...)
	if t.current() == len(t.stages) {
		t.completeAt = v.at
	}
}

// current is the number of the first stage that lacks somebody.
func (t *tally) current() int {
	for i := range t.stages {
		if !t.stages[i].full() {
			return i
		}
	}
	return len(t.stages)
}

// reject ends the request: whoever could have agreed may refuse, at any stage.
func (t *tally) reject(v voice) {
	if t.c.Subject.started() && v.at.After(t.c.Subject.StartedAt) {
		t.leave(v.Decision, "the act had begun: Withdraw holds it, Stop ends it")
		return
	}
	if why := t.conflict(v, approvalv1.PartApprover); why != "" {
		t.leave(v.Decision, "%s", why)
		return
	}
	entitled := false
	for _, s := range t.stages {
		for _, p := range s.parties {
			entitled = entitled || t.fills(v, p)
		}
	}
	if !entitled {
		t.leave(v.Decision, "%s belongs to no party of the request", v.people[0])
		return
	}
	t.rejectedBy, t.rejection = v.people[0], v.Spec.Comment
}

// crew notes who takes a part while the act happens. After a stop somebody does so
// anew.
func (t *tally) crew(v voice, c *approvalv1.Crew, part approvalv1.Part, who *string) {
	stopped := t.c.Subject.StoppedAt
	switch {
	case c == nil:
		t.leave(v.Decision, "the policy asks nobody to do that")
	case !t.entitled(v, c.Roles, c.Groups):
		t.leave(v.Decision, "%s is not among those who do that", v.people[0])
	case t.conflict(v, part) != "":
		t.leave(v.Decision, "%s", t.conflict(v, part))
	case !t.complete():
		t.leave(v.Decision, "the plan was not approved yet")
	case !stopped.IsZero() && v.at.Before(stopped.Truncate(time.Second).Add(time.Second)):
		// A stop is known to the second, and whoever speaks within it may have spoken before.
		t.leave(v.Decision, "the act was stopped in that second or after it: say it again")
	default:
		*who = v.people[0]
	}
}

// complete says whether everybody who is needed has agreed.
func (t *tally) complete() bool {
	return t.c.Request.Spec.Policy.Standing == approvalv1.StandingAutomatic || t.lacking() == ""
}

// follow notes who looked at the act afterwards.
func (t *tally) follow(v voice, f *approvalv1.Followup, since time.Time, part approvalv1.Part, who *string) {
	switch {
	case f == nil:
		t.leave(v.Decision, "the policy asks nobody to do that")
	case !t.entitled(v, f.Roles, f.Groups):
		t.leave(v.Decision, "%s is not among those who do that", v.people[0])
	case t.conflict(v, part) != "":
		t.leave(v.Decision, "%s", t.conflict(v, part))
	case since.IsZero() || v.at.Before(since.Truncate(time.Second)):
		t.leave(v.Decision, "the act had not gone far enough to say that")
	default:
		*who = v.people[0]
	}
}

// review settles an emergency change: by a ticket, and by somebody who had no part
// in asking for it, making it or agreeing to it.
func (t *tally) review(v voice) {
	if t.c.Request.Spec.Ticket == "" && v.Spec.Ticket == "" {
		t.leave(v.Decision, "an emergency change gets its ticket with its review: name it")
		return
	}
	if why := t.conflict(v, approvalv1.PartApprover); why != "" {
		t.leave(v.Decision, "%s", why)
		return
	}
	for _, p := range v.people {
		if slices.Contains(t.agreed, p) { // whatever the policy says: a third person looks at it
			t.leave(v.Decision, "%s agreed to it and cannot review it", p)
			return
		}
	}
	t.follow(v, t.policy.Review, t.c.Subject.StartedAt, approvalv1.PartVerifier, &t.reviewer)
}

// lacking says who is still needed in the present stage, or "".
func (t *tally) lacking() string {
	i := t.current()
	if i == len(t.stages) {
		if i == 0 {
			return "people: the policy names no stages" // never complete without anybody
		}
		return ""
	}
	var out []string
	for k, p := range t.stages[i].parties {
		if n := needed(p) - len(t.stages[i].seats[k]); n > 0 {
			out = append(out, fmt.Sprintf("%d of party %s", n, p.Name))
		}
	}
	return strings.Join(out, " and ") + fmt.Sprintf(" (stage %s)", t.stages[i].name)
}

// judgement begins a judgement with what was counted.
func (t *tally) judgement() Judgement {
	j := Judgement{Agreed: t.agreed, Uncounted: t.uncounted}
	current := t.current()
	for i, s := range t.stages {
		for k, p := range s.parties {
			progress := approvalv1.PartyProgress{Stage: s.name, Party: p.Name, Needed: int32(needed(p)), Open: "False"} //nolint:gosec // at most 16
			if i == current && t.rejectedBy == "" {
				progress.Open = "True"
			}
			for _, number := range s.seats[k] {
				progress.Agreed = append(progress.Agreed, s.votes[number].person)
			}
			j.Parties = append(j.Parties, progress)
		}
	}
	return j
}
