// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller_test

import (
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/approval"
	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/platform/canonical"
	"github.com/fairway-cloud/fairway/internal/release"
	"github.com/fairway-cloud/fairway/internal/release/releasetest"
)

// How lost hosts were cut off is part of the plan that is approved, is told to whoever
// approves it, and is in the record of the start (R86).
func TestHowItWasFencedIsApprovedAndRecorded(t *testing.T) {
	b := newBank(t)
	const how = "power of rack r7 cut at the PDU, CHG-9"
	b.create(releasetest.New("first", b.revise(), func(r *releasev1.Release) { r.Spec.Fenced = how }))
	b.settle()
	rel := b.release("first")
	plan, err := release.Open(rel.Status.Plan, rel.Status.PlanDigest)
	if err != nil || plan.Fenced != how {
		t.Fatalf("%v, %v: want it in the plan", plan, err)
	}
	started := slices.IndexFunc(b.journal.acts, func(a audit.Act) bool { return a.Verb == "release.start" })
	if started < 0 || !strings.Contains(strings.Join(b.journal.acts[started].Details, "; "), how) {
		t.Errorf("%+v: want it in the record of the start", b.journal.acts)
	}
	asked, err := approval.Draft{Release: rel, Plan: plan, Application: b.application(), Number: 1}.Request(approvalv1.PolicySnapshot{Content: "{}", Digest: canonical.Digest("{}")}, b.clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(asked.Spec.Summary, func(line string) bool {
		return strings.Contains(line, how) && strings.Contains(line, "By the word of li.na")
	}) {
		t.Errorf("%q: want whoever approves to read it, and whose word it is", asked.Spec.Summary)
	}
}

// What was said stays said, and only a Release that starts something says it.
func TestHowItWasFencedDoesNotChange(t *testing.T) {
	if hub == nil {
		t.Skip("without an API server")
	}
	c, err := client.New(hub.Config(), client.Options{Scheme: schemeOf(t)})
	if err != nil {
		t.Fatal(err)
	}
	say := func(how string) func(*releasev1.Release) {
		return func(r *releasev1.Release) { r.Namespace, r.Spec.Fenced = "default", how }
	}
	for _, r := range []*releasev1.Release{releasetest.New("fenced-restart", "", releasetest.Restart("account-0"), say("cut")), releasetest.New("fenced-retire", "", releasetest.Retire, say("cut"))} {
		if err := c.Create(t.Context(), r); err == nil || !strings.Contains(err.Error(), "only a Deploy or a Rollback says how hosts were fenced") {
			t.Errorf("%s: %v, want a refusal", r.Name, err)
		}
	}
	for name, how := range map[string]string{"fenced-before": "cut", "fenced-after": ""} {
		r := releasetest.New(name, "pay-1", say(how))
		if err := c.Create(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		r.Spec.Fenced = "cut otherwise"
		if err := c.Update(t.Context(), r); err == nil || !strings.Contains(err.Error(), "a Release does not change once made") {
			t.Errorf("%s: %v, want a refusal", name, err)
		}
	}
}
