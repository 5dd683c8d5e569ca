// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package notify

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/platform/canonical"
)

var noon = time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)

// request waits for business and technology; changes make other ones of it.
func request(t testing.TB, changes ...func(*approvalv1.ApprovalRequest)) *approvalv1.ApprovalRequest {
	t.Helper()
	content, err := canonical.JSON(approvalv1.ApprovalPolicySpec{
		Stages: []approvalv1.Stage{{Name: "both", Parties: []approvalv1.Party{
			{Name: "business", Groups: []string{"biz"}}, {Name: "technology", Roles: []tenancyv1.Role{"TechnologyApprover"}},
		}}},
		Escalation: &approvalv1.Escalation{After: metav1.Duration{Duration: 24 * time.Hour}, Groups: []string{"chiefs"}},
		Review:     &approvalv1.Followup{Groups: []string{"reviewers"}},
		Copies:     []string{"copied"},
	})
	if err != nil {
		t.Fatal(err)
	}
	r := &approvalv1.ApprovalRequest{
		ObjectMeta: metav1.ObjectMeta{Namespace: "retail-prod", Name: "pay-1", UID: "u-1", CreationTimestamp: metav1.NewTime(noon)},
		Spec: approvalv1.ApprovalRequestSpec{
			Act: "release.Deploy", Requester: "p-1", Makers: []string{"p-2"}, ChangeClass: "Normal", Risk: "Low",
			Scope:    approvalv1.Scope{Tenant: "retail", Environment: "prod", Application: "pay"},
			Policy:   approvalv1.PolicySnapshot{Content: content, Digest: canonical.Digest(content), Standing: "People"},
			DecideBy: metav1.NewTime(noon.Add(72 * time.Hour)), Summary: []string{"部署 pay"}, Reason: "account 2.1",
		},
		Status: approvalv1.ApprovalRequestStatus{Parties: []approvalv1.PartyProgress{
			{Stage: "both", Party: "business", Needed: 1, Open: "True"}, {Stage: "both", Party: "technology", Needed: 1, Open: "True"},
		}},
	}
	for _, change := range changes {
		change(r)
	}
	return r
}

func with(kind string, status metav1.ConditionStatus, reason string, at time.Time) func(*approvalv1.ApprovalRequest) {
	return func(r *approvalv1.ApprovalRequest) {
		r.Status.Conditions = append(r.Status.Conditions, metav1.Condition{Type: kind, Status: status, Reason: reason, Message: "because", LastTransitionTime: metav1.NewTime(at)})
	}
}

func TestDue(t *testing.T) {
	for name, c := range map[string]struct {
		reason  string
		changes []func(*approvalv1.ApprovalRequest)
		after   time.Duration
		want    []string
		next    time.Duration
	}{
		"Waiting":    {"both parties are asked", nil, 0, []string{"Waiting/both/business → biz", "Waiting/both/technology → TechnologyApprover"}, 24 * time.Hour},
		"OneAgreed":  {"the other still is", []func(*approvalv1.ApprovalRequest){func(r *approvalv1.ApprovalRequest) { r.Status.Parties[0].Agreed = []string{"p-3"} }}, 0, []string{"Waiting/both/technology → TechnologyApprover"}, 24 * time.Hour},
		"NotYet":     {"a later stage is not asked yet", []func(*approvalv1.ApprovalRequest){func(r *approvalv1.ApprovalRequest) { r.Status.Parties[1].Open = "False" }}, 0, []string{"Waiting/both/business → biz"}, 24 * time.Hour},
		"Outside":    {"a system of the bank is no person", []func(*approvalv1.ApprovalRequest){func(r *approvalv1.ApprovalRequest) { r.Status.Parties[1].Party = "itsm" }}, 0, []string{"Waiting/both/business → biz"}, 24 * time.Hour},
		"Escalated":  {"nobody decided for a day", nil, 24 * time.Hour, []string{"Waiting/both/business → biz", "Waiting/both/technology → TechnologyApprover", "Escalated → chiefs"}, 68 * time.Hour},
		"Soon":       {"four hours before the end", nil, 68 * time.Hour, []string{"Waiting/both/business → biz", "ExpiresSoon/both/business → biz", "Waiting/both/technology → TechnologyApprover", "ExpiresSoon/both/technology → TechnologyApprover", "ExpiresSoon → p-1", "Escalated → chiefs"}, 0},
		"Approved":   {"the requester and the makers hear of it", []func(*approvalv1.ApprovalRequest){with("Ready", "True", "Approved", noon)}, time.Hour, []string{"Approved → p-1 p-2 copied"}, 0},
		"Rejected":   {"and of a no", []func(*approvalv1.ApprovalRequest){with("Rejected", "True", "Rejected", noon)}, time.Hour, []string{"Rejected → p-1 p-2 copied"}, 0},
		"Void":       {"and of an edit", []func(*approvalv1.ApprovalRequest){with("Ready", "False", "SubjectChanged", noon), with("Void", "True", "SubjectChanged", noon)}, time.Hour, []string{"Void → p-1 p-2 copied"}, 0},
		"Expired":    {"and of the end", []func(*approvalv1.ApprovalRequest){with("Expired", "True", "Expired", noon)}, time.Hour, []string{"Expired → p-1 p-2 copied"}, 0},
		"OldNews":    {"what happened long ago is no news", []func(*approvalv1.ApprovalRequest){with("Void", "True", "SubjectChanged", noon)}, 8 * 24 * time.Hour, nil, 0},
		"Automatic":  {"nobody is told of what nobody decides", []func(*approvalv1.ApprovalRequest){with("Ready", "True", "Automatic", noon), func(r *approvalv1.ApprovalRequest) { r.Spec.Policy.Standing = "Automatic" }}, 0, nil, 0},
		"Emergency":  {"loud", []func(*approvalv1.ApprovalRequest){with("Ready", "True", "Approved", noon), with("Used", "True", "Used", noon), func(r *approvalv1.ApprovalRequest) { r.Spec.ChangeClass = "Emergency" }}, 0, []string{"Approved → p-1 p-2 copied", "Emergency → p-1 p-2 copied reviewers ChangeManager"}, 0},
		"Used":       {"an ordinary change is not", []func(*approvalv1.ApprovalRequest){with("Ready", "True", "Approved", noon), with("Used", "True", "Used", noon)}, 0, []string{"Approved → p-1 p-2 copied"}, 0},
		"Due":        {"a review that is not overdue", []func(*approvalv1.ApprovalRequest){with("Used", "True", "Used", noon), with("Reviewed", "False", "Due", noon)}, 0, nil, 0},
		"Overdue":    {"one that is", []func(*approvalv1.ApprovalRequest){with("Used", "True", "Used", noon), with("Reviewed", "False", "Overdue", noon)}, time.Hour, []string{"Overdue/review/0 → p-1 copied reviewers ChangeManager"}, 24 * time.Hour},
		"OverdueDay": {"each day again, however old", []func(*approvalv1.ApprovalRequest){with("Used", "True", "Used", noon), with("Reviewed", "False", "Overdue", noon)}, 241 * time.Hour, []string{"Overdue/review/10 → p-1 copied reviewers ChangeManager"}, 264 * time.Hour},
		"BadPolicy":  {"a policy that was tampered with names nobody", []func(*approvalv1.ApprovalRequest){with("Void", "True", "PolicyChanged", noon), func(r *approvalv1.ApprovalRequest) { r.Spec.Policy.Digest = "sha256:0" }}, 0, []string{"Void → p-1 p-2"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			notices, next := Due(request(t, c.changes...), 4*time.Hour, noon.Add(c.after))
			var got []string
			for _, n := range notices {
				to := slices.Concat(n.To.People, n.To.Groups)
				for _, r := range n.To.Roles {
					to = append(to, string(r))
				}
				got = append(got, n.Name+" → "+strings.Join(to, " "))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.reason, diff)
			}
			want := time.Time{}
			if c.next != 0 {
				want = noon.Add(c.next)
			}
			if !next.Equal(want) {
				t.Errorf("%s: looks again at %v, want %v", c.reason, next, want)
			}
		})
	}
}

// Every kind of notice has its words in every language, and what people wrote
// stays one line of what it is.
func TestWords(t *testing.T) {
	hostile := request(t, func(r *approvalv1.ApprovalRequest) {
		r.Spec.Reason = "x\r\nBcc: everybody@bank.example\r\n\r\n\x1b[2J\u202egnp"
		r.Spec.Scope.Application = "pay\nSubject: other"
		r.Spec.Summary = slices.Repeat([]string{"{{.Secret}}\n"}, 100)
	})
	for language := range templates {
		for _, kind := range Kinds() {
			subject, text, err := words(language, factsOf(hostile, Notice{Kind: kind, Part: "review", Message: "m\n\n"}, time.UTC))
			if err != nil {
				t.Errorf("%s %s: %v", language, kind, err)
				continue
			}
			if subject == "" || strings.ContainsAny(subject, "\r\n\x1b") || !strings.Contains(text, "retail-prod/pay-1") {
				t.Errorf("%s %s: %q\n%s", language, kind, subject, text)
			}
			if strings.ContainsAny(text, "\r\x1b\u202e") || strings.Contains(text, "\nBcc:") || strings.Count(text, "{{.Secret}}") != mostSummary || strings.Contains(text, "<no value>") {
				t.Errorf("%s %s lets the text out of its line:\n%s", language, kind, text)
			}
		}
	}
	subject, text, _ := words(Chinese, factsOf(request(t), Notice{Kind: Waiting, Part: "business"}, time.FixedZone("", 8*3600)))
	if want := "[待审批] prod pay release.Deploy：等待 business"; subject != want || !strings.Contains(text, "2026-03-13 20:00 +08:00") {
		t.Errorf("%q\n%s", subject, text)
	}
	if _, _, err := words("fr", facts{Kind: Waiting}); err == nil {
		t.Error("a language without words is an error")
	}
}
