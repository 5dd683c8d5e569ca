// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package gate_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/approval"
	"github.com/fairway-cloud/fairway/internal/approval/approvaltest"
	"github.com/fairway-cloud/fairway/internal/approval/gate"
	desk "github.com/fairway-cloud/fairway/internal/approval/server"
	"github.com/fairway-cloud/fairway/internal/platform/kubetest"
)

var hub *kubetest.Cluster

func TestMain(m *testing.M) { os.Exit(kubetest.Main(m, &hub, approvaltest.Options()...)) }

const (
	approve  = approvalv1.VerdictApprove
	withdraw = approvalv1.VerdictWithdraw
	start    = "release.start"
	step     = "release.step"
	apply    = "delivery.apply"
)

// wants checks an answer of the Gate, and that its reason says so.
func wants(t *testing.T, reason string, got approval.Verdict, may bool, says string) {
	t.Helper()
	if got.Allowed != may || !strings.Contains(got.Reason, says) {
		t.Errorf("%s: allowed %v because %q; wanted %v because of %q", reason, got.Allowed, got.Reason, may, says)
	}
}

// A change in production needs two people, whoever is asked, and whatever is
// written in a status.
func TestProductionNeedsTwoPeople(t *testing.T) {
	w := approvaltest.New(t, hub, tenancyv1.ClassProduction)
	r := w.Release("first")
	wants(t, "nobody has said what is needed", w.Check(start, r), false, "nothing changes without one: ask a security administrator for a policy")
	if q := w.Ask(r); q != nil {
		t.Fatalf("without a policy nothing is asked for, got %s", q.Name)
	}
	w.Joint()
	wants(t, "the request is not there yet", w.Check(start, r), false, "the request for it is being made")
	q := w.Ask(r)
	if q == nil || q.Name != "first-1" || q.Spec.Requester != w.ID("ops") || strings.Join(q.Spec.Makers, ",") != w.ID("dev") || q.Spec.Digest != r.Status.PlanDigest {
		t.Fatalf("the request names who asks, who made it and the plan: %+v", q)
	}
	if again := w.Ask(r); again.Name != q.Name {
		t.Errorf("one request is enough, got %s", again.Name)
	}
	if got := w.Check(start, r); got.Allowed || got.Approval != w.Namespace+"/first-1" {
		t.Errorf("who is refused learns what to follow: %+v", got)
	}
	w.Decide("biz", q, approve)
	wants(t, "one of two", w.Check(start, r), false, "waits for 1 of party technology")
	w.Decide("tech", q, approve)
	got := w.Check(start, r)
	wants(t, "both", got, true, "approved by ")
	if got.Approval != w.Namespace+"/first-1" {
		t.Errorf("the evidence names the request: %+v", got)
	}
	w.Decide("tech", q, withdraw)
	wants(t, "one took his word back", w.Check(start, r), false, "waits for 1 of party technology")
	w.Decide("chief", q, approve)
	wants(t, "another technologist", w.Check(start, r), true, w.ID("chief"))
}

// Nothing that a maker, a requester, a stranger or a cluster administrator writes
// counts, under whatever name (abuse cases 13 and 15).
func TestNobodyAgreesToHisOwn(t *testing.T) {
	w := approvaltest.New(t, hub, tenancyv1.ClassProduction)
	w.Joint()
	// all wrote it too, and has every role of an approver.
	w.Application()
	w.Edit("all", "team-two")
	r := w.Release("own")
	q := w.Ask(r)
	w.Decide("all", q, approve)
	wants(t, "a maker with every role", w.Check(start, r), false, "1 of party business and 1 of party technology")

	// An alias of the maker, such as a machine account, in the groups of approvers.
	w.Decide("biz", q, approve)
	dev := &person{w: w, id: w.ID("dev")}
	dev.alias(t, w.ID("robot"))
	w.Person("robot", w.Groups("tech")...)
	w.Decide("robot", q, approve)
	wants(t, "the maker's machine", w.Check(start, r), false, "waits for 1 of party technology")

	// The cluster's administrator has no login of Fairway, and belongs to no party.
	masters := w.Decision("tech", q, approve, func(s *approvalv1.DecisionSpec) { s.Author, s.Session, s.Groups = "kubernetes-admin", "", nil })
	if err := hub.Client().Create(t.Context(), masters); err != nil && !strings.Contains(err.Error(), "spec.author") {
		t.Fatal(err)
	}
	forged := w.Decision("tech", q, approve)
	if err := hub.Client().Create(t.Context(), forged); err == nil {
		t.Error("the hub lets a cluster administrator decide in another's name")
	}
	wants(t, "a cluster administrator", w.Check(start, r), false, "waits for 1 of party technology")

	// A stranger may write nothing at all.
	w.Person("stranger", w.Tenant+"-strangers")
	if err := w.As("stranger").Create(t.Context(), w.Decision("stranger", q, approve)); err == nil {
		t.Error("the hub lets a stranger decide")
	}
	// A decision made elsewhere does not come with the request.
	w.Decide("tech", q, approve, func(s *approvalv1.DecisionSpec) { s.Digest = "sha256:another" })
	wants(t, "another plan was agreed to", w.Check(start, r), false, "waits for 1 of party technology")

	// What a status says is not looked at, even where Fairway itself wrote it.
	before := q.DeepCopy()
	q.Status.Conditions = []metav1.Condition{{Type: approvalv1.ConditionReady, Status: "True", Reason: "Approved", Message: "approved", LastTransitionTime: metav1.Now()}}
	if err := w.System.Status().Patch(t.Context(), q, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
	wants(t, "a forged status", w.Check(start, r), false, "waits for 1 of party technology")
}

// An edit after the approval voids it, visibly, and the next request follows
// (abuse case 14). Once it has begun the plan is what it was.
func TestAnEditVoids(t *testing.T) {
	w := approvaltest.New(t, hub, tenancyv1.ClassProduction)
	w.Joint()
	r := w.Release("edited")
	q := w.Ask(r)
	w.Agree(q)
	wants(t, "as approved", w.Check(start, r), true, "approved")
	w.Edit("dev", "team-other")
	wants(t, "edited between approval and start", w.Check(start, r), false, "edited since it was asked for")
	if got := w.Report(q); !is(got, approvalv1.ConditionVoid) || is(got, approvalv1.ConditionReady) {
		t.Errorf("the request says that it is void: %+v", got.Status.Conditions)
	}
	next := w.Ask(r)
	if next.Name != "edited-2" || next.Spec.Number != 2 || !strings.Contains(strings.Join(next.Spec.Summary, " "), "An earlier request for this is void") {
		t.Fatalf("the next request follows and says why: %s %v", next.Name, next.Spec.Summary)
	}
	wants(t, "what was agreed to before", w.Check(start, r), false, "waits for")
	w.Agree(next)
	wants(t, "agreed anew", w.Check(start, r), true, "approved")
	// A plan that was exchanged is not the one that was agreed to.
	other := w.Act(start, r)
	other.Digest = "sha256:another"
	if got, err := w.Gate.Check(t.Context(), other); err != nil || got.Allowed || !strings.Contains(got.Reason, "the plan is another one") {
		t.Errorf("another plan: %+v %v", got, err)
	}
	w.Start(r)
	w.Edit("dev", "team-third")
	wants(t, "edited while it goes on: the plan is what it was", w.Check(step, r), true, "approved")
}

// A policy that changes voids what was asked under it.
func TestAChangedPolicyVoids(t *testing.T) {
	w := approvaltest.New(t, hub, tenancyv1.ClassProduction)
	p := w.Joint()
	r := w.Release("policy")
	q := w.Ask(r)
	w.Agree(q)
	wants(t, "as approved", w.Check(start, r), true, "approved")
	before := p.DeepCopy()
	p.Spec.Stages[0].Parties[1].Approvers = 2
	if err := w.System.Patch(t.Context(), p, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
	wants(t, "a stricter policy", w.Check(start, r), false, "the request was made under")
	next := w.Ask(r)
	w.Agree(next)
	wants(t, "the new policy wants three", w.Check(start, r), false, "1 of party technology")
	w.Decide("chief", next, approve)
	wants(t, "and three agreed", w.Check(start, r), true, "approved")
	if err := w.System.Delete(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	wants(t, "no policy any more", w.Check(start, r), false, "no approval policy covers the act any more")
	w.Start(r)
	wants(t, "what has begun goes on", w.Check(step, r), true, "approved")
}

// A Release that was asked for many times is judged by the newest request, and a hub
// that finds decisions by no field is read as well.
func TestTheNewestRequest(t *testing.T) {
	w := approvaltest.New(t, hub, tenancyv1.ClassProduction)
	w.Joint()
	r := w.Release("often")
	for n := int32(1); n <= 8; n++ { // more than are looked for at once
		q := w.Ask(r)
		if q.Spec.Number != n {
			t.Fatalf("request %d is number %d", n, q.Spec.Number)
		}
		w.Agree(q)
		if got := w.Check(start, r); !got.Allowed || got.Approval != w.Namespace+"/"+q.Name {
			t.Errorf("request %d counts: %+v", n, got)
		}
		old := *w.Cases
		old.Direct = before131{w.System}
		if got, err := (&gate.Gate{Cases: &old}).Check(t.Context(), w.Act(start, r)); err != nil || !got.Allowed {
			t.Errorf("on an older hub: %+v %v", got, err)
		}
		w.Edit("dev", fmt.Sprintf("team-%d", n))
	}
}

// before131 is a hub that selects custom resources by no field.
type before131 struct{ client.Reader }

func (b before131) List(ctx context.Context, l client.ObjectList, opts ...client.ListOption) error {
	all := client.ListOptions{}
	all.ApplyOptions(opts)
	if all.FieldSelector != nil {
		return apierrors.NewBadRequest("field label not supported: spec.request")
	}
	return b.Reader.List(ctx, l, opts...)
}

// Outside production a policy is not needed; what nobody knows counts as production.
func TestClasses(t *testing.T) {
	w := approvaltest.New(t, hub, tenancyv1.ClassTest)
	r := w.Release("sit")
	wants(t, "a test environment", w.Check(start, r), true, "no approval policy covers release.Deploy in environments of class Test")
	w.Joint(func(s *approvalv1.ApprovalPolicySpec) { s.Automatic = &approvalv1.Automatic{} })
	wants(t, "the policy wants it to be recorded", w.Check(start, r), false, "is being made")
	q := w.Ask(r)
	if got := w.Check(start, r); !got.Allowed || !strings.Contains(got.Reason, "agrees by itself") || got.Approval == "" {
		t.Errorf("a policy agrees by itself, and it is recorded as such: %+v", got)
	}
	if q.Spec.Policy.Standing != approvalv1.StandingAutomatic {
		t.Errorf("got %s", q.Spec.Policy.Standing)
	}

	unknown := approvaltest.New(t, hub, "")
	r = unknown.Release("unknown")
	wants(t, "an environment that nobody knows", unknown.Check(start, r), false, "in production environment")
}

// Rights outlive no revocation: whoever left, lost his role or his login before he
// decided does not count; who decided in a login that ended since does.
func TestRightsEnd(t *testing.T) {
	w := approvaltest.New(t, hub, tenancyv1.ClassProduction)
	w.Joint()
	r := w.Release("rights")
	q := w.Ask(r)
	w.Agree(q)
	if err := w.Sessions.End(t.Context(), w.Session("biz"), w.ID("biz")); err != nil {
		t.Fatal(err)
	}
	wants(t, "the login ended after the decision", w.Check(start, r), true, "approved")

	// A login that ended long before the decision: kubectl with a token that lives on.
	w.Decide("tech", q, withdraw)
	w.Clock.Pass(-10 * time.Second) // further back than the clocks of hub and server may lie apart
	if err := w.Sessions.End(t.Context(), w.Session("chief"), w.ID("chief")); err != nil {
		t.Fatal(err)
	}
	w.Clock.Pass(10 * time.Second)
	w.Decide("chief", q, approve)
	wants(t, "the login had ended", w.Check(start, r), false, "waits for 1 of party technology")
	w.Login("chief")
	w.Decide("chief", q, approve)
	wants(t, "in a new login", w.Check(start, r), true, "approved")

	// The role is taken away: the word that was given does not count any more.
	tenant := &tenancyv1.Tenant{}
	if err := hub.Client().Get(t.Context(), client.ObjectKey{Name: w.Tenant}, tenant); err != nil {
		t.Fatal(err)
	}
	before := tenant.DeepCopy()
	for i := range tenant.Spec.Roles {
		if tenant.Spec.Roles[i].Role == tenancyv1.RoleBusinessApprover {
			tenant.Spec.Roles[i].Groups = []string{w.Tenant + "-all"}
		}
	}
	if err := hub.Client().Patch(t.Context(), tenant, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
	wants(t, "the role was taken away", w.Check(start, r), false, "waits for 1 of party business")
	before = tenant.DeepCopy()
	for i := range tenant.Spec.Roles {
		if tenant.Spec.Roles[i].Role == tenancyv1.RoleBusinessApprover {
			tenant.Spec.Roles[i].Groups = append(tenant.Spec.Roles[i].Groups, w.Tenant+"-biz")
		}
	}
	if err := hub.Client().Patch(t.Context(), tenant, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
	wants(t, "and given back", w.Check(start, r), true, "approved")
	(&person{w: w, id: w.ID("biz")}).disable(t)
	wants(t, "the person left", w.Check(start, r), false, "waits for 1 of party business")
}

// A delegate stands in while the delegation holds, and makes nobody two people.
func TestDelegates(t *testing.T) {
	w := approvaltest.New(t, hub, tenancyv1.ClassProduction)
	w.Joint()
	r := w.Release("delegated")
	q := w.Ask(r)
	for _, who := range []string{"biz", "tech"} {
		d := &approvalv1.Delegation{ObjectMeta: metav1.ObjectMeta{Name: w.ID(who) + "-away"}, Spec: approvalv1.DelegationSpec{
			Principal: w.ID(who), Delegate: w.ID("verifier"), From: metav1.NewTime(time.Now().Add(-time.Minute)), Until: metav1.NewTime(time.Now().Add(time.Hour)), Groups: w.Groups(who),
		}}
		w.Prove(who, d)
		w.Create(w.As(who), d)
	}
	// verifier may not write decisions for a party of which he is none: he does by standing in.
	behalf := func(who string) func(*approvalv1.DecisionSpec) {
		return func(s *approvalv1.DecisionSpec) { s.OnBehalfOf = w.ID(who) }
	}
	early := &desk.Desk{Hub: w.System, Cases: w.Cases, Strict: w.Cases}
	if why, err := early.Refusal(t.Context(), w.Decision("verifier", q, approve, behalf("biz"))); err != nil || why != "" {
		t.Errorf("the first delegate is refused early: %q %v", why, err)
	}
	w.Decide("verifier", q, approve, behalf("biz"))
	wants(t, "one of two", w.Check(start, r), false, "waits for 1 of party technology")
	w.Decide("verifier", q, approve, behalf("tech"))
	wants(t, "one delegate of two people is still one person", w.Check(start, r), false, "waits for 1 of party ")
	w.Decide("chief", q, approve)
	w.Decide("all", q, approve)
	wants(t, "and leaves a seat to others", w.Check(start, r), true, "approved")

	// Nobody stands in for whom he has no delegation of.
	second := w.Release("undelegated")
	q = w.Ask(second)
	w.Decide("manager", q, approve, behalf("biz"))
	w.Decide("tech", q, approve)
	wants(t, "no delegation", w.Check(start, second), false, "waits for 1 of party business")
}

func is(q *approvalv1.ApprovalRequest, kind string) bool {
	for _, c := range q.Status.Conditions {
		if c.Type == kind {
			return c.Status == metav1.ConditionTrue
		}
	}
	return false
}
