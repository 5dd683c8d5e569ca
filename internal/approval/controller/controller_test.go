// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"

	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/approval/approvaltest"
	"github.com/fairway-cloud/fairway/internal/approval/controller"
	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/platform/kubetest"
	"github.com/fairway-cloud/fairway/internal/platform/metricstest"
)

var hub *kubetest.Cluster

func TestMain(m *testing.M) { os.Exit(kubetest.Main(m, &hub, approvaltest.Options()...)) }

// condition is "True reason: message" of a kind, or "".
func condition(conditions []metav1.Condition, kind string) string {
	c := meta.FindStatusCondition(conditions, kind)
	if c == nil {
		return ""
	}
	return string(c.Status) + " " + c.Reason + ": " + c.Message
}

func wants(t *testing.T, reason, got, says string) {
	t.Helper()
	if !strings.Contains(got, says) || says == "" && got != "" {
		t.Errorf("%s: got %q, wanted %q", reason, got, says)
	}
}

// told drains what was told since it was last asked.
func told(r *events.FakeRecorder) string {
	var out []string
	for {
		select {
		case e := <-r.Events:
			out = append(out, e)
		default:
			return strings.Join(out, "\n")
		}
	}
}

// A request is reported from the first word to the review that is owed.
func TestProgress(t *testing.T) {
	w := approvaltest.New(t, hub, tenancyv1.ClassProduction)
	w.Joint(func(s *approvalv1.ApprovalPolicySpec) {
		s.Verification = &approvalv1.Followup{Roles: []tenancyv1.Role{tenancyv1.RoleVerifier}, Within: metav1.Duration{Duration: time.Hour}}
	})
	recorder := events.NewFakeRecorder(32)
	w.Progress.Events = recorder
	r := w.Release("progress")
	q := w.Ask(r)
	if e := w.Journal.Entries(); len(e) != 2 || e[0].Record.Act.Verb != "approval.request" || e[0].Record.Act.Person != w.ID("ops") || e[1].Record.Outcome.Result != audit.Done {
		t.Errorf("who asked is in the evidence: %+v", e)
	}

	now := w.Report(q)
	wants(t, "nobody has decided", condition(now.Status.Conditions, approvalv1.ConditionReady), "False Waiting: waits for 1 of party business and 1 of party technology")
	if len(now.Status.Parties) != 2 || now.Status.Parties[0].Open != metav1.ConditionTrue {
		t.Errorf("whom it waits for: %+v", now.Status.Parties)
	}
	wants(t, "what is only waited for is no event", told(recorder), "")

	w.Decide("dev", q, approvalv1.VerdictApprove)
	w.Agree(q)
	now = w.Report(q)
	wants(t, "both agreed", condition(now.Status.Conditions, approvalv1.ConditionReady), "True Approved: approved by")
	if len(now.Status.Uncounted) != 1 || now.Status.Uncounted[0].Author != w.ID("dev") || !strings.Contains(now.Status.Uncounted[0].Reason, "is a maker of it") {
		t.Errorf("who does not count is told why: %+v", now.Status.Uncounted)
	}
	if now.Status.CompleteAt == nil || now.Status.UsedAt != nil {
		t.Errorf("complete and not used: %+v", now.Status)
	}
	wants(t, "that is an event", told(recorder), "Normal Approved approved by")
	version := now.ResourceVersion
	if again := w.Report(q); again.ResourceVersion != version {
		t.Error("nothing happened, and it was written")
	}

	w.Start(r)
	now = w.Report(q)
	wants(t, "used once", condition(now.Status.Conditions, approvalv1.ConditionUsed), "True Used")
	wants(t, "used", told(recorder), "Normal Used")
	w.Complete(r)
	now = w.Report(q)
	wants(t, "the verification is owed", condition(now.Status.Conditions, approvalv1.ConditionVerified), "False Due: the verification is owed until")
	w.Clock.Pass(61 * time.Minute)
	now = w.Report(q)
	wants(t, "for too long", condition(now.Status.Conditions, approvalv1.ConditionVerified), "False Overdue: the verification is owed since")
	wants(t, "which is loud", told(recorder), "Warning Overdue")

	says := metricstest.Read(t, metricstest.Of(t, controller.Metrics(w.System)))
	if len(says) != 8 {
		t.Errorf("each of six states is counted, none too: %v", says)
	}
	if says["fairway_approval_reviews_overdue"] != 1 {
		t.Errorf("one is overdue: %v", says)
	}

	w.Clock.Pass(-61 * time.Minute) // the hub stamps with its own clock
	w.Decide("ops", q, approvalv1.VerdictVerify)
	now = w.Report(q)
	wants(t, "the requester verifies nothing", condition(now.Status.Conditions, approvalv1.ConditionVerified), "False")
	w.Decide("verifier", q, approvalv1.VerdictVerify)
	now = w.Report(q)
	wants(t, "verified", condition(now.Status.Conditions, approvalv1.ConditionVerified), "True Done: given by "+w.ID("verifier"))
}

// gauge is the value of a metric without labels.
func gauge(t *testing.T, hub client.Reader, name string) float64 {
	t.Helper()
	value, told := metricstest.Read(t, metricstest.Of(t, controller.Metrics(hub)))[name]
	if !told {
		t.Fatalf("there is no metric %q", name)
	}
	return value
}

// The review of an emergency stays open, and seen, also when its Release was carried
// out and cleared away.
func TestAnOwedReviewOutlivesItsRelease(t *testing.T) {
	w := approvaltest.New(t, hub, tenancyv1.ClassProduction)
	w.Joint(func(s *approvalv1.ApprovalPolicySpec) {
		s.Review = &approvalv1.Followup{Roles: []tenancyv1.Role{tenancyv1.RoleVerifier}, Within: metav1.Duration{Duration: 24 * time.Hour}}
	})
	const open, overdue = "fairway_approval_emergencies_open", "fairway_approval_reviews_overdue"
	opened, late := gauge(t, w.System, open), gauge(t, w.System, overdue)
	counts := func(reason string, wantOpen, wantLate float64) {
		t.Helper()
		if o, l := gauge(t, w.System, open)-opened, gauge(t, w.System, overdue)-late; o != wantOpen || l != wantLate {
			t.Errorf("%s: %g open and %g overdue, wanted %g and %g", reason, o, l, wantOpen, wantLate)
		}
	}
	r := w.Release("cleared", func(r *releasev1.Release) {
		r.Spec.ChangeClass, r.Spec.Ticket, r.Spec.Attachments = releasev1.ChangeEmergency, "", nil
	})
	q := w.Ask(r)
	w.Agree(q)
	w.Report(q)
	counts("nothing has begun", 0, 0)
	w.Start(r)
	w.Report(q)
	counts("it has begun", 1, 0)
	w.Complete(r)
	w.Report(q)
	if err := w.As("ops").Delete(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	now := w.Report(q)
	wants(t, "cleared away", condition(now.Status.Conditions, approvalv1.ConditionReviewed), "False Due: the review is owed until")
	if is := condition(now.Status.Conditions, approvalv1.ConditionVoid); is != "" || now.Status.UsedAt == nil || now.Status.EndedAt == nil {
		t.Errorf("that it was used stays noted: %q %+v", is, now.Status)
	}
	counts("cleared away", 1, 0)
	w.Clock.Pass(25 * time.Hour)
	now = w.Report(q)
	wants(t, "a day later", condition(now.Status.Conditions, approvalv1.ConditionReviewed), "False Overdue: the review is owed since")
	counts("a day later", 1, 1)
	w.Clock.Pass(-25 * time.Hour) // the hub stamps with its own clock
	w.Decide("verifier", q, approvalv1.VerdictReview, func(s *approvalv1.DecisionSpec) { s.Ticket = "CHG-9" })
	now = w.Report(q)
	wants(t, "reviewed", condition(now.Status.Conditions, approvalv1.ConditionReviewed), "True Done: given by "+w.ID("verifier"))
	counts("reviewed", 0, 0)
}

// Rejected, run out, or its subject gone: told once, and final.
func TestEnds(t *testing.T) {
	w := approvaltest.New(t, hub, tenancyv1.ClassProduction)
	w.Joint(func(s *approvalv1.ApprovalPolicySpec) { s.DecideWithin = metav1.Duration{Duration: time.Hour} })
	recorder := events.NewFakeRecorder(32)
	w.Progress.Events = recorder

	r := w.Release("rejected")
	q := w.Ask(r)
	w.Decide("tech", q, approvalv1.VerdictReject)
	now := w.Report(q)
	wants(t, "one no", condition(now.Status.Conditions, approvalv1.ConditionRejected), "True Rejected: "+w.ID("tech")+" rejected it: seen")
	wants(t, "told", told(recorder), "Warning Rejected")
	if again := w.Ask(r); again.Name != q.Name {
		t.Errorf("a no is final for this Release, got %s", again.Name)
	}

	gone := w.Release("gone")
	q = w.Ask(gone)
	if err := w.As("ops").Delete(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	now = w.Report(q)
	wants(t, "its Release is gone", condition(now.Status.Conditions, approvalv1.ConditionVoid), "True SubjectGone")

	late := w.Release("late")
	q = w.Ask(late)
	w.Clock.Pass(2 * time.Hour)
	now = w.Report(q)
	wants(t, "nobody decided", condition(now.Status.Conditions, approvalv1.ConditionExpired), "True Expired: nobody completed it in time")
	next := w.Ask(late)
	if next.Name != "late-2" {
		t.Errorf("what ran out is asked for anew, got %s", next.Name)
	}
}

// What a change lacks is said, and no number of people makes up for it.
func TestPapers(t *testing.T) {
	w := approvaltest.New(t, hub, tenancyv1.ClassProduction)
	w.Joint()
	r := w.Release("papers", func(r *releasev1.Release) {
		r.Spec.ChangeClass, r.Spec.Attachments = releasev1.ChangeMajor, r.Spec.Attachments[:1]
	})
	q := w.Ask(r)
	w.Agree(q)
	now := w.Report(q)
	wants(t, "a major change", condition(now.Status.Conditions, approvalv1.ConditionReady),
		"False Incomplete: the request lacks attachment BackOutPlan, attachment RiskAssessment, attachment EmergencyPlan, attachment VerificationScheme")
}

// While the evidence log is away nothing is asked for, and it is tried again.
func TestNoRequestWithoutEvidence(t *testing.T) {
	w := approvaltest.New(t, hub, tenancyv1.ClassProduction)
	w.Joint()
	r := w.Release("dark")
	w.Journal.SetAway(true)
	if _, err := w.Requests.Reconcile(t.Context(), r); err == nil || !strings.Contains(err.Error(), "the evidence log is away") {
		t.Errorf("got %v", err)
	}
	if q, err := w.Cases.Newest(t.Context(), r); err != nil || q != nil {
		t.Errorf("nothing is asked for: %v %v", q, err)
	}
	w.Journal.SetAway(false)
	if q := w.Ask(r); q == nil {
		t.Error("it is asked for when the log is back")
	}
}

// A policy whose condition cannot be computed agrees to nothing, and says so.
func TestPolicies(t *testing.T) {
	w := approvaltest.New(t, hub, tenancyv1.ClassProduction)
	p := w.Joint(func(s *approvalv1.ApprovalPolicySpec) {
		s.Automatic = &approvalv1.Automatic{When: "act.nonsense(", Budget: &approvalv1.Budget{Acts: 1, Within: metav1.Duration{Duration: time.Hour}}}
	})
	policies := &controller.Policies{Hub: w.System}
	report := func() string {
		t.Helper()
		if err := w.System.Get(t.Context(), client.ObjectKeyFromObject(p), p); err != nil {
			t.Fatal(err)
		}
		if _, err := policies.Reconcile(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		return condition(p.Status.Conditions, approvalv1.ConditionReady)
	}
	wants(t, "a broken condition", report(), "until it is mended the policy agrees to nothing by itself")
	q := w.Ask(w.Release("broken"))
	if q == nil || q.Spec.Policy.Standing != approvalv1.StandingPeople {
		t.Fatalf("people are asked: %+v", q)
	}
	before := p.DeepCopy()
	p.Spec.Automatic.When = "act.instances <= 3"
	if err := w.System.Patch(t.Context(), p, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
	wants(t, "mended", report(), "True Usable: the policy can be used")
	version := p.ResourceVersion
	if report(); p.ResourceVersion != version {
		t.Error("nothing changed, and it was written")
	}
}
