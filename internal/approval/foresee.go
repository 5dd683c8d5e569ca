// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package approval

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
)

// Refusal says why a decision would not count if it were made now; "" where it
// would. Without a proof it is the server that is about to make it; of one with a proof
// the case's Proofs tell, by its name.
func Refusal(c Case, d approvalv1.Decision, now time.Time) string {
	before := Judge(c, now)
	switch before.State {
	case Rejected, Void, Expired:
		return fmt.Sprintf("the request is over: %s", before.Message)
	}
	proven := c.Proofs[d.Name]
	if d.Spec.Proof == "" {
		proven = Proof{Holds: true}
	}
	// Unlike any name that the hub takes: it is told apart from the decisions there are.
	d.Name, d.CreationTimestamp = "\x00foreseen", metav1.NewTime(now)
	if d.Spec.Session == "" && !strings.HasPrefix(d.Spec.Author, OutsideAuthor) {
		return "a decision is made in a login of Fairway: log in and decide there"
	}
	c.Decisions, c.Proofs = append(slices.Clone(c.Decisions), d), withProof(c.Proofs, d.Name, proven)
	for _, u := range Judge(c, now).Uncounted {
		if u.Decision == d.Name {
			return u.Reason
		}
	}
	return ""
}

// verdicts in the order in which they are offered.
var verdicts = []approvalv1.VerdictKind{
	approvalv1.VerdictApprove, approvalv1.VerdictReject, approvalv1.VerdictWithdraw, approvalv1.VerdictOperate,
	approvalv1.VerdictAttend, approvalv1.VerdictVerify, approvalv1.VerdictReview,
}

// May lists what a person in a login with those groups could say now, for himself.
func May(c Case, person string, groups []string, now time.Time) []approvalv1.VerdictKind {
	out := []approvalv1.VerdictKind{}
	const session = "\x00looking" // no login has it: who looks is known
	c.Logins = withLogin(c.Logins, session, person)
	waits := Judge(c, now).State == Waiting
	for _, verdict := range verdicts {
		if verdict == approvalv1.VerdictApprove && !waits || verdict == approvalv1.VerdictWithdraw && !c.Subject.EndedAt.IsZero() {
			continue // nobody is missing, or nothing can be held any more
		}
		if verdict == approvalv1.VerdictWithdraw && !slices.ContainsFunc(c.Decisions, func(d approvalv1.Decision) bool {
			return d.Spec.Verdict == approvalv1.VerdictApprove && c.People.Same(d.Spec.Author, person)
		}) {
			continue
		}
		d := approvalv1.Decision{Spec: approvalv1.DecisionSpec{
			Request: c.Request.Name, Digest: c.Request.Spec.Digest, Verdict: verdict, Author: person, Groups: groups, Session: session,
			Comment: "…", Ticket: "…",
		}}
		if Refusal(c, d, now) == "" && !played(c, verdict, now) {
			out = append(out, verdict)
		}
	}
	return out
}

func withProof(proofs map[string]Proof, name string, proof Proof) map[string]Proof {
	out := maps.Clone(proofs)
	if out == nil {
		out = map[string]Proof{}
	}
	out[name] = proof
	return out
}

func withLogin(logins map[string]Login, session, person string) map[string]Login {
	out := map[string]Login{}
	maps.Copy(out, logins)
	out[session] = Login{Person: person}
	return out
}

// played says whether somebody has played that part already, so that nobody is asked
// to repeat it.
func played(c Case, verdict approvalv1.VerdictKind, now time.Time) bool {
	policy, err := Open(c.Request.Spec.Policy)
	if err != nil {
		return true
	}
	t := count(c, policy, now)
	switch verdict {
	case approvalv1.VerdictOperate:
		return t.operator != ""
	case approvalv1.VerdictAttend:
		return t.attendant != ""
	case approvalv1.VerdictVerify:
		return t.verifier != ""
	case approvalv1.VerdictReview:
		return t.reviewer != ""
	}
	return false
}
