// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	deliveryv1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	identityv1 "github.com/fairway-cloud/fairway/api/identity/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app"
	"github.com/fairway-cloud/fairway/internal/app/apptest"
	"github.com/fairway-cloud/fairway/internal/release"
)

// wall is a tenant on a running server whose people have logged in.
type wall struct {
	*bench
	t *testing.T
	// tenant of which it is; its environment is live.
	tenant string
	// revision that its releases bring in.
	revision string
	// masters is the cluster's administrator, own is Fairway's account.
	masters, own client.Client
}

func (w *wall) namespace() string { return w.tenant + "-live" }

func (w *wall) fairway(who string, words ...string) (string, int) {
	w.t.Helper()
	out, errOut, code := typed(w.t, "", append(words, "--config", filepath.Join(w.dir, who+".yaml"))...)
	return out + errOut, code
}

func (w *wall) must(who string, words ...string) string {
	w.t.Helper()
	out, code := w.fairway(who, words...)
	if code != 0 {
		w.t.Fatalf("%s: fairway %s: exit %d\n%s", who, strings.Join(words, " "), code, out)
	}
	return out
}

// person makes somebody who is logged in.
func (w *wall) person(who, group string) {
	w.t.Helper()
	w.create(&identityv1.Person{ObjectMeta: metav1.ObjectMeta{Name: w.tenant + "-" + who}, Spec: identityv1.PersonSpec{Groups: []string{group}}})
	w.login(who)
}

// login opens an account for somebody, as the founder, and logs him in.
func (w *wall) login(who string) {
	w.t.Helper()
	typeIn := func(input string, words ...string) string {
		w.t.Helper()
		out, errOut, code := typed(w.t, input, words...)
		if code != 0 {
			w.t.Fatalf("fairway %s: exit %d\n%s%s", strings.Join(words, " "), code, out, errOut)
		}
		return out
	}
	where := []string{"--config", filepath.Join(w.dir, who+".yaml"), "--server", "https://" + w.address, "--ca-file", filepath.Join(w.dir, "ca.crt")}
	invitation := ""
	w.eventually("the server knows "+who, func() error {
		out, errOut, code := typed(w.t, "", "identity", "account", "add", w.tenant+"."+who, "--person", w.tenant+"-"+who, "--config", filepath.Join(w.dir, "cli.yaml"))
		if invitation = strings.TrimSpace(out); code != 0 {
			return errors.New(errOut)
		}
		return nil
	})
	typeIn(invitation+"\n"+goodPassword+"\n", append([]string{"password", "--invitation-file", "-", "--new-password-file", "-"}, where...)...)
	typeIn(goodPassword+"\n", append([]string{"login", "--user", w.tenant + "." + who, "--password-file", "-"}, where...)...)
}

// kubectl is a client of somebody through /hub.
func (w *wall) kubectl(who string) client.Client {
	w.t.Helper()
	raw, err := os.ReadFile(filepath.Join(w.dir, "tokens", w.tenant+"-"+who+".token"))
	if err != nil {
		w.t.Fatal(err)
	}
	ca, err := os.ReadFile(filepath.Join(w.dir, "ca.crt"))
	if err != nil {
		w.t.Fatal(err)
	}
	made, err := client.New(&rest.Config{Host: "https://" + w.address + "/hub", BearerToken: strings.TrimSpace(string(raw)), TLSClientConfig: rest.TLSClientConfig{CAData: ca}},
		client.Options{Scheme: w.own.Scheme()})
	if err != nil {
		w.t.Fatal(err)
	}
	return made
}

func (w *wall) create(objects ...client.Object) {
	w.t.Helper()
	for _, o := range objects {
		w.eventually("make "+o.GetName(), func() error { return client.IgnoreAlreadyExists(w.own.Create(context.Background(), o)) })
	}
}

func (w *wall) eventually(what string, check func() error) {
	w.t.Helper()
	for deadline := time.Now().Add(40 * time.Second); ; <-time.After(100 * time.Millisecond) {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("waited in vain: %s: %v", what, err)
		}
	}
}

// began says whether the Release has begun.
func (w *wall) began(name string) bool {
	w.t.Helper()
	return w.release(name).Status.StartedAt != nil
}

func (w *wall) release(name string) *releasev1.Release {
	w.t.Helper()
	r := &releasev1.Release{}
	if err := w.own.Get(w.t.Context(), client.ObjectKey{Namespace: w.namespace(), Name: name}, r); err != nil {
		w.t.Fatal(err)
	}
	return r
}

// request waits for a request and for what is reported of it.
func (w *wall) request(name, state string) *approvalv1.ApprovalRequest {
	w.t.Helper()
	q := &approvalv1.ApprovalRequest{}
	w.eventually(name+" is "+state, func() error {
		if err := w.own.Get(w.t.Context(), client.ObjectKey{Namespace: w.namespace(), Name: name}, q); err != nil {
			return err
		}
		for _, c := range q.Status.Conditions {
			if c.Reason == state {
				return nil
			}
		}
		return fmt.Errorf("%+v", q.Status.Conditions)
	})
	return q
}

// newWall makes a tenant with those roles, under those policies, and people in groups
// of their own, "<tenant>-<who>". dev writes the application.
func newWall(t *testing.T, b *bench, tenant string, roles []tenancyv1.RoleBinding, policies []approvalv1.ApprovalPolicySpec, people ...string) *wall {
	t.Helper()
	scheme, err := newScheme()
	if err != nil {
		t.Fatal(err)
	}
	w := &wall{bench: b, t: t, tenant: tenant}
	for into, config := range map[*client.Client]*rest.Config{&w.masters: hub.Config(), &w.own: hub.UserConfig(t, "fairway", "fairway:system")} {
		if *into, err = client.New(config, client.Options{Scheme: scheme}); err != nil {
			t.Fatal(err)
		}
	}
	w.create(
		&tenancyv1.Environment{ObjectMeta: metav1.ObjectMeta{Name: "live"}, Spec: tenancyv1.EnvironmentSpec{Class: tenancyv1.ClassProduction}},
		&tenancyv1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: tenant}, Spec: tenancyv1.TenantSpec{Environments: []string{"live"}, Roles: roles}},
	)
	for i, p := range policies {
		p.Match.Tenants = []string{tenant}
		w.create(&approvalv1.ApprovalPolicy{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("%s-%d", tenant, i)}, Spec: p})
	}
	for _, who := range people {
		w.person(who, tenant+"-"+who)
	}
	w.writes()
	return w
}

// writes has dev write the application, and freezes it.
func (w *wall) writes() {
	w.t.Helper()
	a := apptest.MobileBank()
	a.Namespace = w.namespace()
	w.eventually("the developer writes the application", func() error {
		return client.IgnoreAlreadyExists(w.kubectl("dev").Create(w.t.Context(), a.DeepCopy()))
	})
	world := apptest.Bank()
	world.Tenant, world.Environment = w.tenant, "live"
	frozen, err := app.Freeze(a, apptest.Images(a), world)
	if err != nil {
		w.t.Fatal(err)
	}
	revision := &appv1.Revision{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace(), Name: app.RevisionName(a.Name, frozen.Digest)},
		Spec:       appv1.RevisionSpec{Application: a.Name, Content: frozen.Text, Digest: frozen.Digest, Makers: []string{w.tenant + "-dev"}},
	}
	if err := client.IgnoreAlreadyExists(w.own.Create(w.t.Context(), revision)); err != nil {
		w.t.Fatal(err)
	}
	w.revision = revision.Name
}

// asks has ops ask for a Release, planned for a cluster.
func (w *wall) asks(name string, change ...func(*releasev1.ReleaseSpec)) *releasev1.Release {
	w.t.Helper()
	r := &releasev1.Release{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace(), Name: name}, Spec: releasev1.ReleaseSpec{
		Application: "mobile-bank", Kind: releasev1.KindDeploy, Revision: w.revision, Reason: "account 2.1", Ticket: "CHG-1", Requester: w.tenant + "-ops",
		Attachments: []releasev1.Attachment{{Kind: releasev1.AttachTestReport, Reference: "TR-1"}, {Kind: releasev1.AttachBackOutPlan, Reference: "BO-1"}},
	}}
	for _, c := range change {
		c(&r.Spec)
	}
	if err := w.kubectl("ops").Create(w.t.Context(), r); err != nil {
		w.t.Fatal(err)
	}
	w.plans(name)
	return w.release(name)
}

// plans writes a plan as the release room would: there is no cluster to plan for.
func (w *wall) plans(name string, change ...func(*release.Document)) {
	w.t.Helper()
	plan := release.Document{
		Application: w.namespace() + "/mobile-bank", Release: name, Kind: releasev1.KindDeploy, Sequence: 1, Revision: w.revision,
		Clusters: []release.ClusterPlan{{Cluster: "east-1", Namespace: w.namespace() + "-mobile-bank", Workloads: []deliveryv1.Workload{
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
	w.eventually("the release has a plan", func() error {
		now := w.release(name)
		before := now.DeepCopy()
		now.Status.Plan, now.Status.PlanDigest = text, digest
		return w.own.Status().Patch(w.t.Context(), now, client.MergeFrom(before))
	})
}

// joint are two parties of a stage: business and technology.
func joint() []approvalv1.Stage {
	return []approvalv1.Stage{{Name: "joint", Parties: []approvalv1.Party{
		{Name: "business", Roles: []tenancyv1.Role{tenancyv1.RoleBusinessApprover}}, {Name: "technology", Roles: []tenancyv1.Role{tenancyv1.RoleTechnologyApprover}},
	}}}
}

// bankOfWall has an application by its developer and a Release of it by its operator.
func bankOfWall(t *testing.T, b *bench) *wall {
	w := newWall(t, b, "wall", []tenancyv1.RoleBinding{
		{Role: tenancyv1.RoleReleaser, Groups: []string{"wall-dev", "wall-ops"}}, {Role: tenancyv1.RoleBusinessApprover, Groups: []string{"wall-biz", "wall-dev"}},
		{Role: tenancyv1.RoleTechnologyApprover, Groups: []string{"wall-tech", "wall-ops"}},
	}, []approvalv1.ApprovalPolicySpec{{Order: 1, Stages: joint()}}, "dev", "ops", "biz", "tech", "stranger")
	w.asks("first")
	return w
}

// TestTheWall is the story of a change in production through a running server: maker,
// requester, stranger and cluster administrator try every way in, and nothing counts
// but the word of two people who had no part in it.
func TestTheWall(t *testing.T) {
	w := bankOfWall(t, startServer(t))
	q := w.request("first-1", "Waiting")
	where := []string{"-n", w.namespace()}
	refused := func(reason, got string, code int, says string) {
		t.Helper()
		if code == 0 || !strings.Contains(got, says) {
			t.Errorf("%s: exit %d: %s; wanted a refusal with %q", reason, code, got, says)
		}
	}
	decision := func(who string) *approvalv1.Decision {
		return &approvalv1.Decision{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace(), GenerateName: "try-"}, Spec: approvalv1.DecisionSpec{
			Request: q.Name, Digest: q.Spec.Digest, Verdict: approvalv1.VerdictApprove, Author: "wall-" + who,
		}}
	}
	denied := func(reason string, err error, says string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v, wanted a refusal with %q", reason, err, says)
		}
	}
	out, code := w.fairway("dev", append([]string{"approve", q.Name}, where...)...)
	refused("the maker by the CLI", out, code, "is a maker of it")
	out, code = w.fairway("ops", append([]string{"approve", q.Name}, where...)...)
	refused("the requester by the CLI", out, code, "asked for it")
	out, code = w.fairway("stranger", append([]string{"approve", q.Name}, where...)...)
	refused("a stranger by the CLI", out, code, "could not find")

	denied("a stranger by kubectl", w.kubectl("stranger").Create(t.Context(), decision("stranger")), "cannot create")
	denied("the maker in another's name", w.kubectl("dev").Create(t.Context(), decision("tech")), "")
	denied("the administrator in another's name", w.masters.Create(t.Context(), decision("tech")), "spec.author is whoever decides")
	forged := client.RawPatch("application/merge-patch+json", []byte(`{"status":{"conditions":[{"type":"Ready","status":"True","reason":"Approved","message":"","lastTransitionTime":"2026-01-01T00:00:00Z"}]}}`))
	for who, c := range map[string]client.Client{"the maker": w.kubectl("dev"), "the administrator": w.masters} {
		denied(who+" writes a status", c.Status().Patch(t.Context(), q.DeepCopy(), forged), "")
		denied(who+" starts the release by its status", c.Status().Patch(t.Context(), w.release("first"), client.RawPatch("application/merge-patch+json",
			[]byte(`{"status":{"startedAt":"2026-01-01T00:00:00Z"}}`))), "")
	}
	for who, c := range map[string]client.Client{"the maker": w.kubectl("dev"), "the administrator": w.masters} {
		applied := decision("tech")
		applied.Name, applied.GenerateName, applied.TypeMeta = "applied", "", metav1.TypeMeta{APIVersion: approvalv1.GroupVersion.String(), Kind: "Decision"}
		//nolint:staticcheck // the same request as kubectl apply --server-side
		denied(who+" applies another's word", c.Patch(t.Context(), applied, client.Apply, client.FieldOwner("kubectl"), client.ForceOwnership), "forbidden")
	}
	if w.request(q.Name, "Waiting"); w.began("first") {
		t.Fatal("it began without anybody's agreement")
	}

	w.must("biz", append([]string{"approve", q.Name}, where...)...)
	if w.request(q.Name, "Waiting"); w.began("first") {
		t.Fatal("one is not enough")
	}
	// Somebody edits meanwhile: what was agreed to is void, and asked for anew.
	edited := &appv1.Application{}
	if err := w.own.Get(t.Context(), client.ObjectKey{Namespace: w.namespace(), Name: "mobile-bank"}, edited); err != nil {
		t.Fatal(err)
	}
	before := edited.DeepCopy()
	edited.Spec.Identity.Owner = "team-other"
	if err := w.kubectl("dev").Patch(t.Context(), edited, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
	w.request(q.Name, "SubjectChanged")
	out, code = w.fairway("tech", append([]string{"approve", q.Name}, where...)...)
	refused("an approver of what is void", out, code, "the request is over")
	q = w.request("first-2", "Waiting")
	w.must("biz", append([]string{"approve", q.Name}, where...)...)
	if w.began("first") {
		t.Fatal("what was agreed to before the edit counts")
	}
	w.must("tech", append([]string{"approve", q.Name}, where...)...)
	w.request(q.Name, "Approved")
	w.eventually("it begins", func() error {
		if !w.began("first") {
			return fmt.Errorf("%+v", w.release("first").Status.Conditions)
		}
		return nil
	})
	w.request(q.Name, "Used")
	out, code = w.fairway("tech", append([]string{"approve", q.Name}, where...)...)
	refused("once more", out, code, "agreed already")
}
