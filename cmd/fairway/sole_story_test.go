// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	identityv1 "github.com/fairway-cloud/fairway/api/identity/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/approval/itsm"
	"github.com/fairway-cloud/fairway/internal/approval/itsm/itsmtest"
)

// outside is the bank's ITSM at the wall.
type outside struct {
	*itsmtest.ITSM
	w      *wall
	caller *http.Client
	token  string
	nonces int
}

// asked waits until the ITSM has the message of a request.
func (o *outside) asked(name string, event itsm.Event) itsm.Request {
	o.w.t.Helper()
	var found itsm.Request
	o.w.eventually(fmt.Sprintf("the ITSM hears that %s is %s", name, event), func() error {
		for _, n := range o.Notices() {
			if n.Request.Name == name && n.Request.Namespace == o.w.namespace() && n.Event == event {
				found = n.Request
				return nil
			}
		}
		return fmt.Errorf("it has %d messages", len(o.Notices()))
	})
	return found
}

// signed is a message that can be sent more than once.
type signed struct {
	header http.Header
	body   []byte
}

func (o *outside) sign(v itsm.Verdict) signed {
	o.nonces++
	header, body := o.Sign(v, fmt.Sprintf("nonce-of-the-sole-%06d", o.nonces))
	header.Set("Authorization", o.token)
	return signed{header, body}
}

// sends sends a message and wants that answer.
func (o *outside) sends(reason string, m signed, status int, says string) {
	o.w.t.Helper()
	var got int
	var answer string
	o.w.eventually(reason, func() error { // 503 means: send it again
		if got, answer = post(o.w.t, o.caller, "https://"+o.w.address+"/api/v1/approval/verdicts", m.header, m.body); got == http.StatusServiceUnavailable {
			return fmt.Errorf("%s", answer)
		}
		return nil
	})
	if got != status || !strings.Contains(answer, says) {
		o.w.t.Errorf("%s: %d %s; wanted %d with %q", reason, got, answer, status, says)
	}
}

// TestTheOutsideVerdictIsTheSoleOne is the story of a change whose only stage is the
// bank's ITSM, through a running server: its verdict stands for the people's, and digest,
// distinct people and window hold as ever.
func TestTheOutsideVerdictIsTheSoleOne(t *testing.T) {
	system := itsmtest.New(t, "itsm", time.Now)
	file := system.Config(t, "sandbox-admin")
	b := startServer(t, func(_ *bench, o *serverOptions) { o.itsmConfig = file })
	w := newWall(t, b, "sole", []tenancyv1.RoleBinding{
		{Role: tenancyv1.RoleReleaser, Groups: []string{"sole-dev", "sole-ops"}},
		{Role: tenancyv1.RoleBusinessApprover, Groups: []string{"sole-biz"}}, {Role: tenancyv1.RoleTechnologyApprover, Groups: []string{"sole-biz"}},
		{Role: tenancyv1.RoleChangeManager, Groups: []string{"sole-chief"}},
	}, []approvalv1.ApprovalPolicySpec{{
		Order: 1, External: &approvalv1.External{System: "itsm", Standing: "Sole"}, Window: &approvalv1.WindowRule{Calendars: []string{"sole-nights"}},
		Distinct: []approvalv1.Part{approvalv1.PartRequester, approvalv1.PartMaker, approvalv1.PartApprover},
	}}, "dev", "ops", "biz", "chief")
	// Open for an hour that lies half a day away.
	in := func(hours int) approvalv1.TimeOfDay {
		return approvalv1.TimeOfDay(time.Now().UTC().Add(time.Duration(hours) * time.Hour).Format("15:04"))
	}
	closed := approvalv1.ChangeCalendarSpec{TimeZone: "UTC", Windows: []approvalv1.ChangeWindow{{
		Name: "night", From: in(11), To: in(12),
	}}}
	w.create(&approvalv1.ChangeCalendar{ObjectMeta: metav1.ObjectMeta{Name: "sole-nights"}, Spec: closed})
	w.create(&identityv1.Person{ObjectMeta: metav1.ObjectMeta{Name: "sole-left"}, Spec: identityv1.PersonSpec{State: identityv1.StateDisabled}})
	raw, err := os.ReadFile(filepath.Join(b.dir, "data", "admin.token"))
	if err != nil {
		t.Fatal(err)
	}
	o := &outside{ITSM: system, w: w, caller: callerOf(t, b), token: "Bearer " + strings.TrimSpace(string(raw))}
	t.Cleanup(o.caller.CloseIdleConnections)
	approve, on := approvalv1.VerdictApprove, func(words ...string) []string { return append(words, "-n", w.namespace()) }

	w.asks("outside")
	asked := o.asked("outside-1", itsm.Asked)
	if asked.Digest != w.release("outside").Status.PlanDigest || asked.Requester != "sole-ops" || strings.Join(asked.Makers, ",") != "sole-dev" {
		t.Errorf("the ITSM is asked for this plan, of these people: %+v", asked)
	}
	w.request("outside-1", "Waiting")
	w.refuses("a person, whatever his role, is not the ITSM", "belongs to no party", "biz", on("approve", "outside-1")...)

	other := system.Verdict(asked, approve, "sole-chief")
	other.Digest = "sha256:" + strings.Repeat("0", 64)
	o.sends("a verdict on another plan", o.sign(other), http.StatusConflict, "about another plan")
	o.sends("the requester, who agreed over there", o.sign(system.Verdict(asked, approve, "sole-ops")), http.StatusForbidden, "sole-ops asked for it")
	o.sends("the maker, who agreed over there", o.sign(system.Verdict(asked, approve, "sole-dev")), http.StatusForbidden, "sole-dev is a maker of it")
	o.sends("nobody of the bank", o.sign(system.Verdict(asked, approve, "sole-nobody")), http.StatusForbidden, "does not say which person of the bank")
	o.sends("somebody who has left", o.sign(system.Verdict(asked, approve, "sole-left")), http.StatusForbidden, "may not act any more")
	w.holds("none of that counts", "outside", "waits for 1 of party itsm")

	first := o.sign(system.Verdict(asked, approve, "sole-chief"))
	o.sends("the verdict", first, http.StatusCreated, `"duplicate":false`)
	w.request("outside-1", "Approved")
	w.holds("the window holds", "outside", "calendar")
	o.sends("the same message again does nothing", first, http.StatusOK, `"duplicate":true`)
	forged := signed{first.header, []byte(strings.Replace(string(first.body), "sole-chief", "sole-biz", 1))}
	o.sends("other words under its signature", forged, http.StatusForbidden, "signature")

	// An edit voids what the ITSM agreed to, and its word does not come along.
	edited := &appv1.Application{}
	if err := w.own.Get(t.Context(), client.ObjectKey{Namespace: w.namespace(), Name: "mobile-bank"}, edited); err != nil {
		t.Fatal(err)
	}
	before := edited.DeepCopy()
	edited.Spec.Identity.Owner = "team-other"
	if err := w.kubectl("dev").Patch(t.Context(), edited, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
	w.request("outside-1", "SubjectChanged")
	if told := o.asked("outside-1", itsm.Closed); told.Name == "" {
		t.Error("the ITSM hears that it is closed")
	}
	again := o.asked("outside-2", itsm.Asked)
	o.sends("what was said once is not said twice", first, http.StatusOK, `"duplicate":true`)
	stale := system.Verdict(asked, approve, "sole-chief")
	o.sends("a new word on what is void", o.sign(stale), http.StatusConflict, "the request is closed: void")
	w.request("outside-2", "Waiting")
	setWindows(w, []approvalv1.ChangeWindow{{Name: "always", From: "00:00", To: "24:00"}})
	w.holds("in its window, and not agreed to", "outside", "waits for 1 of party itsm")
	o.sends("the verdict on what there is now", o.sign(system.Verdict(again, approve, "sole-chief")), http.StatusCreated, `"duplicate":false`)
	w.begins("outside")
	if told := o.asked("outside-2", itsm.Closed); told.Name == "" {
		t.Error("the ITSM hears that it was used")
	}

	// The ITSM goes away: stopping and going back wait for nobody, and nothing new begins.
	system.Away(true)
	w.must("ops", on("release", "stop", "outside")...)
	if got := w.release("outside").Spec.Desired; got != "Stop" {
		t.Errorf("stopped while the ITSM is away, got %q", got)
	}
	named := w.must("ops", on("release", "start", "mobile-bank", "--kind", "Rollback", "--revision", w.revision, "--reason", "back", "-o", "name")...)
	_, rollback, _ := strings.Cut(strings.TrimSpace(named), "/")
	w.back(rollback)
	w.begins(rollback)
	w.must("ops", on("release", "stop", rollback)...)
	w.asks("alone", func(s *releasev1.ReleaseSpec) { s.Reason = "while the ITSM is away" })
	w.request("alone-1", "Waiting")
	w.holds("nobody else says yes in its place", "alone", "waits for 1 of party itsm")
	system.Away(false)
	asked = o.asked("alone-1", itsm.Asked)
	o.sends("it says no", o.sign(system.Verdict(asked, approvalv1.VerdictReject, "sole-chief")), http.StatusCreated, "")
	q := w.request("alone-1", "Rejected")
	if c := meta.FindStatusCondition(q.Status.Conditions, approvalv1.ConditionRejected); c == nil || w.began("alone") {
		t.Errorf("a no is final: %+v", q.Status.Conditions)
	}
}

// setWindows changes the calendar of the wall.
func setWindows(w *wall, windows []approvalv1.ChangeWindow) {
	w.t.Helper()
	calendar := &approvalv1.ChangeCalendar{}
	if err := w.masters.Get(w.t.Context(), client.ObjectKey{Name: "sole-nights"}, calendar); err != nil {
		w.t.Fatal(err)
	}
	before := calendar.DeepCopy()
	calendar.Spec.Windows = windows
	if err := w.masters.Patch(w.t.Context(), calendar, client.MergeFrom(before)); err != nil {
		w.t.Fatal(err)
	}
}
