// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package approval_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/approval"
)

var noon = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

// people of the bank: their other names, and who has left.
type people struct {
	alias map[string]string
	left  map[string]bool
}

func (p people) Of(name string) (string, bool) {
	id, known := p.alias[name]
	return id, known
}
func (p people) Same(a, b string) bool {
	if id, known := p.alias[a]; known {
		a = id
	}
	if id, known := p.alias[b]; known {
		b = id
	}
	return a == b
}
func (p people) Active(id string, _ time.Time) bool { return !p.left[id] }

// bank is a request of the operator for a change that the developer made; business
// and technology agree jointly.
func bank() *approval.Case {
	policy := approvalv1.ApprovalPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "production"},
		Spec: approvalv1.ApprovalPolicySpec{
			Stages: []approvalv1.Stage{{Name: "joint", Parties: []approvalv1.Party{
				{Name: "business", Roles: []tenancyv1.Role{"BusinessApprover"}, Approvers: 1},
				{Name: "technology", Groups: []string{"architects"}, Approvers: 1},
			}}},
			ValidFor: metav1.Duration{Duration: 24 * time.Hour},
		},
	}
	c := &approval.Case{
		Subject: approval.Subject{UID: "u1", Digest: "sha256:plan", State: "Application mobile-bank, generation 7"},
		People: people{left: map[string]bool{}, alias: map[string]string{
			"dev": "dev", "ops": "ops", "biz": "biz", "tech": "tech", "tech2": "tech2", "both": "both", "robot-of-dev": "dev", "kubernetes-admin": "dev",
		}},
		Groups: map[tenancyv1.Role][]string{"BusinessApprover": {"retail-business"}, "Verifier": {"verifiers"}},
		Logins: map[string]approval.Login{},
		Made:   approval.Proof{Holds: true},
		Proofs: map[string]approval.Proof{}, DelegationProofs: map[string]approval.Proof{},
		Window: approval.Window{Open: true},
		Request: &approvalv1.ApprovalRequest{
			ObjectMeta: metav1.ObjectMeta{Name: "r1", CreationTimestamp: metav1.NewTime(noon)},
			Spec: approvalv1.ApprovalRequestSpec{
				Act: "release.Deploy", Subject: approvalv1.Subject{Kind: "Release", Name: "mobile-bank-x", UID: "u1"}, Digest: "sha256:plan",
				State: "Application mobile-bank, generation 7", Number: 1, Requester: "ops", Makers: []string{"dev"},
				Scope:       approvalv1.Scope{Tenant: "retail", Environment: "prod", EnvironmentClass: tenancyv1.ClassProduction},
				ChangeClass: releasev1.ChangeNormal, Risk: releasev1.RiskMedium, Reason: "account 2.1", Ticket: "CHG-1",
				Attachments: []releasev1.Attachment{{Kind: releasev1.AttachTestReport, Reference: "t"}, {Kind: releasev1.AttachBackOutPlan, Reference: "b"}},
				DecideBy:    metav1.NewTime(noon.Add(72 * time.Hour)),
			},
		},
	}
	return under(c, policy)
}

// under puts a case under a policy, as it would be frozen now.
func under(c *approval.Case, policy approvalv1.ApprovalPolicy) *approval.Case {
	snapshot, err := approval.Snapshot(&policy, approval.FactsOf(c.Request))
	if err != nil {
		panic(err)
	}
	c.Request.Spec.Policy, c.Holds = snapshot, &snapshot
	return c
}

// policyOf is the policy of a case, to be changed and put back with under.
func policyOf(c *approval.Case) approvalv1.ApprovalPolicy {
	spec, err := approval.Open(c.Request.Spec.Policy)
	if err != nil {
		panic(err)
	}
	return approvalv1.ApprovalPolicy{ObjectMeta: metav1.ObjectMeta{Name: c.Request.Spec.Policy.Name}, Spec: spec}
}

var groupsOf = map[string][]string{
	"biz": {"retail-business"}, "tech": {"architects"}, "tech2": {"architects"}, "both": {"retail-business", "architects"},
	"dev": {"architects", "retail-business"}, "ops": {"architects", "retail-business", "verifiers"}, "robot-of-dev": {"architects"},
}

// says adds a decision, made that many minutes after noon in a login of its author.
func says(c *approval.Case, author string, verdict approvalv1.VerdictKind, minute int, change ...func(*approvalv1.DecisionSpec)) {
	session := "s-" + author
	person := author
	if id, ok := c.People.Of(author); ok {
		person = id
	}
	c.Logins[session] = approval.Login{Person: person, From: noon.Add(-time.Hour)}
	d := approvalv1.Decision{
		ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("d%03d", len(c.Decisions)), CreationTimestamp: metav1.NewTime(noon.Add(time.Duration(minute) * time.Minute))},
		Spec: approvalv1.DecisionSpec{
			Request: "r1", Digest: c.Request.Spec.Digest, Verdict: verdict, Author: author, Groups: groupsOf[author], Session: session, Comment: "because",
		},
	}
	for _, f := range change {
		f(&d.Spec)
	}
	c.Decisions = append(c.Decisions, d)
	c.Proofs[d.Name] = approval.Proof{Holds: true}
}

const (
	yes  = approvalv1.VerdictApprove
	no   = approvalv1.VerdictReject
	back = approvalv1.VerdictWithdraw
)

func TestJudge(t *testing.T) {
	tests := map[string]struct {
		reason string
		when   func(*approval.Case)
		after  time.Duration
		state  approval.State
		why    string // of the judgement's reason
		may    bool
		says   string // in the message, the reason why not, or what does not count
	}{
		"Nobody":      {"nobody has decided yet", func(*approval.Case) {}, 0, approval.Waiting, "Waiting", false, "1 of party business and 1 of party technology"},
		"Both":        {"business and technology agreed", func(c *approval.Case) { says(c, "biz", yes, 1); says(c, "tech", yes, 2) }, 0, approval.Approved, "Approved", true, "biz, tech"},
		"OneOnly":     {"two of one party are not both parties", func(c *approval.Case) { says(c, "tech", yes, 1); says(c, "tech2", yes, 2) }, 0, approval.Waiting, "Waiting", false, "had agreed already"},
		"Seats":       {"whoever could sit for both makes room for whoever could not", func(c *approval.Case) { says(c, "both", yes, 1); says(c, "biz", yes, 2) }, 0, approval.Approved, "Approved", true, "both, biz"},
		"OneForTwo":   {"one person does not sit for two parties", func(c *approval.Case) { says(c, "both", yes, 1); says(c, "both", yes, 2) }, 0, approval.Waiting, "Waiting", false, "1 of party"},
		"Maker":       {"the developer is a maker", func(c *approval.Case) { says(c, "dev", yes, 1); says(c, "biz", yes, 2) }, 0, approval.Waiting, "Waiting", false, "dev is a maker of it"},
		"MakersRobot": {"a machine account is its owner", func(c *approval.Case) { says(c, "robot-of-dev", yes, 1); says(c, "biz", yes, 2) }, 0, approval.Waiting, "Waiting", false, "dev is a maker of it"},
		"RawMaker":    {"a maker's alias on the hub is the person", func(c *approval.Case) { c.Request.Spec.Makers = []string{"kubernetes-admin"}; says(c, "dev", yes, 1) }, 0, approval.Waiting, "Waiting", false, "dev is a maker of it"},
		"Requester":   {"nobody approves what he asked for", func(c *approval.Case) { says(c, "ops", yes, 1); says(c, "biz", yes, 2) }, 0, approval.Waiting, "Waiting", false, "ops asked for it"},
		"Stranger":    {"a cluster administrator is nobody of the bank", func(c *approval.Case) { says(c, "system:admin", yes, 1) }, 0, approval.Waiting, "Waiting", false, `nobody knows "system:admin"`},
		"NoGroups":    {"a person outside the party", func(c *approval.Case) { says(c, "tech", yes, 1, func(d *approvalv1.DecisionSpec) { d.Groups = nil }) }, 0, approval.Waiting, "Waiting", false, "belongs to no party"},
		"NoLogin":     {"a decision past the server is no decision", func(c *approval.Case) { says(c, "tech", yes, 1, func(d *approvalv1.DecisionSpec) { d.Session = "" }) }, 0, approval.Waiting, "Waiting", false, "not made in a login"},
		"OthersLogin": {"a login of somebody else", func(c *approval.Case) {
			says(c, "biz", no, -60)
			says(c, "tech", yes, 1, func(d *approvalv1.DecisionSpec) { d.Session = "s-biz" })
		}, 0, approval.Waiting, "Waiting", false, "its login belongs to biz"},
		"LoggedOut": {"the login had been revoked", func(c *approval.Case) {
			says(c, "tech", yes, 1)
			c.Logins["s-tech"] = approval.Login{Person: "tech", From: noon.Add(-time.Hour), Until: noon}
		}, 0, approval.Waiting, "Waiting", false, "did not hold"},
		"Left": {"whoever has left does not count any more", func(c *approval.Case) {
			says(c, "biz", yes, 1)
			says(c, "tech", yes, 2)
			c.People.(people).left["biz"] = true
		}, 0, approval.Waiting, "Waiting", false, "may not act any more"},
		"RoleTaken": {"a role that was taken away", func(c *approval.Case) {
			says(c, "biz", yes, 1)
			says(c, "tech", yes, 2)
			c.Groups["BusinessApprover"] = nil
		}, 0, approval.Waiting, "Waiting", false, "belongs to no party"},
		"OtherPlan": {"a decision on another digest", func(c *approval.Case) {
			says(c, "tech", yes, 1, func(d *approvalv1.DecisionSpec) { d.Digest = "sha256:other" })
		}, 0, approval.Waiting, "Waiting", false, "another plan"},
		"TooEarly":      {"a decision that was there before the request", func(c *approval.Case) { says(c, "tech", yes, -1) }, 0, approval.Waiting, "Waiting", false, "older than the request"},
		"Future":        {"a decision from a clock that runs ahead", func(c *approval.Case) { says(c, "tech", yes, 120) }, 0, approval.Waiting, "Waiting", false, "in the future"},
		"Rejected":      {"one no of somebody entitled ends it", func(c *approval.Case) { says(c, "biz", yes, 1); says(c, "tech", yes, 2); says(c, "tech2", no, 3) }, 0, approval.Rejected, "Rejected", false, "tech2 rejected it: because"},
		"RejectOwn":     {"who agreed may still refuse", func(c *approval.Case) { says(c, "biz", yes, 1); says(c, "biz", no, 2) }, 0, approval.Rejected, "Rejected", false, "biz rejected"},
		"RejectByMaker": {"a maker's no is no decision", func(c *approval.Case) { says(c, "dev", no, 1) }, 0, approval.Waiting, "Waiting", false, "dev is a maker"},
		"WithdrawnAtOnce": {"taken back within the second of the hub's stamp, under a name that comes first", func(c *approval.Case) {
			says(c, "biz", yes, 1)
			says(c, "tech", back, 2)
			says(c, "tech", yes, 2)
		}, 0, approval.Waiting, "Waiting", false, "took it back"},
		"SaidTwice": {"who says it once more makes it hold no longer", func(c *approval.Case) {
			says(c, "biz", yes, 1)
			says(c, "tech", yes, 2)
			says(c, "biz", yes, 60)
		}, 24*time.Hour + 30*time.Minute, approval.Expired, "Expired", false, "had agreed already"},
		"TwoPrincipals": {"who stands in for two keeps the word for the first, and is one person", func(c *approval.Case) {
			says(c, "both", yes, 1, func(d *approvalv1.DecisionSpec) { d.OnBehalfOf = "biz" })
			says(c, "both", yes, 2, func(d *approvalv1.DecisionSpec) { d.OnBehalfOf = "tech" })
			delegates(c, delegation("biz", "both", 0, 10), delegation("tech", "both", 0, 10))
		}, 0, approval.Waiting, "Waiting", false, "both has agreed already"},
		"Withdrawn": {"an agreement taken back", func(c *approval.Case) { says(c, "biz", yes, 1); says(c, "tech", yes, 2); says(c, "tech", back, 3) }, 0, approval.Waiting, "Waiting", false, "took it back"},
		"GivenAnew": {"and given again", func(c *approval.Case) {
			says(c, "biz", yes, 1)
			says(c, "tech", yes, 2)
			says(c, "tech", back, 3)
			says(c, "tech", yes, 4)
		}, 0, approval.Approved, "Approved", true, "biz, tech"},
		"PlanChanged": {"the plan is another one", func(c *approval.Case) {
			says(c, "biz", yes, 1)
			says(c, "tech", yes, 2)
			c.Subject.Digest = "sha256:new"
		}, 0, approval.Void, "PlanChanged", false, "another one"},
		"Edited": {"the application was edited meanwhile", func(c *approval.Case) {
			says(c, "biz", yes, 1)
			says(c, "tech", yes, 2)
			c.Subject.State = "Application mobile-bank, generation 8"
		}, 0, approval.Void, "SubjectChanged", false, "generation 8"},
		"EditedAfter": {"an edit after the start changes nothing of the plan", func(c *approval.Case) {
			says(c, "biz", yes, 1)
			says(c, "tech", yes, 2)
			c.Subject.State, c.Subject.StartedAt = "Application mobile-bank, generation 8", noon.Add(5*time.Minute)
		}, 0, approval.Approved, "Approved", true, ""},
		"SameName":   {"another Release of the same name", func(c *approval.Case) { c.Subject.UID = "u2" }, 0, approval.Void, "SubjectGone", false, "not transferable"},
		"Gone":       {"the Release was stopped before it began", func(c *approval.Case) { c.Subject.Gone = true }, 0, approval.Void, "SubjectGone", false, "stopped"},
		"PolicyGone": {"no policy any more", func(c *approval.Case) { c.Holds = nil }, 0, approval.Void, "PolicyChanged", false, "no approval policy"},
		"PolicyEdited": {"the policy is another one now", func(c *approval.Case) {
			says(c, "biz", yes, 1)
			says(c, "tech", yes, 2)
			h := *c.Holds
			h.Digest = "sha256:x"
			c.Holds = &h
		}, 0, approval.Void, "PolicyChanged", false, "holds now"},
		"PolicyForged": {"a frozen policy that was altered", func(c *approval.Case) { c.Request.Spec.Policy.Content = "{}" }, 0, approval.Void, "PolicyChanged", false, "altered"},
		"Undecided":    {"nobody decided in time", func(c *approval.Case) { says(c, "biz", yes, 1) }, 73 * time.Hour, approval.Expired, "Expired", false, "nobody completed it"},
		"Unused":       {"an approval that was not used in time", func(c *approval.Case) { says(c, "biz", yes, 1); says(c, "tech", yes, 2) }, 25 * time.Hour, approval.Expired, "Expired", false, "not used in time"},
		"LongRun": {"once begun it does not run out", func(c *approval.Case) {
			says(c, "biz", yes, 1)
			says(c, "tech", yes, 2)
			c.Subject.StartedAt = noon.Add(3 * time.Minute)
		}, 100 * time.Hour, approval.Approved, "Approved", true, ""},
		"HeldMidway": {"an agreement taken back holds the next step", func(c *approval.Case) {
			says(c, "biz", yes, 1)
			says(c, "tech", yes, 2)
			c.Subject.StartedAt = noon.Add(3 * time.Minute)
			says(c, "tech", back, 4)
		}, 0, approval.Waiting, "Waiting", false, "technology"},
		"NoTicket": {"production needs a ticket", func(c *approval.Case) { c.Request.Spec.Ticket = ""; says(c, "biz", yes, 1); says(c, "tech", yes, 2) }, 0, approval.Waiting, "Incomplete", false, "a ticket"},
		"NoPapers": {"a major change needs its papers", func(c *approval.Case) { c.Request.Spec.ChangeClass = releasev1.ChangeMajor; under(c, policyOf(c)) }, 0, approval.Waiting, "Incomplete", false, "attachment EmergencyPlan"},
		"Closed": {"approved, outside the window", func(c *approval.Case) {
			says(c, "biz", yes, 1)
			says(c, "tech", yes, 2)
			c.Window = approval.Window{Reason: "closed until 22:00"}
		}, 0, approval.Approved, "Approved", false, "closed until 22:00"},
		"NoStages": {"a policy with no stages is never complete", func(c *approval.Case) { p := policyOf(c); p.Spec.Stages = nil; under(c, p) }, 0, approval.Waiting, "Waiting", false, "names no stages"},
		"Delegated": {"a delegate stands in", func(c *approval.Case) {
			says(c, "biz", yes, 1)
			says(c, "ops2", yes, 2)
			c.People.(people).alias["ops2"] = "ops2"
			c.Logins["s-ops2"] = approval.Login{Person: "ops2", From: noon.Add(-time.Hour)}
			c.Decisions[1].Spec.OnBehalfOf = "tech"
			delegates(c, delegation("tech", "ops2", 0, 10))
		}, 0, approval.Approved, "Approved", true, "tech"},
		"DelegationOver": {"a delegation that had ended", func(c *approval.Case) {
			says(c, "both", yes, 20, func(d *approvalv1.DecisionSpec) { d.OnBehalfOf = "tech" })
			delegates(c, delegation("tech", "both", 0, 10))
		}, 0, approval.Waiting, "Waiting", false, "no delegation"},
		"Unproven": {"a decision past the server, in the name and login of somebody who may", func(c *approval.Case) {
			says(c, "biz", yes, 1)
			says(c, "tech", yes, 2)
			delete(c.Proofs, c.Decisions[1].Name)
		}, 0, approval.Waiting, "Waiting", false, "carries no proof of the server"},
		"ForgedRequest": {"a request that the server did not make, without its makers", func(c *approval.Case) {
			c.Made, c.Request.Spec.Makers = approval.Proof{Why: "its proof is for something else"}, nil
			says(c, "biz", yes, 1)
			says(c, "dev", yes, 2)
		}, 0, approval.Void, "Unproven", false, "Fairway did not ask for this"},
		"Forged": {"a decision with a proof that is for something else", func(c *approval.Case) {
			says(c, "biz", yes, 1)
			says(c, "tech", yes, 2)
			c.Proofs[c.Decisions[1].Name] = approval.Proof{Why: "its proof is for something else"}
		}, 0, approval.Waiting, "Waiting", false, "its proof is for something else"},
		"ForgedWithdraw": {"nobody takes back in another's name either", func(c *approval.Case) {
			says(c, "biz", yes, 1)
			says(c, "tech", yes, 2)
			says(c, "tech", back, 3)
			delete(c.Proofs, c.Decisions[2].Name)
		}, 0, approval.Approved, "Approved", true, "carries no proof of the server"},
		"ForgedDelegation": {"a delegation that the principal did not make", func(c *approval.Case) {
			says(c, "biz", yes, 1)
			says(c, "both", yes, 2, func(d *approvalv1.DecisionSpec) { d.OnBehalfOf = "tech" })
			delegates(c, delegation("tech", "both", 0, 10))
			delete(c.DelegationProofs, c.Delegations[0].Name)
		}, 0, approval.Waiting, "Waiting", false, `delegation "tech-both" does not count`},
		"DelegatedMaker": {"a maker does not approve for somebody else either", func(c *approval.Case) {
			says(c, "dev", yes, 1, func(d *approvalv1.DecisionSpec) { d.OnBehalfOf = "tech" })
			delegates(c, delegation("tech", "dev", 0, 10))
		}, 0, approval.Waiting, "Waiting", false, "dev is a maker"},
		"OneHumanTwice": {"a person and his delegate are one agreement", func(c *approval.Case) {
			says(c, "tech2", yes, 1, func(d *approvalv1.DecisionSpec) { d.OnBehalfOf = "both" })
			says(c, "both", yes, 2)
			delegates(c, delegation("both", "tech2", 0, 10))
		}, 0, approval.Waiting, "Waiting", false, "both has agreed already"},
		"ForMaker": {"nobody approves in place of a maker", func(c *approval.Case) {
			says(c, "tech", yes, 1, func(d *approvalv1.DecisionSpec) { d.OnBehalfOf = "dev" })
			delegates(c, delegation("dev", "tech", 0, 10))
		}, 0, approval.Waiting, "Waiting", false, "dev is a maker"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := bank()
			test.when(c)
			now := noon.Add(30 * time.Minute)
			if test.after > 0 {
				now = noon.Add(test.after)
			}
			j := approval.Judge(*c, now)
			text := j.Message + "\n" + j.Why
			for _, u := range j.Uncounted {
				text += "\n" + u.Reason
			}
			if j.State != test.state || j.Reason != test.why || j.May != test.may || !strings.Contains(text, test.says) {
				t.Errorf("%s: got %s %s may=%v\n%s\nwant %s %s may=%v with %q", test.reason, j.State, j.Reason, j.May, text, test.state, test.why, test.may, test.says)
			}
		})
	}
}

// delegates adds delegations that the server made.
func delegates(c *approval.Case, made ...approvalv1.Delegation) {
	for _, d := range made {
		c.Delegations = append(c.Delegations, d)
		c.DelegationProofs[d.Name] = approval.Proof{Holds: true}
	}
}

func delegation(principal, delegate string, from, until int) approvalv1.Delegation {
	return approvalv1.Delegation{
		ObjectMeta: metav1.ObjectMeta{Name: principal + "-" + delegate, CreationTimestamp: metav1.NewTime(noon.Add(-time.Hour))},
		Spec: approvalv1.DelegationSpec{
			Principal: principal, Delegate: delegate, From: metav1.NewTime(noon.Add(time.Duration(from) * time.Minute)),
			Until: metav1.NewTime(noon.Add(time.Duration(until) * time.Minute)), Groups: groupsOf[principal],
		},
	}
}

func TestStagesComeInTheirOrder(t *testing.T) {
	c := bank()
	p := policyOf(c)
	p.Spec.Stages = []approvalv1.Stage{
		{Name: "first", Parties: []approvalv1.Party{{Name: "technology", Groups: []string{"architects"}, Approvers: 2}}},
		{Name: "second", Parties: []approvalv1.Party{{Name: "business", Roles: []tenancyv1.Role{"BusinessApprover"}}}},
	}
	under(c, p)
	says(c, "biz", yes, 1) // too early: the first stage lacks people
	says(c, "tech", yes, 2)
	says(c, "tech2", yes, 3)
	j := approval.Judge(*c, noon.Add(time.Hour))
	if j.State != approval.Waiting || !strings.Contains(j.Message, "business") || len(j.Uncounted) != 1 {
		t.Fatalf("%+v", j)
	}
	if j.Parties[0].Open != "False" || j.Parties[1].Open != "True" || len(j.Parties[0].Agreed) != 2 {
		t.Errorf("%+v", j.Parties)
	}
	says(c, "biz", back, 4)
	says(c, "biz", yes, 5)
	if j = approval.Judge(*c, noon.Add(time.Hour)); j.State != approval.Approved || !j.CompleteAt.Equal(noon.Add(5*time.Minute)) {
		t.Errorf("%+v", j)
	}
}

func TestPartsArePlayedByDifferentPeople(t *testing.T) {
	c := bank()
	p := policyOf(c)
	p.Spec.Operation = &approvalv1.Crew{Groups: []string{"architects"}}
	p.Spec.Attendance = &approvalv1.Crew{Groups: []string{"architects"}}
	p.Spec.Verification = &approvalv1.Followup{Roles: []tenancyv1.Role{"Verifier"}, Within: metav1.Duration{Duration: time.Hour}}
	p.Spec.Distinct = []approvalv1.Part{approvalv1.PartRequester, approvalv1.PartApprover, approvalv1.PartOperator, approvalv1.PartAttendant, approvalv1.PartVerifier}
	under(c, p)
	now := noon.Add(time.Hour)
	says(c, "biz", yes, 1)
	says(c, "tech", yes, 2)
	says(c, "tech", approvalv1.VerdictOperate, 3) // approved it
	says(c, "ops", approvalv1.VerdictOperate, 3)  // asked for it
	if j := approval.Judge(*c, now); j.May || len(j.Uncounted) != 2 || !strings.Contains(j.Why, "operates it") {
		t.Fatalf("%+v", j)
	}
	says(c, "tech2", approvalv1.VerdictOperate, 4)
	says(c, "tech2", approvalv1.VerdictAttend, 4) // operates it
	if j := approval.Judge(*c, now); j.May || !strings.Contains(j.Why, "on line") {
		t.Fatalf("%+v", j)
	}
	says(c, "both", approvalv1.VerdictAttend, 5)
	if j := approval.Judge(*c, now); !j.May {
		t.Fatalf("%+v", j)
	}
	// After a stop somebody starts it anew, and somebody is present anew.
	c.Subject.StartedAt, c.Subject.StoppedAt = noon.Add(6*time.Minute), noon.Add(10*time.Minute)
	if j := approval.Judge(*c, now); j.May {
		t.Fatalf("a stop ends the part of operator and attendant: %+v", j)
	}
	says(c, "tech2", approvalv1.VerdictOperate, 11)
	says(c, "both", approvalv1.VerdictAttend, 11)
	j := approval.Judge(*c, now)
	if !j.May || len(j.Owed) != 1 || j.Owed[0].By != "" || !j.Owed[0].Due.IsZero() {
		t.Fatalf("%+v", j)
	}
	c.Subject.EndedAt = noon.Add(20 * time.Minute)
	says(c, "ops", approvalv1.VerdictVerify, 21) // asked for it
	if j = approval.Judge(*c, now); j.Owed[0].By != "" || !j.Owed[0].Due.Equal(noon.Add(80*time.Minute)) {
		t.Fatalf("%+v", j)
	}
	c.People.(people).alias["ver"] = "ver"
	says(c, "ver", approvalv1.VerdictVerify, 22, func(d *approvalv1.DecisionSpec) { d.Groups = []string{"verifiers"} })
	if j = approval.Judge(*c, now); j.Owed[0].By != "ver" {
		t.Fatalf("%+v", j)
	}
}

func TestAPolicyAgreesByItselfWithinItsBudget(t *testing.T) {
	c := bank()
	p := approvalv1.ApprovalPolicy{ObjectMeta: metav1.ObjectMeta{Name: "restarts"}}
	p.Spec.Automatic = &approvalv1.Automatic{When: "act.changeClass == 'Standard' && act.instances <= 2"}
	c.Request.Spec.ChangeClass, c.Request.Spec.BlastRadius.Instances = releasev1.ChangeStandard, 2
	if under(c, p); c.Request.Spec.Policy.Standing != approvalv1.StandingPeople {
		t.Fatal("in production nothing is agreed to by itself without a budget")
	}
	p.Spec.Automatic.Budget = &approvalv1.Budget{Acts: 3, Within: metav1.Duration{Duration: time.Hour}}
	under(c, p)
	now := noon.Add(time.Minute)
	if j := approval.Judge(*c, now); !j.May || j.Reason != approvalv1.ReasonAutomatic {
		t.Fatalf("%+v", j)
	}
	c.Spent = 3
	if j := approval.Judge(*c, now); j.May || j.Reason != approvalv1.ReasonBudgetSpent {
		t.Fatalf("%+v", j)
	}
	c.Subject.StartedAt = now // its own start is among what was spent
	if j := approval.Judge(*c, now); !j.May {
		t.Fatalf("%+v", j)
	}
	c.Request.Spec.BlastRadius.Instances = 3
	if under(c, p); c.Request.Spec.Policy.Standing != approvalv1.StandingPeople {
		t.Error("a larger restart is not covered by the condition")
	}
}

func TestAnOutsideVerdictIsHeldToTheSameRules(t *testing.T) {
	c := bank()
	p := policyOf(c)
	p.Spec.Stages, p.Spec.External = nil, &approvalv1.External{System: "itsm", Standing: "Sole"}
	under(c, p)
	outside := func(actor string) func(*approvalv1.DecisionSpec) {
		return func(d *approvalv1.DecisionSpec) { d.Session, d.Groups, d.OnBehalfOf = "", nil, actor }
	}
	now := noon.Add(time.Hour)
	says(c, "both", yes, 1) // a person is not the system
	says(c, "itsm:itsm", yes, 2, outside("dev"))
	says(c, "itsm:itsm", yes, 3, outside("somebody"))
	says(c, "itsm:other", yes, 4, outside("tech"))
	if j := approval.Judge(*c, now); j.May || len(j.Uncounted) != 4 {
		t.Fatalf("%+v", j)
	}
	c.People.(people).left["tech2"] = true
	says(c, "itsm:itsm", yes, 4, outside("tech2"))
	if j := approval.Judge(*c, now); j.May || !strings.Contains(fmt.Sprint(j.Uncounted), "tech2, who agreed in system \"itsm\", may not act any more") {
		t.Fatalf("who has left agrees nowhere: %+v", j)
	}
	says(c, "itsm:itsm", yes, 5, outside("tech"))
	if j := approval.Judge(*c, now); !j.May {
		t.Fatalf("%+v", j)
	}
	says(c, "itsm:itsm", no, 6, outside("tech"))
	if j := approval.Judge(*c, now); j.State != approval.Rejected {
		t.Fatalf("%+v", j)
	}
}

func TestAnEmergencyIsReviewedAfterwards(t *testing.T) {
	c := bank()
	c.Request.Spec.ChangeClass, c.Request.Spec.Ticket, c.Request.Spec.Attachments = releasev1.ChangeEmergency, "", nil
	p := policyOf(c)
	p.Spec.Review = &approvalv1.Followup{Groups: []string{"architects"}}
	under(c, p)
	says(c, "biz", yes, 1)
	says(c, "tech", yes, 2)
	now := noon.Add(time.Hour)
	j := approval.Judge(*c, now)
	if !j.May {
		t.Fatalf("two people suffice, the ticket follows: %+v", j)
	}
	c.Subject.StartedAt = noon.Add(5 * time.Minute)
	says(c, "tech2", approvalv1.VerdictReview, 20) // without a ticket
	says(c, "dev", approvalv1.VerdictReview, 21, func(d *approvalv1.DecisionSpec) { d.Ticket = "CHG-9" })
	if j = approval.Judge(*c, now); j.Owed[0].By != "" || !j.Owed[0].Due.Equal(noon.Add(24*time.Hour+5*time.Minute)) {
		t.Fatalf("%+v", j.Owed)
	}
	// One of the two who agreed is no third, also where the policy lists no distinct parts.
	says(c, "tech", approvalv1.VerdictReview, 21, func(d *approvalv1.DecisionSpec) { d.Ticket = "CHG-9" })
	if j = approval.Judge(*c, now); j.Owed[0].By != "" || !strings.Contains(fmt.Sprint(j.Uncounted), "tech agreed to it and cannot review it") {
		t.Fatalf("%+v %+v", j.Owed, j.Uncounted)
	}
	says(c, "tech2", approvalv1.VerdictReview, 22, func(d *approvalv1.DecisionSpec) { d.Ticket = "CHG-9" })
	if j = approval.Judge(*c, now); j.Owed[0].By != "tech2" {
		t.Fatalf("%+v %+v", j.Owed, j.Uncounted)
	}
}

// An emergency brings no papers beforehand; where nobody reviews it afterwards, it
// would bring none at all.
func TestAnEmergencyWithoutAReviewIsNone(t *testing.T) {
	c := bank()
	c.Request.Spec.ChangeClass, c.Request.Spec.Ticket, c.Request.Spec.Attachments = releasev1.ChangeEmergency, "", nil
	under(c, policyOf(c))
	says(c, "biz", yes, 1)
	says(c, "tech", yes, 2)
	if j := approval.Judge(*c, noon.Add(time.Hour)); j.May || j.Reason != approvalv1.ReasonIncomplete || !strings.Contains(j.Message, "who reviews an emergency afterwards") {
		t.Errorf("%+v", j)
	}
}

// Who cleared a Release away that had begun has not cleared away what is owed for it;
// nothing else comes of it.
func TestWhatIsOwedOutlivesItsSubject(t *testing.T) {
	c := bank()
	p := policyOf(c)
	p.Spec.Review = &approvalv1.Followup{Groups: []string{"architects"}}
	under(c, p)
	says(c, "biz", yes, 1)
	says(c, "tech", yes, 2)
	c.Subject.Gone = true
	if j := approval.Judge(*c, noon.Add(time.Hour)); j.State != approval.Void {
		t.Errorf("what had not begun is void: %+v", j)
	}
	c.Subject.StartedAt, c.Subject.EndedAt = noon.Add(5*time.Minute), noon.Add(9*time.Minute)
	if j := approval.Judge(*c, noon.Add(time.Hour)); j.State == approval.Void || len(j.Owed) != 1 || j.Owed[0].By != "" || j.Owed[0].Due.IsZero() {
		t.Errorf("what had begun is owed for: %+v", j)
	}
}

func TestEscalationCallsOthersAfterItsTime(t *testing.T) {
	c := bank()
	p := policyOf(c)
	p.Spec.Escalation = &approvalv1.Escalation{After: metav1.Duration{Duration: 10 * time.Minute}, Groups: []string{"chiefs"}}
	under(c, p)
	c.People.(people).alias["chief"] = "chief"
	chief := func(d *approvalv1.DecisionSpec) { d.Groups = []string{"chiefs"} }
	says(c, "tech", yes, 1)
	says(c, "chief", yes, 5, chief)
	if j := approval.Judge(*c, noon.Add(time.Hour)); j.May {
		t.Fatalf("not before its time: %+v", j)
	}
	says(c, "chief", yes, 15, chief)
	if j := approval.Judge(*c, noon.Add(time.Hour)); !j.May {
		t.Fatalf("%+v", j)
	}
}

func TestSelect(t *testing.T) {
	policy := func(name string, order int32, m approvalv1.Match) approvalv1.ApprovalPolicy {
		return approvalv1.ApprovalPolicy{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: approvalv1.ApprovalPolicySpec{Order: order, Match: m}}
	}
	all := []approvalv1.ApprovalPolicy{
		policy("b", 100, approvalv1.Match{EnvironmentClasses: []tenancyv1.EnvironmentClass{tenancyv1.ClassProduction}}),
		policy("a", 100, approvalv1.Match{EnvironmentClasses: []tenancyv1.EnvironmentClass{tenancyv1.ClassProduction}}),
		policy("restart", 10, approvalv1.Match{Acts: []string{"release.Restart"}}),
		policy("cards", 50, approvalv1.Match{Tenants: []string{"cards"}, Risks: []releasev1.Risk{releasev1.RiskHigh}}),
	}
	f := approval.Facts{Act: "release.Deploy", Scope: approvalv1.Scope{Tenant: "cards", EnvironmentClass: tenancyv1.ClassProduction}, Risk: releasev1.RiskLow}
	for want, change := range map[string]func(*approval.Facts){
		"a":       func(*approval.Facts) {},
		"restart": func(f *approval.Facts) { f.Act = "release.Restart" },
		"cards":   func(f *approval.Facts) { f.Risk = releasev1.RiskHigh },
		"":        func(f *approval.Facts) { f.Scope.EnvironmentClass = tenancyv1.ClassTest },
	} {
		g := f
		change(&g)
		got := ""
		if p := approval.Select(all, g); p != nil {
			got = p.Name
		}
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestConditions(t *testing.T) {
	f := approval.Facts{Act: "release.Restart", Instances: 3, Scope: approvalv1.Scope{EnvironmentClass: tenancyv1.ClassTest}}
	for when, want := range map[string]string{
		"":                                 "true",
		"act.instances < 5":                "true",
		"act.environmentClass != 'Test'":   "false",
		"act.instances":                    "not true or false",
		"act.nothing == 1":                 "could not compute",
		"act.instances <":                  "could not read",
		"[1,2,3].map(x, x) == [1,2,3]":     "true",
		"'a'.matches('(a+)+$') || unknown": "could not read",
	} {
		held, err := approval.Holds(when, f)
		got := fmt.Sprint(held)
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, want) {
			t.Errorf("%q: got %s, want %s", when, got, want)
		}
	}
}

func FuzzCondition(f *testing.F) {
	f.Add("act.instances < 5")
	f.Add("[1].all(x, [1].all(y, x == y))")
	f.Fuzz(func(t *testing.T, when string) {
		if len(when) > 2048 {
			return
		}
		if held, err := approval.Holds(when, approval.Facts{}); err != nil && held {
			t.Error("an error never holds")
		}
	})
}
