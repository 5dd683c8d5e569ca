// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"

	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
)

// waits waits until a Release that has begun is held with those words.
func (w *wall) waits(reason, name, says string) {
	w.t.Helper()
	w.eventually(reason, func() error {
		c := meta.FindStatusCondition(w.release(name).Status.Conditions, releasev1.ConditionReady)
		if c == nil || !strings.Contains(c.Message, says) {
			return fmt.Errorf("%+v", c)
		}
		return nil
	})
}

// TestWhoCarriesItOut is the story of a change that one operates and another reviews on
// line, at the start and at each resumption, through a running server.
func TestWhoCarriesItOut(t *testing.T) {
	w := newWall(t, startServer(t), "crew", []tenancyv1.RoleBinding{
		{Role: tenancyv1.RoleReleaser, Groups: []string{"crew-dev", "crew-ops"}}, {Role: tenancyv1.RoleViewer, Groups: []string{"crew-biz"}},
		{Role: tenancyv1.RoleBusinessApprover, Groups: []string{"crew-biz"}}, {Role: tenancyv1.RoleTechnologyApprover, Groups: []string{"crew-tech"}},
		{Role: tenancyv1.RoleDutyOperator, Groups: []string{"crew-duty", "crew-tech", "crew-ops", "crew-second"}},
	}, []approvalv1.ApprovalPolicySpec{{
		Order: 1, Stages: joint(), Operation: &approvalv1.Crew{Roles: []tenancyv1.Role{tenancyv1.RoleDutyOperator}}, Attendance: &approvalv1.Crew{Roles: []tenancyv1.Role{tenancyv1.RoleDutyOperator}},
		Distinct: []approvalv1.Part{approvalv1.PartRequester, approvalv1.PartMaker, approvalv1.PartApprover, approvalv1.PartOperator, approvalv1.PartAttendant, approvalv1.PartVerifier},
	}}, "dev", "ops", "biz", "tech", "duty", "second")
	on := func(words ...string) []string { return append(words, "-n", w.namespace()) }
	w.asks("heavy")
	w.request("heavy-1", "Waiting")
	w.refuses("before it is approved", "was not approved yet", "duty", on("approval", "operate", "heavy-1")...)
	w.must("biz", on("approve", "heavy-1")...)
	w.must("tech", on("approve", "heavy-1")...)
	w.holds("approved, and nobody carries it out", "heavy", "waits for whoever operates it")
	w.refuses("who asked for it", "has the part of Requester already", "ops", on("approval", "operate", "heavy-1")...)
	w.refuses("who agreed to it", "has the part of Approver already", "tech", on("approval", "operate", "heavy-1")...)
	w.must("duty", on("approval", "operate", "heavy-1")...)
	w.holds("operated, and nobody looks on", "heavy", "waits for whoever reviews it on line")
	w.refuses("who operates it", "has the part of Operator already", "duty", on("approval", "attend", "heavy-1")...)
	w.must("second", on("approval", "attend", "heavy-1")...)
	w.begins("heavy")

	for round := range 2 {
		w.must("duty", on("release", "stop", "heavy")...)
		if round == 0 {
			w.waits("it is stopped", "heavy", "stopped")
		} // else it is taken back before anybody may have looked
		w.refuses("who may stop may not let go on", "do not let one of kind Deploy go on", "duty", on("release", "resume", "heavy")...)
		w.must("ops", on("release", "resume", "heavy", "--reason", "looked at")...)
		w.waits("what was said before the stop does not hold", "heavy", "waits for whoever operates it")
		w.eventually("the second that the hub stamps with passes", func() error { // not within that of the stop
			if out, code := w.fairway("duty", on("approval", "operate", "heavy-1")...); code != 0 {
				return fmt.Errorf("%s", out)
			}
			return nil
		})
		w.waits("operated anew, and nobody looks on", "heavy", "waits for whoever reviews it on line")
		w.must("second", on("approval", "attend", "heavy-1")...)
		w.eventually("it goes on", func() error {
			c := meta.FindStatusCondition(w.release("heavy").Status.Conditions, releasev1.ConditionReady)
			if c == nil || strings.Contains(c.Message, "waits for whoever") {
				return fmt.Errorf("%+v", c)
			}
			return nil
		})
	}
	w.eventually("the log tells who carried it out", func() error {
		out, code := w.fairway("biz", on("audit", "history", "release/heavy")...)
		for wanted, times := range map[string]int{"crew-duty operated approvalrequest heavy-1 in crew-live for release heavy: done": 3, "crew-second was present at approvalrequest heavy-1 in crew-live for release heavy: done": 3, "crew-ops resumed release heavy in crew-live (looked at): done": 2} {
			if code != 0 || strings.Count(out, wanted) != times {
				return fmt.Errorf("%q is not there %d times:\n%s", wanted, times, out)
			}
		}
		return nil
	})
}
