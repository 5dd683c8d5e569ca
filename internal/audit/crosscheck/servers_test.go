// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package crosscheck_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/audit/audittest"
	"github.com/fairway-cloud/fairway/internal/audit/crosscheck"
	"github.com/fairway-cloud/fairway/internal/audit/index"
	"github.com/fairway-cloud/fairway/internal/platform/kubetest"
)

// servers write the audit logs that are read. A Watch compares what comes after its first look.
var servers map[string]*kubetest.Cluster

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard())
	os.Exit(kubetest.MainFleet(m, []string{"hub", "east-1"}, &servers, kubetest.WithAuditLog(), kubetest.WithCRDsOn("hub"), kubetest.WithControllerManager()))
}

// bench is a Watch on the audit logs of real API servers.
type bench struct {
	t     *testing.T
	fleet map[string]*kubetest.Cluster
	log   *audittest.Log
	index *index.Store
	watch *crosscheck.Watch
	told  []string
}

const settle = 300 * time.Millisecond

func newBench(t *testing.T) *bench {
	if servers == nil {
		t.Skip("real API servers are left out under -short")
	}
	b := &bench{t: t, log: audittest.New("server", time.Now), fleet: servers}
	var err error
	if b.index, err = index.Open(t.Context(), filepath.Join(t.TempDir(), "index.db")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.index.Close() })
	b.watch = &crosscheck.Watch{
		Folder: filepath.Dir(filepath.Dir(b.fleet["hub"].AuditLog())), State: filepath.Join(t.TempDir(), "state.json"),
		Index: b.index, Log: b.log, Recorder: b.log, Logger: slog.New(slog.DiscardHandler), Settle: settle, Patience: time.Minute,
		Clusters: func(context.Context) ([]crosscheck.Cluster, error) {
			return []crosscheck.Cluster{
				{Name: "east-1", Ours: func(namespace string) bool { return namespace == "retail-prod-pay" }},
				{Name: "west-1"},
			}, nil
		},
		Known: []string{"system:serviceaccount:bank:operator"},
		Tell: func(cluster string, w crosscheck.Write) {
			b.told = append(b.told, cluster+": "+strings.SplitN(w.String(), ": ", 2)[1])
		},
	}
	return b
}

// round lets what was written settle, and compares.
func (b *bench) round() {
	b.t.Helper()
	for range 3 { // what is found is evidence itself, which the index reads before it goes on
		if _, _, err := b.index.CatchUp(b.t.Context(), b.log); err != nil {
			b.t.Fatal(err)
		}
		if err := b.watch.Round(b.t.Context()); err != nil {
			b.t.Fatal(err)
		}
		<-time.After(settle + 50*time.Millisecond)
	}
}

func (b *bench) state(cluster string) crosscheck.State {
	s, _ := b.watch.Status(cluster)
	return s.State
}

// as is a client that acts under a name, by the credential of another.
func (b *bench) as(cluster string, config *rest.Config, person string, groups ...string) client.Client {
	b.t.Helper()
	config.Impersonate = rest.ImpersonationConfig{UserName: person, Groups: groups}
	c, err := client.New(config, client.Options{Scheme: b.fleet[cluster].Client().Scheme()})
	if err != nil {
		b.t.Fatal(err)
	}
	return c
}

func site(name, city string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "fleet.fairway.cloud/v1alpha1", "kind": "DataCenter", "metadata": map[string]any{"name": name}, "spec": map[string]any{"city": city, "role": "Active"},
	}}
}

func decision(name string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "approval.fairway.cloud/v1alpha1", "kind": "Decision", "metadata": map[string]any{"namespace": "retail-prod", "name": name},
		"spec": map[string]any{"request": "shop-x-1", "digest": "sha256:plan", "verdict": "Approve", "author": "p-9"},
	}}
}

func note(namespace, name string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
}

// bare leaves out the ids of events.
func bare(all []string) (out []string) {
	for _, one := range all {
		if i := strings.Index(one, " (event "); i >= 0 {
			one = one[:i]
		}
		out = append(out, one)
	}
	return out
}

func (b *bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// What Fairway does has its record; what somebody does past it is named, and
// nothing else. The lines are those of real API servers.
func TestExactlyWhatCameDirectlyIsNamed(t *testing.T) {
	b := newBench(t)
	ctx := t.Context()
	hub, east := b.fleet["hub"], b.fleet["east-1"]
	b.must(east.Client().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "retail-prod-pay"}}))
	b.round() // what came before is not compared
	done := audit.Outcome{Result: audit.Done}

	b.must(hub.Client().Create(ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "operators"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "Group", Name: "bank:operators"}},
	}))
	// Through Fairway: as the person, with a record; of every way to write.
	fairway := hub.UserConfig(t, "fairway", "fairway:system", "system:masters")
	person := b.as("hub", fairway, "p-7", "bank:operators")
	for _, step := range []struct {
		verb string
		do   func() error
	}{
		{"create", func() error { return person.Create(ctx, site("dc-east", "Shanghai")) }},
		{"apply", func() error {
			return person.Apply(ctx, client.ApplyConfigurationFromUnstructured(site("dc-east", "Suzhou")), client.FieldOwner("p-7"), client.ForceOwnership)
		}},
		{"update", func() error {
			current := site("dc-east", "")
			if err := person.Get(ctx, client.ObjectKeyFromObject(current), current); err != nil {
				return err
			}
			current.SetAnnotations(map[string]string{"a": "b"})
			return person.Update(ctx, current)
		}},
	} {
		end, _, err := audit.Begin(ctx, b.log, audit.FailClosed, audit.Act{Verb: "fleet." + step.verb, Person: "p-7", Subject: "DataCenter//dc-east"})
		b.must(err)
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.verb, err)
		}
		b.must(end(ctx, done))
	}
	// Fairway's own account keeps statuses without a record.
	itself := hub.UserClient(t, "fairway", "fairway:system", "system:masters")
	b.must(itself.Create(ctx, site("dc-own", "Wuhan")))
	// Dry runs and what is refused change nothing.
	b.must(hub.Client().Create(ctx, site("dc-dry", "Wuhan"), client.DryRunAll))
	b.must(hub.Client().Delete(ctx, site("dc-east", ""), client.DryRunAll))
	if err := hub.UserClient(t, "nobody").Create(ctx, site("dc-no", "Wuhan")); !apierrors.IsForbidden(err) {
		t.Fatalf("got %v", err)
	}
	if err := hub.Client().Create(ctx, site("DC_WRONG", "Wuhan")); err == nil {
		t.Fatal("an impossible name must be refused")
	}
	// A member: Fairway's account within its act, parts of the cluster, other namespaces.
	end, _, err := audit.Begin(ctx, b.log, audit.FailClosed, audit.Act{Verb: "delivery.step", Person: "p-7", Subject: "Delivery/fairway-cluster-east-1/pay", Cluster: "east-1"})
	b.must(err)
	account := east.UserClient(t, "fairway", "fairway:hub", "system:masters")
	b.must(account.Create(ctx, note("retail-prod-pay", "settings")))
	b.must(end(ctx, done))
	b.must(east.UserClient(t, "system:serviceaccount:kube-system:deployment-controller", "system:serviceaccounts:kube-system", "system:masters").Create(ctx, note("retail-prod-pay", "of-a-controller")))
	b.must(east.UserClient(t, "system:serviceaccount:bank:operator", "system:masters").Create(ctx, note("retail-prod-pay", "of-an-operator")))
	b.must(east.Client().Create(ctx, note("default", "elsewhere")))

	b.round()
	if len(b.told) > 0 {
		t.Fatalf("nothing came past Fairway, yet it is told of:\n%s", strings.Join(b.told, "\n"))
	}

	// Past Fairway.
	b.must(hub.Client().Patch(ctx, site("dc-east", ""), client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"city":"Beijing"}}`))))
	b.must(b.as("hub", hub.Config(), "p-7", "system:masters").Delete(ctx, site("dc-own", "")))                      // under a person's name
	b.must(b.as("hub", hub.Config(), "fairway", "fairway:system", "system:masters").Create(ctx, site("dc-x", "X"))) // under Fairway's
	b.must(east.Client().Create(ctx, note("retail-prod-pay", "smuggled")))
	b.round()
	want := []string{
		"east-1: create of configmap/retail-prod-pay/smuggled by admin",
		"hub: patch of datacenter//dc-east by admin",
		"hub: delete of datacenter//dc-own by p-7 through admin",
		"hub: create of datacenter//dc-x by fairway through admin",
	}
	if diff := cmp.Diff(want, bare(b.told)); diff != "" {
		t.Errorf("what nobody accounts for (-want +got):\n%s", diff)
	}
	if b.state("hub") != crosscheck.StateUnaccounted || b.state("east-1") != crosscheck.StateUnaccounted || b.state("west-1") != crosscheck.StateUnaudited {
		t.Errorf("%v", b.watch.Statuses())
	}
	// It is evidence, found by whoever wrote, and another round repeats nothing.
	b.round()
	page, err := b.index.Search(ctx, index.Query{Equal: map[string]string{"verb": crosscheck.VerbUnaccounted, "class": "crosscheck"}, Limit: 100})
	b.must(err)
	if len(page.Acts) != 4 || len(b.told) != 4 {
		t.Errorf("%d records of 4 writes, told %d times", len(page.Acts), len(b.told))
	}
	// The same person on the same object a moment later: what was found is no act of his.
	b.must(hub.Client().Patch(ctx, site("dc-east", ""), client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"city":"Tianjin"}}`))))
	b.round()
	if len(b.told) != 5 {
		t.Errorf("a second write past Fairway was taken for the first one:\n%s", strings.Join(b.told, "\n"))
	}
}

// What Kubernetes tidies up after a write is nobody's write: the garbage collector
// and the namespace controller.
func TestHousekeepingOfKubernetesIsNoWrite(t *testing.T) {
	b := newBench(t)
	ctx, hub := t.Context(), b.fleet["hub"]
	itself := hub.UserClient(t, "fairway", "fairway:system", "system:masters")
	b.must(itself.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "retail-prod"}}))
	b.must(itself.Create(ctx, note("retail-prod", "owner")))
	b.round()
	owner := note("retail-prod", "owner")
	b.must(itself.Get(ctx, client.ObjectKeyFromObject(owner), owner))
	owned := decision("owned")
	owned.SetOwnerReferences([]metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "owner", UID: owner.UID}})
	b.must(itself.Create(ctx, owned))
	b.must(itself.Create(ctx, decision("swept")))
	b.must(itself.Delete(ctx, owner))
	gone(t, itself, owned)
	b.must(itself.Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "retail-prod"}}))
	gone(t, itself, decision("swept"))
	b.round()
	raw, err := os.ReadFile(hub.AuditLog())
	b.must(err)
	for _, who := range []string{"generic-garbage-collector", "namespace-controller"} {
		if !slices.ContainsFunc(strings.Split(string(raw), "\n"), func(line string) bool {
			return strings.Contains(line, who) && strings.Contains(line, "fairway.cloud") && strings.Contains(line, `"verb":"delete`)
		}) {
			t.Errorf("the log has no delete by %s: nothing was tried", who)
		}
	}
	if len(b.told) > 0 {
		t.Errorf("housekeeping is taken for writes past Fairway:\n%s", strings.Join(b.told, "\n"))
	}
}

func gone(t *testing.T, c client.Client, object client.Object) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); <-time.After(100 * time.Millisecond) {
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(object), object); apierrors.IsNotFound(err) {
			return
		}
	}
	t.Fatalf("%s is not gone", object.GetName())
}

// The marks show that a log is written, notes what Fairway does, and arrives.
func TestALogThatShowsNoMarkIsStale(t *testing.T) {
	b := newBench(t)
	now := time.Now()
	b.watch.Now = func() time.Time { return now }
	b.watch.Patience = 15 * time.Minute
	marks := 0
	b.watch.Mark = func(ctx context.Context, cluster string) error {
		marks++
		if cluster != "hub" {
			return errors.New("not connected")
		}
		return client.IgnoreNotFound(b.fleet["hub"].UserClient(t, "fairway", "fairway:system", "system:masters").Delete(ctx, site(crosscheck.MarkName, ""), client.DryRunAll))
	}
	b.round()
	now = time.Now()
	b.round()
	if b.state("hub") != crosscheck.StateAudited || b.state("east-1") != crosscheck.StateWaiting || b.state("west-1") != crosscheck.StateUnaudited {
		t.Errorf("%v", b.watch.Statuses())
	}
	if marks != 2 {
		t.Errorf("%d marks were left, one for each log is enough", marks)
	}
	now = now.Add(16 * time.Minute)
	b.round()
	if b.state("east-1") != crosscheck.StateStale {
		t.Errorf("%v", b.watch.Statuses())
	}
}
