// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	identityv1 "github.com/fairway-cloud/fairway/api/identity/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/release"
)

// refuses has a command fail with those words.
func (w *wall) refuses(reason, says, who string, words ...string) {
	w.t.Helper()
	out, code := w.fairway(who, words...)
	if code == 0 || !strings.Contains(out, says) {
		w.t.Errorf("%s: fairway %s: exit %d: %s; wanted a refusal with %q", reason, strings.Join(words, " "), code, out, says)
	}
}

// begins waits for a Release to begin.
func (w *wall) begins(name string) {
	w.t.Helper()
	w.eventually(name+" begins", func() error {
		if !w.began(name) {
			return fmt.Errorf("%+v", w.release(name).Status.Conditions)
		}
		return nil
	})
}

// holds waits until the Gate holds a Release back with those words, and sees that it
// has not begun.
func (w *wall) holds(reason, name, says string) {
	w.t.Helper()
	w.eventually(reason, func() error {
		c := meta.FindStatusCondition(w.release(name).Status.Conditions, releasev1.ConditionReady)
		if c == nil || !strings.Contains(c.Message, says) {
			return fmt.Errorf("%+v", c)
		}
		return nil
	})
	if w.began(name) {
		w.t.Fatalf("%s: %s has begun", reason, name)
	}
}

// gauge reads one metric from the server itself.
func (w *wall) gauge(name string) int {
	w.t.Helper()
	token, err := os.ReadFile(filepath.Join(w.dir, "data", "admin.token"))
	if err != nil {
		w.t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, "https://"+w.address+"/metrics", nil)
	if err != nil {
		w.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	caller := callerOf(w.t, w.bench)
	defer caller.CloseIdleConnections()
	response, err := caller.Do(request)
	if err != nil {
		w.t.Fatal(err)
	}
	defer response.Body.Close()
	page, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	for line := range strings.Lines(string(page)) {
		if value, is := strings.CutPrefix(line, name+" "); is {
			n, err := strconv.Atoi(strings.TrimSpace(value))
			if err != nil {
				w.t.Fatal(err)
			}
			return n
		}
	}
	w.t.Fatalf("there is no metric %q", name)
	return 0
}

// rush is a tenant whose emergencies two people agree to. tech is in the groups of both
// parties, and answers to another name too.
func rush(t *testing.T, b *bench) *wall {
	review := &approvalv1.Followup{Roles: []tenancyv1.Role{tenancyv1.RoleChangeManager, tenancyv1.RoleBusinessApprover}, Within: metav1.Duration{Duration: 4 * time.Second}}
	emergency := approvalv1.ApprovalPolicySpec{
		Order: 2, Match: approvalv1.Match{ChangeClasses: []releasev1.ChangeClass{releasev1.ChangeEmergency}},
		Stages: []approvalv1.Stage{{Name: "two people", Parties: []approvalv1.Party{
			{Name: "technology", Roles: []tenancyv1.Role{tenancyv1.RoleTechnologyApprover}}, {Name: "change management", Roles: []tenancyv1.Role{tenancyv1.RoleChangeManager}},
		}}},
		Window: &approvalv1.WindowRule{Freezes: "Ignored"}, Review: review,
	}
	// The example's policies may be on the same hub: these come before them.
	// One that is risky is started by hand, within seconds.
	risky := *emergency.DeepCopy()
	risky.Order, risky.Match.Risks = 1, []releasev1.Risk{releasev1.RiskHigh}
	risky.Operation, risky.ValidFor = &approvalv1.Crew{Roles: []tenancyv1.Role{tenancyv1.RoleDutyOperator}}, metav1.Duration{Duration: 4 * time.Second}
	w := newWall(t, b, "rush", []tenancyv1.RoleBinding{
		{Role: tenancyv1.RoleReleaser, Groups: []string{"rush-dev", "rush-ops"}}, {Role: tenancyv1.RoleBusinessApprover, Groups: []string{"rush-biz"}},
		{Role: tenancyv1.RoleTechnologyApprover, Groups: []string{"rush-tech", "rush-ops"}}, {Role: tenancyv1.RoleDutyOperator, Groups: []string{"rush-duty"}},
		{Role: tenancyv1.RoleViewer, Groups: []string{"rush-biz"}},
		{Role: tenancyv1.RoleChangeManager, Groups: []string{"rush-chief", "rush-tech", "rush-second", "rush-ops", "rush-dev"}},
	}, []approvalv1.ApprovalPolicySpec{emergency, risky, {Order: 3, Stages: joint()}}, "dev", "ops", "biz", "tech", "chief", "duty", "second")
	return w
}

func anEmergency(s *releasev1.ReleaseSpec) {
	s.ChangeClass, s.Risk, s.Reason, s.Ticket, s.Attachments = releasev1.ChangeEmergency, releasev1.RiskMedium, "payments fail", "", nil
}

// TestEmergencies is the story of the glass that is broken: by two people with a reason,
// once, within its time, and looked at afterwards by a third; and of everybody who tries
// to have it cheaper (abuse case 16).
func TestEmergencies(t *testing.T) {
	w := rush(t, startServer(t))
	where := []string{"-n", w.namespace()}
	on := func(words ...string) []string { return append(words, where...) }

	w.refuses("without a reason by the CLI", "says why", "ops", on("release", "start", "mobile-bank", "--revision", w.revision, "--change-class", "Emergency")...)
	bare := &releasev1.Release{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace(), Name: "bare"}, Spec: releasev1.ReleaseSpec{
		Application: "mobile-bank", Kind: releasev1.KindDeploy, Revision: w.revision, Requester: "rush-ops", ChangeClass: releasev1.ChangeEmergency,
	}}
	if err := w.kubectl("ops").Create(t.Context(), bare); err == nil || !strings.Contains(err.Error(), "says why") {
		t.Errorf("without a reason by kubectl: %v", err)
	}

	w.asks("quake", anEmergency)
	w.request("quake-1", "Waiting")
	w.refuses("who asks for it", "asked for it", "ops", on("approve", "quake-1")...)
	w.refuses("who made it", "is a maker of it", "dev", on("approve", "quake-1")...)
	w.must("tech", on("approve", "quake-1", "--comment", "payments fail indeed")...)
	w.holds("without a second key", "quake", "waits for 1 of party change management")
	w.refuses("the first key once more", "has agreed already", "tech", on("approve", "quake-1")...)
	// Another account of the same human: his other name is noted on the Person.
	tech := &identityv1.Person{}
	if err := w.masters.Get(t.Context(), client.ObjectKey{Name: "rush-tech"}, tech); err != nil {
		t.Fatal(err)
	}
	before := tech.DeepCopy()
	tech.Spec.Aliases = append(tech.Spec.Aliases, identityv1.Alias{Name: "rush-second", Use: identityv1.UseHuman})
	if err := w.own.Patch(t.Context(), tech, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
	w.eventually("the second account is the first one's", func() error {
		out, code := w.fairway("second", on("approve", "quake-1")...)
		if code != 0 && strings.Contains(out, `nobody knows "rush-second"`) {
			return nil
		}
		return fmt.Errorf("exit %d: %s", code, out)
	})
	w.holds("one person through two accounts", "quake", "waits for 1 of party change management")
	w.must("chief", on("approve", "quake-1", "--comment", "agreed")...)
	w.begins("quake")
	w.request("quake-1", "Used")

	t.Run("once", func(t *testing.T) {
		w.t = t
		w.refuses("one more word on it", "agreed already", "chief", on("approve", "quake-1")...)
		w.refuses("what has begun is not started by hand again", "the policy asks nobody", "duty", on("approval", "operate", "quake-1")...)
		w.must("ops", on("release", "stop", "quake")...)
		w.asks("again", anEmergency)
		w.request("again-1", "Waiting")
		w.holds("an approval that was used lets nothing else begin", "again", "waits for 1 of party technology and 1 of party change management")
		w.eventually("the second takes the application over", func() error {
			quake := &releasev1.Release{}
			if err := w.masters.Get(t.Context(), client.ObjectKey{Namespace: w.namespace(), Name: "quake"}, quake); err != nil {
				return err
			}
			if !release.Over(quake) {
				return fmt.Errorf("quake is not over: %v", quake.Status.Conditions)
			}
			return nil
		})
		w.refuses("the first one is over", "took its application over", "ops", on("release", "resume", "quake")...)
		w.must("ops", on("release", "stop", "again")...)
	})
	t.Run("within its time", func(t *testing.T) {
		w.t = t
		w.asks("late", anEmergency, func(s *releasev1.ReleaseSpec) { s.Risk = releasev1.RiskHigh })
		w.request("late-1", "Waiting")
		w.must("tech", on("approve", "late-1")...)
		w.must("chief", on("approve", "late-1")...)
		w.request("late-1", "Expired")
		w.refuses("after its time", "the request is over: the approval was not used in time", "duty", on("approval", "operate", "late-1")...)
		w.request("late-2", "Waiting")
		w.holds("what ran out is agreed to anew", "late", "waits for 1 of party technology and 1 of party change management")
		w.must("ops", on("release", "stop", "late")...)
	})
	t.Run("looked at afterwards", func(t *testing.T) {
		w.t = t
		w.request("quake-1", "Overdue")
		w.eventually("whoever watches sees it", func() error {
			if open, late := w.gauge("fairway_approval_emergencies_open"), w.gauge("fairway_approval_reviews_overdue"); open != 1 || late != 1 {
				return fmt.Errorf("%d open, %d overdue", open, late)
			}
			return nil
		})
		if todo := w.must("biz", on("approval", "list")...); !strings.Contains(todo, "quake-1") || !strings.Contains(todo, "Review, overdue since") {
			t.Errorf("it waits in the inbox:\n%s", todo)
		}
		if shown := w.must("dev", on("approval", "show", "quake-1")...); !strings.Contains(shown, "Still owed") || !strings.Contains(shown, "Review, overdue since") {
			t.Errorf("everybody who sees it sees what is owed:\n%s", shown)
		}
		review := on("approval", "review", "quake-1", "--ticket", "CHG-2002", "--comment", "was needed")
		w.refuses("who asked for it", "asked for it", "ops", review...)
		w.refuses("who made it", "is a maker of it", "dev", review...)
		for _, one := range []string{"tech", "chief"} {
			w.refuses("one of the two", "agreed to it and cannot review it", one, review...)
		}
		w.refuses("a name of one of the two", "nobody knows", "second", review...)
		w.refuses("who has no part in it", "is not among those who do that", "duty", review...)
		w.refuses("without its ticket", "gets its ticket with its review", "biz", on("approval", "review", "quake-1", "--comment", "was needed")...)
		w.request("quake-1", "Overdue")
		w.must("biz", review...)
		w.request("quake-1", "Done")
		w.eventually("and that it is over", func() error {
			if open, late := w.gauge("fairway_approval_emergencies_open"), w.gauge("fairway_approval_reviews_overdue"); open != 0 || late != 0 {
				return fmt.Errorf("%d open, %d overdue", open, late)
			}
			return nil
		})
		if todo := w.must("biz", on("approval", "list")...); strings.Contains(todo, "quake-1") {
			t.Errorf("nothing waits any more:\n%s", todo)
		}
		story := ""
		w.eventually("the log tells it", func() error {
			story = w.must("biz", on("audit", "history", "release/quake")...)
			for _, wanted := range []string{"rush-ops asked for", "rush-tech approved", "rush-chief approved", "rush-biz reviewed", "payments fail", "CHG-2002"} {
				if !strings.Contains(story, wanted) {
					return fmt.Errorf("it lacks %q:\n%s", wanted, story)
				}
			}
			return nil
		})
		t.Log(story)
	})
}
