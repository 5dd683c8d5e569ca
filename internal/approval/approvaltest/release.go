// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package approvaltest

import (
	"crypto/rand"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	deliveryv1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app"
	"github.com/fairway-cloud/fairway/internal/app/apptest"
	"github.com/fairway-cloud/fairway/internal/approval"
	approvalserver "github.com/fairway-cloud/fairway/internal/approval/server"
	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/release"
)

// Joint is the usual policy of production: business and technology agree jointly,
// and different people ask, make and agree.
func (w *World) Joint(change ...func(*approvalv1.ApprovalPolicySpec)) *approvalv1.ApprovalPolicy {
	w.t.Helper()
	p := &approvalv1.ApprovalPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: w.Tenant + "-production"},
		Spec: approvalv1.ApprovalPolicySpec{
			Match: approvalv1.Match{Tenants: []string{w.Tenant}},
			Stages: []approvalv1.Stage{{Name: "joint", Parties: []approvalv1.Party{
				{Name: "business", Roles: []tenancyv1.Role{tenancyv1.RoleBusinessApprover}},
				{Name: "technology", Roles: []tenancyv1.Role{tenancyv1.RoleTechnologyApprover}},
			}}},
			Distinct: []approvalv1.Part{approvalv1.PartRequester, approvalv1.PartMaker, approvalv1.PartApprover, approvalv1.PartVerifier},
		},
	}
	for _, c := range change {
		c(&p.Spec)
	}
	w.Create(w.System, p)
	return p
}

// Application is mobile-bank, written by dev.
func (w *World) Application() *appv1.Application {
	w.t.Helper()
	a := apptest.MobileBank()
	a.Namespace = w.Namespace
	if err := w.System.Get(w.t.Context(), client.ObjectKeyFromObject(a), a); client.IgnoreNotFound(err) != nil {
		w.t.Fatal(err)
	} else if err != nil {
		w.Create(w.As("dev"), a)
	}
	return a
}

// Edit has somebody change the application.
func (w *World) Edit(who, owner string) {
	w.t.Helper()
	a := w.Application()
	before := a.DeepCopy()
	a.Spec.Identity.Owner = owner
	if err := w.As(who).Patch(w.t.Context(), a, client.MergeFrom(before)); err != nil {
		w.t.Fatal(err)
	}
}

// Revision of the application as it is.
func (w *World) Revision() string {
	w.t.Helper()
	a := w.Application()
	world := apptest.Bank()
	world.Tenant, world.Environment = w.Tenant, w.Environment
	frozen, err := app.Freeze(a, apptest.Images(a), world)
	if err != nil {
		w.t.Fatal(err)
	}
	name := app.RevisionName(a.Name, frozen.Digest)
	err = w.System.Create(w.t.Context(), &appv1.Revision{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: name},
		Spec:       appv1.RevisionSpec{Application: a.Name, Content: frozen.Text, Digest: frozen.Digest, Makers: app.Makers(a)},
	})
	if client.IgnoreAlreadyExists(err) != nil {
		w.t.Fatal(err)
	}
	return name
}

// Release has ops ask for mobile-bank as it is, with all papers, and gives it a plan
// for one cluster, as the release controller would.
func (w *World) Release(name string, change ...func(*releasev1.Release)) *releasev1.Release {
	w.t.Helper()
	r := &releasev1.Release{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: name},
		Spec: releasev1.ReleaseSpec{
			Application: "mobile-bank", Kind: releasev1.KindDeploy, Revision: w.Revision(), Reason: "account 2.1", Ticket: "CHG-1", Requester: w.ID("ops"),
			Attachments: []releasev1.Attachment{{Kind: releasev1.AttachTestReport, Reference: "TR-1"}, {Kind: releasev1.AttachBackOutPlan, Reference: "BO-1"}},
		},
	}
	for _, c := range change {
		c(r)
	}
	w.Create(w.As("ops"), r)
	return w.Plan(r)
}

// Plan gives a Release its plan.
func (w *World) Plan(r *releasev1.Release, change ...func(*release.Document)) *releasev1.Release {
	w.t.Helper()
	plan := release.Document{
		Application: r.Namespace + "/" + r.Spec.Application, Release: r.Name, Kind: r.Spec.Kind, Sequence: 1, Revision: r.Spec.Revision,
		Clusters: []release.ClusterPlan{{Cluster: "east-1", Namespace: r.Namespace + "-" + r.Spec.Application, Workloads: []deliveryv1.Workload{
			{Name: "mobile-bank-account-0001", Component: "account", Kind: "Deployment", Replicas: 2},
		}}},
	}
	for _, c := range change {
		c(&plan)
	}
	text, digest, err := release.Seal(plan)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.Status(r, func(s *releasev1.ReleaseStatus) { s.Plan, s.PlanDigest = text, digest })
}

// Status has Fairway write what it observed of a Release.
func (w *World) Status(r *releasev1.Release, change func(*releasev1.ReleaseStatus)) *releasev1.Release {
	w.t.Helper()
	before := r.DeepCopy()
	change(&r.Status)
	if err := w.System.Status().Patch(w.t.Context(), r, client.MergeFrom(before)); err != nil {
		w.t.Fatal(err)
	}
	return r
}

// Start notes that a Release has begun.
func (w *World) Start(r *releasev1.Release) {
	w.t.Helper()
	now := metav1.NewTime(w.Clock.Now())
	w.Status(r, func(s *releasev1.ReleaseStatus) { s.StartedAt = &now })
}

// Complete notes that a Release was carried out.
func (w *World) Complete(r *releasev1.Release) {
	w.t.Helper()
	now := metav1.NewTime(w.Clock.Now())
	w.Status(r, func(s *releasev1.ReleaseStatus) { s.CompletedAt = &now })
}

// Ask has the controller make the request that a Release lacks, and returns the
// newest one; nil where none was made.
func (w *World) Ask(r *releasev1.Release) *approvalv1.ApprovalRequest {
	w.t.Helper()
	now := &releasev1.Release{}
	if err := w.System.Get(w.t.Context(), client.ObjectKeyFromObject(r), now); err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.Requests.Reconcile(w.t.Context(), now); err != nil {
		w.t.Fatal(err)
	}
	newest, err := w.Cases.Newest(w.t.Context(), now)
	if err != nil {
		w.t.Fatal(err)
	}
	return newest
}

// Report has the controller report on a request, and returns it as it is then.
func (w *World) Report(q *approvalv1.ApprovalRequest) *approvalv1.ApprovalRequest {
	w.t.Helper()
	now := &approvalv1.ApprovalRequest{}
	for range 2 { // once more: nothing is left to report
		if err := w.System.Get(w.t.Context(), client.ObjectKeyFromObject(q), now); err != nil {
			w.t.Fatal(err)
		}
		if _, err := w.Progress.Reconcile(w.t.Context(), now); err != nil {
			w.t.Fatal(err)
		}
	}
	return now
}

// Decision of somebody on a request, as the API fills it in.
func (w *World) Decision(who string, q *approvalv1.ApprovalRequest, verdict approvalv1.VerdictKind, change ...func(*approvalv1.DecisionSpec)) *approvalv1.Decision {
	d := &approvalv1.Decision{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, GenerateName: q.Name + "-"},
		Spec: approvalv1.DecisionSpec{
			Request: q.Name, Digest: q.Spec.Digest, Verdict: verdict, Comment: "seen", Author: w.ID(who), Groups: slices.Clone(w.Groups(who)), Session: w.Session(who),
		},
	}
	for _, c := range change {
		c(&d.Spec)
	}
	return d
}

// Decide has somebody decide, and fails the test where the hub does not let him.
func (w *World) Decide(who string, q *approvalv1.ApprovalRequest, verdict approvalv1.VerdictKind, change ...func(*approvalv1.DecisionSpec)) *approvalv1.Decision {
	w.t.Helper()
	d := w.Decision(who, q, verdict, change...)
	w.Prove(who, d)
	w.Create(w.As(who), d)
	return d
}

// Prove has the server prove a Decision or a Delegation that somebody is about to make,
// as it does in answer to his call. What is not his to say it leaves without.
func (w *World) Prove(who string, o client.Object) {
	w.t.Helper()
	if o.GetName() == "" {
		o.SetName(o.GetGenerateName() + strings.ToLower(rand.Text()[:8]))
	}
	kind := "Decision"
	if _, is := o.(*approvalv1.Delegation); is {
		kind = "Delegation"
	}
	object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx := identity.NewContext(w.t.Context(), identity.Person{ID: w.ID(who), Groups: w.Groups(who), Session: w.Session(who)})
	if err := approvalserver.Prove(w.Proofs)(ctx, kind, object); err != nil {
		w.t.Fatal(err)
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object, o); err != nil {
		w.t.Fatal(err)
	}
}

// Agree has business and technology agree.
func (w *World) Agree(q *approvalv1.ApprovalRequest) {
	w.t.Helper()
	w.Decide("biz", q, approvalv1.VerdictApprove)
	w.Decide("tech", q, approvalv1.VerdictApprove)
}

// Act is what the release controller asks the Gate for.
func (w *World) Act(verb string, r *releasev1.Release) approval.Act {
	return approval.Act{
		Verb: verb, Subject: "Release/" + r.Namespace + "/" + r.Name, Environment: w.Environment, Release: r.Namespace + "/" + r.Name,
		Digest: r.Status.PlanDigest, Person: r.Spec.Requester,
	}
}

// Check asks the Gate.
func (w *World) Check(verb string, r *releasev1.Release) approval.Verdict {
	w.t.Helper()
	verdict, err := w.Gate.Check(w.t.Context(), w.Act(verb, r))
	if err != nil {
		w.t.Fatal(err)
	}
	return verdict
}
