// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package gate_test

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/approval"
	"github.com/fairway-cloud/fairway/internal/approval/approvaltest"
)

// forger holds a certificate of system:masters and reads everything that the hub
// holds: live session ids and every proof.
type forger struct {
	*approvaltest.World
	t *testing.T
}

// copied is a Decision of somebody that can be read on the hub, made again under
// another name.
func copied(d *approvalv1.Decision, change ...func(*approvalv1.Decision)) *approvalv1.Decision {
	again := &approvalv1.Decision{ObjectMeta: metav1.ObjectMeta{Namespace: d.Namespace, Name: d.Name + "-again"}, Spec: *d.Spec.DeepCopy()}
	for _, c := range change {
		c(again)
	}
	return again
}

// writes has the forger write in somebody's name, with his groups and his login, as
// kubectl --as --as-group --as-user-extra does. The hub takes it: it cannot know.
func (f forger) writes(who string, o client.Object) {
	f.t.Helper()
	if err := f.As(who).Create(f.t.Context(), o); err != nil {
		f.t.Fatalf("the attempt does not reach what it is about: %v", err)
	}
}

// leftOut wants the newest report to leave a decision out, and to say why.
func (f forger) leftOut(q *approvalv1.ApprovalRequest, name, why string) {
	f.t.Helper()
	for _, u := range f.Report(q).Status.Uncounted {
		if u.Decision == name {
			if !strings.Contains(u.Reason, why) {
				f.t.Errorf("%s is left out since %q, want %q", name, u.Reason, why)
			}
			return
		}
	}
	f.t.Errorf("%s is not left out", name)
}

// Whoever may impersonate everybody on the hub, and knows every login, decides for
// nobody.
func TestAnAdministratorOfTheHubForgesNoDecision(t *testing.T) {
	w := approvaltest.New(t, hub, tenancyv1.ClassProduction)
	f := forger{w, t}
	w.Joint()
	r := w.Release("forged")
	q := w.Ask(r)
	biz := w.Decide("biz", q, approve)

	// With a live session id, and nothing else.
	plain := w.Decision("tech", q, approve)
	if err := w.As("tech").Create(t.Context(), plain); err == nil || !strings.Contains(err.Error(), "with the proof of Fairway's server only") {
		t.Errorf("the hub lets a decision without a proof pass: %v", err)
	}
	for name, test := range map[string]struct {
		made *approvalv1.Decision
		why  string
	}{
		"a made up proof": {w.Decision("tech", q, approve, func(s *approvalv1.DecisionSpec) { s.Proof = "v1.00000000.1.00.AAAA" }), "does not have"},
		"another's proof": {w.Decision("tech", q, approve, func(s *approvalv1.DecisionSpec) { s.Proof = biz.Spec.Proof }), "for something else"},
	} {
		f.writes("tech", test.made)
		f.leftOut(q, test.made.Name, test.why)
		wants(t, name, w.Check(start, r), false, "waits for 1 of party technology")
	}

	// What tech said once is said for that alone.
	tech := w.Decide("tech", q, approve)
	wants(t, "both agreed", w.Check(start, r), true, "approved")
	w.Decide("tech", q, withdraw)
	again := copied(tech)
	f.writes("tech", again)
	f.leftOut(q, again.Name, "for something else")
	wants(t, "made again after it was taken back", w.Check(start, r), false, "waits for 1 of party technology")
	if err := w.As("tech").Create(t.Context(), copied(tech, func(d *approvalv1.Decision) { d.Name = tech.Name })); err == nil {
		t.Error("the hub lets one name be made twice")
	}
	turned := copied(tech, func(d *approvalv1.Decision) {
		d.Name, d.Spec.Verdict, d.Spec.Comment = "turned", approvalv1.VerdictReject, "I refuse"
	})
	f.writes("tech", turned)
	f.leftOut(q, turned.Name, "for something else")

	// On another request, of the same plan too.
	second := w.Release("forged-too")
	q2 := w.Ask(second)
	moved := copied(biz, func(d *approvalv1.Decision) { d.Spec.Request, d.Spec.Digest = q2.Name, q2.Spec.Digest })
	f.writes("biz", moved)
	f.leftOut(q2, moved.Name, "for something else")
	// With a group of approvers that he is not in.
	w.Login("dev", w.Groups("tech")...)
	richer := copied(tech, func(d *approvalv1.Decision) {
		d.Name, d.Spec.Request, d.Spec.Digest, d.Spec.Author, d.Spec.Session = "richer", q2.Name, q2.Spec.Digest, w.ID("dev"), w.Session("dev")
	})
	f.writes("dev", richer)
	f.leftOut(q2, richer.Name, "for something else")
	wants(t, "another request", w.Check(start, second), false, "1 of party business and 1 of party technology")
}

// Nobody is stood in for who did not say so, and no system's verdict is forged.
func TestAnAdministratorOfTheHubForgesNoStandIn(t *testing.T) {
	w := approvaltest.New(t, hub, tenancyv1.ClassProduction)
	f := forger{w, t}
	w.Joint(func(p *approvalv1.ApprovalPolicySpec) {
		p.External = &approvalv1.External{System: "itsm", Standing: "Also"}
	})
	r := w.Release("stand-in")
	q := w.Ask(r)
	w.Decide("biz", q, approve)

	// The delegate is in league with him, and decides through the server.
	away := func(name string) *approvalv1.Delegation {
		return &approvalv1.Delegation{ObjectMeta: metav1.ObjectMeta{Name: w.ID(name)}, Spec: approvalv1.DelegationSpec{
			Principal: w.ID("tech"), Delegate: w.ID("verifier"), From: metav1.NewTime(time.Now().Add(-time.Minute)), Until: metav1.NewTime(time.Now().Add(time.Hour)), Groups: w.Groups("tech"),
		}}
	}
	forged := away("forged")
	if err := w.As("tech").Create(t.Context(), forged.DeepCopy()); err == nil || !strings.Contains(err.Error(), "with the proof of Fairway's server only") {
		t.Errorf("the hub lets a delegation without a proof pass: %v", err)
	}
	forged.Spec.Proof = w.Decide("tech", q, withdraw).Spec.Proof
	f.writes("tech", forged)
	stood := w.Decide("verifier", q, approve, func(s *approvalv1.DecisionSpec) { s.OnBehalfOf = w.ID("tech") })
	f.leftOut(q, stood.Name, "does not count")
	wants(t, "a forged delegation", w.Check(start, r), false, "waits for 1 of party technology")

	// The principal's own counts, also where he shortens it later.
	own := away("own")
	w.Prove("tech", own)
	w.Create(w.As("tech"), own)
	before := own.DeepCopy()
	own.Spec.Until = metav1.NewTime(time.Now().Add(time.Minute))
	if err := w.As("tech").Patch(t.Context(), own, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
	w.Decide("verifier", q, approve, func(s *approvalv1.DecisionSpec) { s.OnBehalfOf = w.ID("tech") })
	wants(t, "his own delegation", w.Check(start, r), false, "waits for 1 of party itsm")

	// The system speaks through Fairway's own account, which he takes on.
	verdict := &approvalv1.Decision{ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: "itsm-forged"}, Spec: approvalv1.DecisionSpec{
		Request: q.Name, Digest: q.Spec.Digest, Verdict: approve, Comment: "ok", Ticket: "CHG-1", Author: approval.OutsideAuthor + "itsm", OnBehalfOf: w.ID("chief"), Proof: stood.Spec.Proof,
	}}
	if err := w.System.Create(t.Context(), verdict); err != nil {
		t.Fatal(err)
	}
	f.leftOut(q, verdict.Name, "for something else")
	wants(t, "a forged verdict", w.Check(start, r), false, "waits for 1 of party itsm")
	verdict = verdict.DeepCopy()
	verdict.ObjectMeta = metav1.ObjectMeta{Namespace: w.Namespace, Name: "verdict-own"} // within one second names tell the order
	if err := w.Proofs.ProveDecision(t.Context(), verdict); err != nil {
		t.Fatal(err)
	}
	if err := w.System.Create(t.Context(), verdict); err != nil {
		t.Fatal(err)
	}
	wants(t, "the system's own", w.Check(start, r), true, "approved")
}

// A request that says another made it, or that the change is a smaller one, is void;
// the server asks anew.
func TestAnAdministratorOfTheHubForgesNoRequest(t *testing.T) {
	w := approvaltest.New(t, hub, tenancyv1.ClassProduction)
	w.Joint()
	// all wrote it, and has every role of an approver.
	w.Application()
	w.Edit("all", "team-two")
	r := w.Release("unasked")
	q := w.Ask(r)
	if len(q.Spec.Makers) != 2 {
		t.Fatalf("makers %v", q.Spec.Makers)
	}
	forged := &approvalv1.ApprovalRequest{ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: "unasked-2", Labels: q.Labels}, Spec: *q.Spec.DeepCopy()}
	forged.Spec.Number, forged.Spec.Makers, forged.Spec.Requester = 2, []string{w.ID("dev")}, w.ID("dev")
	// As Fairway's own account, which he takes on.
	if err := w.System.Create(t.Context(), forged); err != nil {
		t.Fatal(err)
	}
	w.Decide("all", forged, approve)
	w.Decide("tech", forged, approve)
	wants(t, "makers left out", w.Check(start, r), false, "Fairway did not ask for this: its proof is for something else")
	next := w.Ask(r)
	if next.Name != "unasked-3" || len(next.Spec.Makers) != 2 {
		t.Errorf("the server asks anew: %s by %v", next.Name, next.Spec.Makers)
	}
	w.Agree(next)
	wants(t, "what the server asked for", w.Check(start, r), true, "approved")
}
