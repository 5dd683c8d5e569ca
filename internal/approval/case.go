// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package approval

import (
	"time"

	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
)

// Case is everything that a request is judged by. Nothing of it is read from the
// request's status.
type Case struct {
	// Request that is judged.
	Request *approvalv1.ApprovalRequest
	// Made says whether the server made the request.
	Made Proof
	// Holds is the policy that covers the act now. nil: none does.
	Holds *approvalv1.PolicySnapshot
	// Subject as it is now.
	Subject Subject
	// Decisions of the request's namespace; those of other requests are left aside.
	Decisions []approvalv1.Decision
	// Proofs says of the Decisions, by name, whether the server made them. One that is
	// not there carries none.
	Proofs map[string]Proof
	// Delegations that there are, and their Proofs, by name.
	Delegations      []approvalv1.Delegation
	DelegationProofs map[string]Proof
	// People knows who is who.
	People People
	// Groups holds, by role, the groups that have it in the request's environment now.
	Groups map[tenancyv1.Role][]string
	// Logins by session, for every session that a decision names.
	Logins map[string]Login
	// Spent is how many acts of the policy's budget are used up now.
	Spent int32
	// Window says whether the act may happen now.
	Window Window
}

// Subject is what carries the act out, as it is now.
type Subject struct {
	// Gone says that it was deleted, or stopped or ended before it began. Of one that
	// had begun, what is owed for it stays owed.
	Gone bool
	// UID and Digest of its plan.
	UID, Digest string
	// State is the version of what the plan was made from.
	State string
	// StartedAt is when the act began, StoppedAt when it was last stopped, EndedAt when
	// it was seen to be done. Zero: not.
	StartedAt, StoppedAt, EndedAt time.Time
}

func (s Subject) started() bool { return !s.StartedAt.IsZero() }

// Window says whether an act may happen now, by calendars and freezes.
type Window struct {
	// Open says that it may.
	Open bool
	// Reason says why, and when it may next.
	Reason string
	// Next is when it may next, Until when it may no longer, as far as is known now.
	// Zero: nobody knows, or it is not to be foreseen.
	Next, Until time.Time
}

// State is what came out of a request.
type State string

// The states. Waiting may become each of the others; Approved may become Void,
// Expired or Waiting (by a Withdraw); the others are final.
const (
	Waiting  State = "Waiting"
	Approved State = "Approved"
	Rejected State = "Rejected"
	Void     State = "Void"
	Expired  State = "Expired"
)

// Judgement is what a case comes to, with its reasons.
type Judgement struct {
	State State
	// Reason is one of the request's condition reasons, Message the sentence to it.
	Reason, Message string
	// CompleteAt is when the last decision that was needed was made. Zero: not yet.
	CompleteAt time.Time
	// Parties and Uncounted as the request's status shows them.
	Parties   []approvalv1.PartyProgress
	Uncounted []approvalv1.Uncounted
	// Agreed are the people whose agreement counts, in order.
	Agreed []string
	// May says whether the next step may be taken now, and Why in a sentence.
	May bool
	Why string
	// Refuse says that waiting does not help: the policy refuses acts outside their
	// window.
	Refuse bool
	// Owed is what is still to be done after the act.
	Owed []Owed
}

// Owed is something to be done after an act.
type Owed struct {
	// Verdict that settles it: Verify or Review.
	Verdict approvalv1.VerdictKind
	// Due by when. Zero: the act has not gone far enough to say.
	Due time.Time
	// By is the person who did it. Empty: nobody yet.
	By string
}
