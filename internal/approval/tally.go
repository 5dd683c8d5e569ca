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
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
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

// stage is how far one stage is.
type stage struct {
	name    string
	parties []party
	// votes of the people who agreed in this stage.
	votes []vote
	// seats holds, per party, the numbers of the votes that fill it.
	seats [][]int
}

// party is one of a stage's. outside says that a system of the bank fills it.
type party struct {
	approvalv1.Party
	outside bool
}

// vote is one person's agreement.
type vote struct {
	person string
	// able says, per party of the stage, whether the person may fill it.
	able []bool
}

// voice is a decision whose author may speak.
type voice struct {
	*approvalv1.Decision
	// people are the author, and the person for whom he stands in.
	people []string
	groups []string
	at     time.Time
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

// stagesOf are the stages that are to be passed: those of the policy, and a party
// for the system of the bank that is asked too. A sole verdict stands for them all.
func stagesOf(policy approvalv1.ApprovalPolicySpec) []stage {
	var out []stage
	sole := policy.External != nil && policy.External.Standing == "Sole"
	for _, s := range policy.Stages {
		if sole {
			break
		}
		made := stage{name: s.Name}
		for _, p := range s.Parties {
			made.parties = append(made.parties, party{Party: p})
		}
		out = append(out, made)
	}
	if policy.External != nil {
		name := policy.External.System
		out = append(out, stage{name: name, parties: []party{{Party: approvalv1.Party{Name: name, Approvers: 1}, outside: true}}})
	}
	for i := range out {
		out[i].seats = make([][]int, len(out[i].parties))
	}
	return out
}

// person is the one behind a user name. Whoever is not known stays under his name,
// so that a maker whom nobody knows still approves nothing.
func (t *tally) person(name string) string {
	if id, known := t.c.People.Of(name); known {
		return id
	}
	return name
}

func (t *tally) leave(d *approvalv1.Decision, format string, args ...any) {
	t.uncounted = append(t.uncounted, approvalv1.Uncounted{Decision: d.Name, Author: d.Spec.Author, Reason: fmt.Sprintf(format, args...)})
}

// hear says whether the author of a decision may speak at all: he is who he says,
// speaks of this plan, and in time.
func (t *tally) hear(d *approvalv1.Decision, now time.Time) (v voice, why string) {
	at := d.CreationTimestamp.Time
	v = voice{Decision: d, at: at}
	made := t.c.Request.CreationTimestamp.Time
	switch {
	case d.Spec.Digest != t.c.Request.Spec.Digest:
		return v, "it speaks of another plan"
	case at.Before(made):
		return v, "it is older than the request"
	case at.After(now.Add(clockSkew)):
		return v, "it was made in the future: look at the clocks"
	}
	if ended := t.c.Subject.EndedAt; d.Spec.Verdict == approvalv1.VerdictWithdraw && !ended.IsZero() && at.After(ended) {
		return v, "the act had ended: a Rollback takes it back"
	}
	if system, outside := strings.CutPrefix(d.Spec.Author, OutsideAuthor); outside {
		return t.hearOutside(v, system)
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

func (t *tally) hearOutside(v voice, system string) (voice, string) {
	if t.policy.External == nil || t.policy.External.System != system {
		return v, fmt.Sprintf("the policy does not ask system %q", system)
	}
	// Who agreed over there is held to the same rule as who agrees here.
	who, known := t.c.People.Of(v.Spec.OnBehalfOf)
	if !known {
		return v, fmt.Sprintf("system %q does not say which person of the bank agreed there", system)
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
	for _, d := range t.c.Delegations {
		if t.person(d.Spec.Principal) == principal && t.person(d.Spec.Delegate) == v.people[0] && d.DeletionTimestamp.IsZero() &&
			!v.at.Before(d.Spec.From.Time) && v.at.Before(d.Spec.Until.Time) && !v.at.Before(d.CreationTimestamp.Time) {
			v.people, v.groups = append(v.people, principal), d.Spec.Groups
			return v, ""
		}
	}
	return v, fmt.Sprintf("no delegation of %s to %s held when it was made", principal, v.people[0])
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
	case !stopped.IsZero() && !v.at.After(stopped):
		t.leave(v.Decision, "the act was stopped after it")
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
// in asking for or making it.
func (t *tally) review(v voice) {
	if t.c.Request.Spec.Ticket == "" && v.Spec.Ticket == "" {
		t.leave(v.Decision, "an emergency change gets its ticket with its review: name it")
		return
	}
	if why := t.conflict(v, approvalv1.PartApprover); why != "" {
		t.leave(v.Decision, "%s", why)
		return
	}
	t.follow(v, t.policy.Review, t.c.Subject.StartedAt, approvalv1.PartVerifier, &t.reviewer)
}

// conflict says why the people behind a voice may not play a part: nobody approves
// what he made or asked for, and the policy's parts are played by different people.
func (t *tally) conflict(v voice, part approvalv1.Part) string {
	for _, p := range v.people {
		requester := t.c.People.Same(t.c.Request.Spec.Requester, p)
		switch {
		case part == approvalv1.PartApprover && requester:
			return fmt.Sprintf("%s asked for it and cannot approve it", p)
		case part == approvalv1.PartApprover && t.made(p):
			return fmt.Sprintf("%s is a maker of it and cannot approve it", p)
		}
		for _, other := range t.parts(p, requester) {
			if other != part && t.distinct(part, other) {
				return fmt.Sprintf("%s has the part of %s already, and the policy wants another person as %s", p, other, part)
			}
		}
	}
	return ""
}

// made says whether a person is a maker, under whatever name he wrote.
func (t *tally) made(p string) bool {
	return slices.ContainsFunc(t.c.Request.Spec.Makers, func(maker string) bool { return t.c.People.Same(maker, p) })
}

// parts are the parts that a person plays already.
func (t *tally) parts(p string, requester bool) []approvalv1.Part {
	var out []approvalv1.Part
	add := func(is bool, part approvalv1.Part) {
		if is {
			out = append(out, part)
		}
	}
	add(requester, approvalv1.PartRequester)
	add(t.made(p), approvalv1.PartMaker)
	add(slices.Contains(t.agreed, p), approvalv1.PartApprover)
	add(t.operator == p, approvalv1.PartOperator)
	add(t.attendant == p, approvalv1.PartAttendant)
	add(t.verifier == p, approvalv1.PartVerifier)
	return out
}

func (t *tally) distinct(a, b approvalv1.Part) bool {
	return slices.Contains(t.policy.Distinct, a) && slices.Contains(t.policy.Distinct, b)
}

// fills says whether somebody may sit for a party: the asked system for its own, and
// people for theirs.
func (t *tally) fills(v voice, p party) bool {
	outside := strings.HasPrefix(v.people[0], OutsideAuthor)
	if p.outside || outside {
		return p.outside && outside
	}
	return t.entitled(v, p.Roles, p.Groups) || t.escalated(v)
}

// entitled says whether the person has one of the roles now, or one of the groups.
func (t *tally) entitled(v voice, roles []tenancyv1.Role, groups []string) bool {
	for _, g := range v.groups {
		if slices.Contains(groups, g) {
			return true
		}
		for _, r := range roles {
			if slices.Contains(t.c.Groups[r], g) {
				return true
			}
		}
	}
	return false
}

// escalated says whether somebody may decide since nobody else did in time.
func (t *tally) escalated(v voice) bool {
	e := t.policy.Escalation
	return e != nil && v.at.After(t.c.Request.CreationTimestamp.Add(e.After.Duration)) && t.entitled(v, nil, e.Groups)
}

// full says whether each party has as many people as it needs.
func (s *stage) full() bool {
	for i, p := range s.parties {
		if len(s.seats[i]) < needed(p) {
			return false
		}
	}
	return true
}

func needed(p party) int { return max(int(p.Approvers), 1) }

// seat finds a place for a vote. Whoever sits elsewhere moves where he may, so that
// no order of decisions keeps a stage from being full (augmenting paths).
func (s *stage) seat(v vote) bool {
	s.votes = append(s.votes, v)
	if s.place(len(s.votes)-1, make([]bool, len(s.parties))) {
		return true
	}
	s.votes = s.votes[:len(s.votes)-1]
	return false
}

func (s *stage) place(number int, tried []bool) bool {
	for i, p := range s.parties {
		if tried[i] || !s.votes[number].able[i] {
			continue
		}
		tried[i] = true
		if len(s.seats[i]) < needed(p) {
			s.seats[i] = append(s.seats[i], number)
			return true
		}
		for k, sitting := range s.seats[i] {
			if s.place(sitting, tried) {
				s.seats[i][k] = number
				return true
			}
		}
	}
	return false
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
