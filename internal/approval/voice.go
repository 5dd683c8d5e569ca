// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package approval

import (
	"fmt"
	"strings"
	"time"

	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
)

// voice is a decision whose author may speak.
type voice struct {
	*approvalv1.Decision
	// people are the author, and the person for whom he stands in.
	people []string
	groups []string
	at     time.Time
}

// person is the one behind a user name. Whoever is not known stays under his name,
// so that a maker whom nobody knows still approves nothing.
func (t *tally) person(name string) string {
	if id, known := t.c.People.Of(name); known {
		return id
	}
	return name
}

// hear says whether the author of a decision may speak at all: he is who he says,
// speaks of this plan, and in time.
func (t *tally) hear(d *approvalv1.Decision, now time.Time) (v voice, why string) {
	at := d.CreationTimestamp.Time
	if proof := t.c.Proofs[d.Name]; proof.Holds && !proof.Said.IsZero() {
		at = proof.Said
	}
	v = voice{Decision: d, at: at}
	made := t.c.Request.CreationTimestamp.Time
	switch {
	case d.Spec.Digest != t.c.Request.Spec.Digest:
		return v, "it speaks of another plan"
	case d.CreationTimestamp.Time.Before(made):
		return v, "it is older than the request"
	case d.CreationTimestamp.After(now.Add(clockSkew)):
		return v, "it was made in the future: look at the clocks"
	}
	if ended := t.c.Subject.EndedAt; d.Spec.Verdict == approvalv1.VerdictWithdraw && !ended.IsZero() && at.After(ended) {
		return v, "the act had ended: a Rollback takes it back"
	}
	if flaw := t.c.Proofs[d.Name].flaw(); flaw != "" {
		return v, flaw
	}
	if system, outside := strings.CutPrefix(d.Spec.Author, OutsideAuthor); outside {
		return t.hearOutside(v, system, now)
	}
	id, known := t.c.People.Of(d.Spec.Author)
	if !known {
		return v, fmt.Sprintf("nobody knows %q: only a person of the bank decides", d.Spec.Author)
	}
	if !t.c.People.Active(id, now) {
		return v, fmt.Sprintf("%s may not act any more", id)
	}
	login, found := t.c.Logins[d.Spec.Session]
	switch {
	case d.Spec.Session == "" || !found:
		return v, "it was not made in a login of Fairway"
	case t.person(login.Person) != id:
		return v, fmt.Sprintf("its login belongs to %s, not to %s", login.Person, d.Spec.Author)
	case !login.held(at):
		return v, "its login did not hold when it was made"
	}
	v.people, v.groups = []string{id}, d.Spec.Groups
	if d.Spec.OnBehalfOf != "" && d.Spec.Verdict != approvalv1.VerdictWithdraw { // his own word anybody may take back
		return t.standIn(v, now)
	}
	return v, ""
}

// OutsideAuthor begins the author of a decision that a system of the bank made, as
// "itsm:<system>". Only Fairway's own account writes such a decision.
const OutsideAuthor = "itsm:"

func (t *tally) hearOutside(v voice, system string, now time.Time) (voice, string) {
	if t.policy.External == nil || t.policy.External.System != system {
		return v, fmt.Sprintf("the policy does not ask system %q", system)
	}
	// Who agreed over there is held to the same rule as who agrees here.
	who, known := t.c.People.Of(v.Spec.OnBehalfOf)
	if !known {
		return v, fmt.Sprintf("system %q does not say which person of the bank agreed there", system)
	}
	if !t.c.People.Active(who, now) {
		return v, fmt.Sprintf("%s, who agreed in system %q, may not act any more", who, system)
	}
	v.people = []string{v.Spec.Author, who}
	return v, ""
}

// standIn checks a delegate: the delegation holds for both people at that time.
func (t *tally) standIn(v voice, now time.Time) (voice, string) {
	if t.policy.Delegation == "Refused" {
		return v, "the policy takes no delegates"
	}
	principal, known := t.c.People.Of(v.Spec.OnBehalfOf)
	if !known || !t.c.People.Active(principal, now) {
		return v, fmt.Sprintf("%q, for whom it was made, may not act", v.Spec.OnBehalfOf)
	}
	unproven := ""
	for _, d := range t.c.Delegations {
		if t.person(d.Spec.Principal) == principal && t.person(d.Spec.Delegate) == v.people[0] && d.DeletionTimestamp.IsZero() &&
			!v.at.Before(d.Spec.From.Time) && v.at.Before(d.Spec.Until.Time) && !v.at.Before(d.CreationTimestamp.Time) {
			if flaw := t.c.DelegationProofs[d.Name].flaw(); flaw != "" {
				unproven = fmt.Sprintf("delegation %q does not count: %s", d.Name, flaw)
				continue
			}
			v.people, v.groups = append(v.people, principal), d.Spec.Groups
			return v, ""
		}
	}
	if unproven != "" {
		return v, unproven
	}
	return v, fmt.Sprintf("no delegation of %s to %s held when it was made", principal, v.people[0])
}

// standing says whether a voice was not taken back: a later Withdraw takes everything
// back that its author agreed to; what he says after it, he says anew.
func standing(voices []voice, v voice) bool {
	after := false
	for _, o := range voices {
		if after && o.people[0] == v.people[0] && o.Spec.Verdict == approvalv1.VerdictWithdraw {
			return false
		}
		after = after || o.Decision == v.Decision
	}
	return true
}
