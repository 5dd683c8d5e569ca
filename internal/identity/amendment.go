// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package identity

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	identityv1 "github.com/fairway-cloud/fairway/api/identity/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/platform/canonical"
)

// AmendmentHolds is how long an Amendment waits: for agreement, and to be begun.
const AmendmentHolds = 72 * time.Hour

// clockSkew is how far the clocks of hub and server may lie apart.
const clockSkew = 5 * time.Second

// Login is one session of a person, as the server remembers it.
type Login struct {
	// Person who logged in.
	Person string
	// From and Until bound the time in which it held. Until zero: it holds.
	From, Until time.Time
}

func (l Login) held(at time.Time) bool {
	return !at.Before(l.From.Add(-clockSkew)) && (l.Until.IsZero() || at.Before(l.Until.Add(clockSkew)))
}

// AmendmentCase is everything that an Amendment is judged by, but for what it changes.
type AmendmentCase struct {
	// Amendment that is judged. Of its status only StartedAt is looked at, which Fairway
	// alone writes: what was begun is finished.
	Amendment *identityv1.Amendment
	// Confirmations that there are; those of others are left aside.
	Confirmations []identityv1.Confirmation
	// People knows who is who.
	People *People
	// Logins by session, for every session that is named.
	Logins map[string]Login
	// Proofs says of an object, by kind and name, why its proof does not hold: that the
	// server made it for whom it names; "" where it does. One that is missing does not.
	Proofs map[string]string
}

// ProofOf is the key of an object's proof.
func ProofOf(kind, name string) string { return kind + "/" + name }

// AmendmentState is what came out of an Amendment.
type AmendmentState string

// The states. Waiting may become each of the others, Agreed may become Refused or
// RunOut; the others are final.
const (
	AmendmentWaiting AmendmentState = identityv1.ReasonWaiting
	AmendmentAgreed  AmendmentState = identityv1.ReasonAgreed
	AmendmentRefused AmendmentState = identityv1.ReasonRefused
	AmendmentRunOut  AmendmentState = identityv1.ReasonRunOut
	AmendmentInvalid AmendmentState = identityv1.ReasonInvalid
)

// AmendmentJudgement is what a case comes to.
type AmendmentJudgement struct {
	State AmendmentState
	// Message says why, in a sentence.
	Message string
	// Digest of what is agreed to.
	Digest string
	// Author and AgreedBy by person id. AgreedBy is empty until somebody's agreement counts.
	Author, AgreedBy string
	// Confirmation that counts, by name.
	Confirmation string
	// Uncounted says of each Confirmation that does not count why.
	Uncounted map[string]string
}

// DigestOfAmendment is what whoever agrees agrees to: all of the spec.
func DigestOfAmendment(a *identityv1.Amendment) string {
	digest, err := canonical.DigestOf(a.Spec)
	if err != nil {
		return "" // the type has nothing that JSON cannot write
	}
	return digest
}

// JudgeAmendment says what an Amendment comes to now. It is asked when it is about to be
// carried out; what a status says about agreement is not looked at.
//
// Two people are needed: the author, a security administrator, and another security
// administrator or the audit administrator. The author is not the one who agrees, under
// no name; and neither is concerned by what is changed.
func JudgeAmendment(c AmendmentCase, now time.Time) AmendmentJudgement {
	a := c.Amendment
	j := AmendmentJudgement{State: AmendmentWaiting, Digest: DigestOfAmendment(a), Uncounted: map[string]string{}}
	made := a.CreationTimestamp.Time
	author, why := c.speaks(ProofOf("Amendment", a.Name), a.Spec.Author, a.Spec.Session, made, now)
	switch {
	case why != "":
	case !c.People.Holds(author, a.Spec.Groups, identityv1.DutySecurity):
		why = fmt.Sprintf("%s is no security administrator", author)
	case c.concerns(author, a.Spec.Groups) != "":
		why = fmt.Sprintf("it is about %s himself (%s): somebody else proposes that", author, c.concerns(author, a.Spec.Groups))
	}
	j.Author = author
	if why != "" {
		j.State, j.Message = AmendmentInvalid, "it cannot be carried out: "+why
		return j
	}
	refusedBy, refusal := c.count(&j, now)
	ends := made.Add(AmendmentHolds)
	begun := a.Status.StartedAt != nil
	switch {
	case refusedBy != "" && !begun:
		j.State, j.Message = AmendmentRefused, fmt.Sprintf("%s refused it: %s", refusedBy, refusal)
	case !now.Before(ends) && !begun:
		j.State, j.Message = AmendmentRunOut, "nobody agreed and had it carried out in time: it ran out at "+ends.UTC().Format(time.RFC3339)
	case j.AgreedBy == "":
		j.Message = "waits for another security administrator or an audit administrator: fairway identity agree " + a.Name
	default:
		j.State, j.Message = AmendmentAgreed, fmt.Sprintf("proposed by %s, agreed to by %s", j.Author, j.AgreedBy)
	}
	return j
}

// count hears every Confirmation in the order of time.
func (c AmendmentCase) count(j *AmendmentJudgement, now time.Time) (refusedBy, refusal string) {
	all := slices.Clone(c.Confirmations)
	slices.SortFunc(all, func(a, b identityv1.Confirmation) int {
		if order := a.CreationTimestamp.Compare(b.CreationTimestamp.Time); order != 0 {
			return order
		}
		return strings.Compare(a.Name, b.Name)
	})
	for _, said := range all {
		if said.Spec.Amendment != c.Amendment.Name {
			continue
		}
		person, why := c.hear(said, j, now)
		switch {
		case why != "":
			j.Uncounted[said.Name] = why
		case said.Spec.Verdict == identityv1.VerdictRefuse:
			refusedBy, refusal = person, said.Spec.Comment
		case j.AgreedBy == "":
			j.AgreedBy, j.Confirmation = person, said.Name
		}
	}
	return refusedBy, refusal
}

// hear says who speaks, or why it does not count.
func (c AmendmentCase) hear(said identityv1.Confirmation, j *AmendmentJudgement, now time.Time) (person, why string) {
	at, made := said.CreationTimestamp.Time, c.Amendment.CreationTimestamp.Time
	switch {
	case said.Spec.UID != string(c.Amendment.UID):
		return "", "it is about another amendment of that name"
	case said.Spec.Digest != j.Digest || j.Digest == "":
		return "", "it names another content"
	case at.Before(made):
		return "", "it is older than the amendment"
	case !at.Before(made.Add(AmendmentHolds)):
		return "", "it came after the amendment had run out"
	}
	person, why = c.speaks(ProofOf("Confirmation", said.Name), said.Spec.Author, said.Spec.Session, at, now)
	if why != "" {
		return "", why
	}
	if said.Spec.Verdict == identityv1.VerdictRefuse && person == j.Author {
		return person, "" // he takes it back
	}
	switch {
	case !c.People.Holds(person, said.Spec.Groups, identityv1.DutySecurity) && !c.People.Holds(person, said.Spec.Groups, identityv1.DutyAudit):
		return "", fmt.Sprintf("%s is neither security administrator nor audit administrator", person)
	case said.Spec.Verdict == identityv1.VerdictRefuse:
		return person, ""
	case c.People.Same(said.Spec.Author, c.Amendment.Spec.Author) || c.People.Same(person, j.Author):
		return "", fmt.Sprintf("%s proposed it himself: another person agrees", person)
	case c.concerns(person, said.Spec.Groups) != "":
		return "", fmt.Sprintf("it is about %s himself (%s)", person, c.concerns(person, said.Spec.Groups))
	}
	return person, ""
}

// speaks says which person said something in a login, or why nobody did.
func (c AmendmentCase) speaks(object, name, session string, at, now time.Time) (person, why string) {
	if flaw, checked := c.Proofs[object]; !checked || flaw != "" {
		return "", cmp.Or(flaw, "nobody could find out whether the server made it for "+name)
	}
	if at.After(now.Add(clockSkew)) {
		return "", "it was made in the future: look at the clocks"
	}
	id, known := c.People.Of(name)
	if !known {
		return "", fmt.Sprintf("nobody knows %q: only a person of the bank changes who is who", name)
	}
	if !c.People.Active(id, now) {
		return "", fmt.Sprintf("%s may not act any more", id)
	}
	login, found := c.Logins[session]
	if session == "" || !found {
		return "", "it was not made in a login of Fairway"
	}
	if behind, _ := c.People.Of(login.Person); behind != id {
		return "", fmt.Sprintf("its login belongs to %s, not to %s", login.Person, name)
	}
	if !login.held(at) {
		return "", "its login did not hold when it was made"
	}
	return id, ""
}

// concerns says by what an Amendment is about a person; "" where it is not.
func (c AmendmentCase) concerns(person string, groups []string) string {
	for _, item := range c.Amendment.Spec.Items {
		for _, content := range contents(item) {
			if what := about(c.People, item, content, person, groups); what != "" {
				return what
			}
		}
	}
	return ""
}

// contents of an item before and after; one that has neither is about its name.
func contents(item identityv1.AmendmentItem) []string {
	out := []string{item.Content}
	if item.Before != nil {
		out = append(out, item.Before.Content)
	}
	return out
}
