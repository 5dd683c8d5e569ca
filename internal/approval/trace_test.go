// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package approval_test

import (
	"flag"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/approval"
)

// said is what the plain twin remembers of an agreement.
type said struct {
	person, forWhom string
	digest          string
	groups          []string
	at              time.Time
	inLogin         bool
}

// world is a bank in which anybody may try anything, and a plain twin that
// remembers what happened and shares no code with Judge.
type world struct {
	t   *rapid.T
	c   *approval.Case
	now time.Time

	agreed     map[string][]said // by author, what he said since he last took it back
	delegated  map[string]string // principal by delegate
	business   bool              // the role is still bound
	policy     string            // digest under which the request was made
	executions int
	restarts   bool // the subject was used
}

var names = []string{"biz", "tech", "tech2", "both", "dev", "ops", "robot-of-dev", "kubernetes-admin", "stranger"}

var realPerson = map[string]string{
	"dev": "dev", "ops": "ops", "biz": "biz", "tech": "tech", "tech2": "tech2", "both": "both", "robot-of-dev": "dev", "kubernetes-admin": "dev",
}

func newWorld(t *rapid.T) *world {
	w := &world{t: t, c: bank(), now: noon, agreed: map[string][]said{}, delegated: map[string]string{}, business: true}
	w.policy = w.c.Request.Spec.Policy.Digest
	return w
}

// decide lets anybody say anything about any plan, in a login of anybody.
func (w *world) decide() {
	author := rapid.SampledFrom(names).Draw(w.t, "author")
	verdict := rapid.SampledFrom([]approvalv1.VerdictKind{yes, yes, yes, yes, no, back}).Draw(w.t, "verdict")
	if verdict == no && rapid.IntRange(0, 3).Draw(w.t, "seldom") > 0 {
		return
	}
	d := approvalv1.Decision{
		ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("d%03d", len(w.c.Decisions)), CreationTimestamp: metav1.NewTime(w.now)},
		Spec: approvalv1.DecisionSpec{
			Request: "r1", Digest: w.c.Request.Spec.Digest, Verdict: verdict, Author: author, Groups: groupsOf[author], Session: "s-" + author, Comment: "x",
		},
	}
	inLogin, forWhom := true, ""
	switch rapid.IntRange(0, 19).Draw(w.t, "trick") {
	case 0:
		d.Spec.Digest = "sha256:other"
	case 1:
		d.Spec.Session, inLogin = "s-biz", realPerson[author] == "biz"
	case 2:
		d.Spec.Session, inLogin = "", false
	case 3:
		d.Spec.Groups = nil
	case 4, 5, 6, 7:
		forWhom = rapid.SampledFrom(names).Draw(w.t, "forWhom")
		if forWhom == author {
			forWhom = ""
		}
		d.Spec.OnBehalfOf = forWhom
	}
	for _, n := range names {
		if id, ok := realPerson[n]; ok {
			w.c.Logins["s-"+n] = approval.Login{Person: id, From: noon.Add(-time.Hour)}
		}
	}
	w.c.Decisions = append(w.c.Decisions, d)
	w.c.Proofs[d.Name] = approval.Proof{Holds: true}
	if proven := rapid.IntRange(0, 15).Draw(w.t, "proven"); proven == 0 { // somebody writes it in the author's name
		w.c.Proofs[d.Name] = approval.Proof{Why: "its proof is for something else"}
		return
	}
	groups := d.Spec.Groups
	if forWhom != "" {
		groups = nil
		if w.delegated[realPerson[author]] == realPerson[forWhom] {
			groups = groupsOf[realPerson[forWhom]]
		}
	}
	person := realPerson[author]
	if !inLogin || person == "" || d.Spec.Digest != w.c.Request.Spec.Digest {
		return // whoever is not there or speaks of something else says nothing
	}
	switch verdict {
	case yes:
		w.agreed[person] = append(w.agreed[person], said{person: person, forWhom: realPerson[forWhom], digest: d.Spec.Digest, groups: groups, at: w.now, inLogin: inLogin})
	case back:
		delete(w.agreed, person)
	}
}

// twin says, from what it remembers and by trying every pair, whether two
// different people agreed to this plan, neither of them a maker or the requester.
func (w *world) twin() bool {
	good := func(group string) []said {
		var out []said
		for _, s := range slices.Concat(slices.Collect(maps.Values(w.agreed))...) {
			tainted := s.person == "dev" || s.person == "ops" || s.forWhom == "dev" || s.forWhom == "ops"
			left := w.c.People.(people).left[s.person] || (s.forWhom != "" && w.c.People.(people).left[s.forWhom])
			inTime := !s.at.After(w.c.Request.Spec.DecideBy.Time)
			if !tainted && !left && inTime && s.inLogin && s.digest == w.c.Subject.Digest && slices.Contains(s.groups, group) {
				out = append(out, s)
			}
		}
		return out
	}
	if !w.business {
		return false
	}
	for _, b := range good("retail-business") {
		for _, x := range good("architects") {
			last := b.at
			if x.at.After(last) {
				last = x.at
			}
			if b.person != x.person && b.person != x.forWhom && x.person != b.forWhom && w.now.Before(last.Add(24*time.Hour)) {
				return true
			}
		}
	}
	return false
}

// execute tries to begin the act, and holds the answer against the twin's.
func (w *world) execute() {
	j := approval.Judge(*w.c, w.now)
	if !j.May {
		return
	}
	if w.restarts { // under way: the same act goes on, no second one begins
		return
	}
	switch {
	case w.c.Subject.Digest != w.c.Request.Spec.Digest || w.c.Subject.UID != w.c.Request.Spec.Subject.UID:
		w.t.Fatalf("another plan or subject than the one that was asked for is carried out")
	case w.c.Subject.State != w.c.Request.Spec.State:
		w.t.Fatalf("carried out although it was edited")
	case w.c.Holds == nil || w.c.Holds.Digest != w.policy:
		w.t.Fatalf("carried out under an outdated policy")
	case !w.c.Window.Open:
		w.t.Fatalf("carried out outside the window")
	case !w.twin():
		w.t.Fatalf("carried out without two people who may: %v by %v", j.Agreed, w.agreed)
	}
	for _, p := range j.Agreed {
		if realPerson[p] == "dev" || realPerson[p] == "ops" {
			w.t.Fatalf("%s is among the deciders", p)
		}
	}
	w.executions++
	w.restarts = true
	w.c.Subject.StartedAt = w.now
}

func (w *world) act() {
	switch rapid.IntRange(0, 23).Draw(w.t, "act") {
	case 0:
		w.now = w.now.Add(time.Duration(rapid.IntRange(1, 40).Draw(w.t, "hours")) * time.Hour)
	case 1:
		w.c.Subject.State = rapid.SampledFrom([]string{"Application mobile-bank, generation 7", "Application mobile-bank, generation 8"}).Draw(w.t, "state")
	case 2:
		if !w.restarts {
			w.c.Subject.Digest = rapid.SampledFrom([]string{"sha256:plan", "sha256:plan", "sha256:new"}).Draw(w.t, "digest")
		}
	case 3:
		person := rapid.SampledFrom([]string{"biz", "tech", "tech2", "both"}).Draw(w.t, "leaves")
		w.c.People.(people).left[person] = !w.c.People.(people).left[person]
	case 4:
		w.business = rapid.Bool().Draw(w.t, "bound")
		w.c.Groups["BusinessApprover"] = nil
		if w.business {
			w.c.Groups["BusinessApprover"] = []string{"retail-business"}
		}
	case 5:
		holds := w.c.Request.Spec.Policy
		if rapid.IntRange(0, 3).Draw(w.t, "policy") == 3 {
			holds.Digest = "sha256:later"
		}
		w.c.Holds = &holds
	case 6:
		principal, delegate := rapid.SampledFrom([]string{"both", "tech", "dev"}).Draw(w.t, "principal"), rapid.SampledFrom([]string{"tech2", "tech2", "both", "dev"}).Draw(w.t, "delegate")
		if principal != delegate && w.delegated[delegate] == "" {
			w.now = w.now.Add(time.Minute) // what is decided in the same second may come before or after
			w.delegated[delegate] = principal
			d := delegation(principal, delegate, 0, 1000000)
			d.Spec.From, d.CreationTimestamp = metav1.NewTime(w.now), metav1.NewTime(w.now)
			delegates(w.c, d)
		}
	case 7:
		w.c.Window.Open = rapid.Bool().Draw(w.t, "open")
	case 8, 9, 10:
		w.execute()
	default:
		w.now = w.now.Add(time.Minute)
		w.decide()
	}
}

// Whatever people try in whatever order, nothing is carried out that two people who
// may have not agreed to.
func TestNothingHappensThatWasNotAgreedTo(t *testing.T) {
	checks := "120000"
	if testing.Short() {
		checks = "5000"
	}
	if err := flag.Set("rapid.checks", checks); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = flag.Set("rapid.checks", "100") })
	traces, executed := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		for range rapid.IntRange(4, 30).Draw(t, "length") {
			w.act()
		}
		w.execute()
		traces++
		executed += w.executions
		if w.executions > 1 {
			t.Fatalf("carried out %d times", w.executions)
		}
	})
	t.Logf("%d traces, the act was carried out in %d of them", traces, executed)
	if executed < traces/200 {
		t.Errorf("carried out in %d of %d traces only: the test does not reach what it is about", executed, traces)
	}
}
