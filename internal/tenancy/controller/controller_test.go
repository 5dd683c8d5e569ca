// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/approval"
	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/platform/kubetest"
)

var hub *kubetest.Cluster

func init() { ctrl.SetLogger(logr.Discard()) }

func scheme() *runtime.Scheme {
	made := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, appv1.AddToScheme, fleetv1.AddToScheme, tenancyv1.AddToScheme} {
		if err := add(made); err != nil {
			panic(err)
		}
	}
	return made
}

// The hub has the rights and policies that an installation has, and the
// controller runs under Fairway's own account.
func TestMain(m *testing.M) {
	os.Exit(kubetest.Main(m, &hub, kubetest.WithCRDs(), kubetest.WithAdmission(), kubetest.WithManifests("config/rbac"), kubetest.WithScheme(scheme())))
}

// notes is a Recorder that keeps what it is told.
type notes struct {
	mu   sync.Mutex
	acts []audit.Act
	away error
}

func (n *notes) Intent(_ context.Context, act audit.Act) (string, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.away != nil {
		return "", n.away
	}
	n.acts = append(n.acts, act)
	return fmt.Sprint(len(n.acts)), nil
}

func (n *notes) Outcome(context.Context, string, audit.Outcome) error { return nil }

// gone has the log away, or back.
func (n *notes) gone(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.away = err
}

func (n *notes) about(tenant string) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var all []string
	for _, act := range n.acts {
		if act.Subject == "Tenant//"+tenant {
			all = append(all, act.Details...)
		}
	}
	return all
}

// closed is a Gate that lets nothing pass.
type closed struct{}

func (closed) Check(context.Context, approval.Act) (approval.Verdict, error) {
	return approval.Verdict{Reason: "there is a freeze until Monday: wait for its end"}, nil
}

// run runs the controller until the test ends, or stop is called.
func run(t *testing.T, gate approval.Gate) (recorder *notes, stop func()) {
	t.Helper()
	skip := true
	mgr, err := ctrl.NewManager(hub.UserConfig(t, "fairway", "fairway:system"), ctrl.Options{
		Scheme: scheme(), Metrics: metricsserver.Options{BindAddress: "0"}, Logger: logr.Discard(), Controller: config.Controller{SkipNameValidation: &skip},
	})
	if err != nil {
		t.Fatal(err)
	}
	recorder = &notes{}
	if err := Setup(mgr, Options{Gate: gate, Recorder: recorder}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(stop)
	return recorder, stop
}

func eventually(t *testing.T, what string, check func() error) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s: %v", what, err)
		}
		<-time.After(20 * time.Millisecond)
	}
}

func ensure(t *testing.T, objects ...client.Object) {
	t.Helper()
	for _, o := range objects {
		eventually(t, "make "+o.GetName(), func() error { return client.IgnoreAlreadyExists(hub.Client().Create(t.Context(), o)) })
	}
}

func environment(name string, class tenancyv1.EnvironmentClass) *tenancyv1.Environment {
	return &tenancyv1.Environment{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: tenancyv1.EnvironmentSpec{Class: class}}
}

func tenant(name string, environments []string, roles ...tenancyv1.RoleBinding) *tenancyv1.Tenant {
	return &tenancyv1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: tenancyv1.TenantSpec{Environments: environments, Roles: roles}}
}

func role(r tenancyv1.Role, groups ...string) tenancyv1.RoleBinding {
	return tenancyv1.RoleBinding{Role: r, Groups: groups}
}

// bindings tells "namespace: role -> groups" of a tenant's namespaces.
func bindings(t *testing.T, tenant string) []string {
	t.Helper()
	list := &rbacv1.RoleBindingList{}
	if err := hub.Client().List(t.Context(), list, client.MatchingLabels{"tenancy.fairway.cloud/tenant": tenant}); err != nil {
		t.Fatal(err)
	}
	all := []string{}
	for _, b := range list.Items {
		var groups []string
		for _, s := range b.Subjects {
			groups = append(groups, s.Name)
		}
		all = append(all, fmt.Sprintf("%s: %s -> %s", b.Namespace, b.RoleRef.Name, strings.Join(groups, ",")))
	}
	slices.Sort(all)
	return all
}

// settle waits until a tenant's bindings are as wanted and its condition Ready has the reason.
func settle(t *testing.T, name, reason string, want []string) *tenancyv1.Tenant {
	t.Helper()
	got := &tenancyv1.Tenant{}
	eventually(t, "bindings of "+name, func() error {
		if diff := cmp.Diff(want, bindings(t, name)); diff != "" {
			return errors.New(diff)
		}
		if err := hub.Client().Get(t.Context(), client.ObjectKey{Name: name}, got); err != nil {
			return err
		}
		ready := meta.FindStatusCondition(got.Status.Conditions, "Ready")
		if ready == nil || ready.Reason != reason || ready.ObservedGeneration != got.Generation {
			return fmt.Errorf("Ready is %+v", ready)
		}
		return nil
	})
	return got
}

func change(t *testing.T, name string, how func(*tenancyv1.Tenant)) {
	t.Helper()
	eventually(t, "change "+name, func() error {
		it := &tenancyv1.Tenant{}
		if err := hub.Client().Get(t.Context(), client.ObjectKey{Name: name}, it); err != nil {
			return err
		}
		how(it)
		return hub.Client().Update(t.Context(), it)
	})
}

func TestLife(t *testing.T) {
	recorder, stop := run(t, approval.Unrestricted{})
	pool := &fleetv1.Pool{ObjectMeta: metav1.ObjectMeta{Name: "life-pool"}, Spec: fleetv1.PoolSpec{Tenant: "life", SecurityLevel: "l", Zones: []string{"z"}}}
	ensure(t, environment("prod", tenancyv1.ClassProduction), environment("sit", tenancyv1.ClassTest), pool)
	ensure(t, tenant("life", []string{"prod", "sit"}, role(tenancyv1.RoleDeveloper, "dev"), role(tenancyv1.RoleViewer, "audit"), role(tenancyv1.RoleReleaser, "rel")))
	all := []string{
		"life-prod: fairway-releaser -> rel", "life-prod: fairway-viewer -> audit,dev",
		"life-sit: fairway-developer -> dev", "life-sit: fairway-releaser -> rel", "life-sit: fairway-viewer -> audit",
	}
	got := settle(t, "life", "Arranged", all)
	if diff := cmp.Diff([]string{"life-prod", "life-sit"}, got.Status.Namespaces); diff != "" {
		t.Errorf("namespaces (-want +got):\n%s", diff)
	}
	if len(recorder.about("life")) == 0 {
		t.Error("rights were given without evidence")
	}

	// What the roles let people do, asked of Kubernetes itself.
	developer := hub.UserClient(t, "li", "dev")
	eventually(t, "a developer writes in sit", func() error { return developer.Create(t.Context(), shop("life-sit")) })
	if err := developer.Create(t.Context(), shop("life-prod")); !apierrors.IsForbidden(err) {
		t.Errorf("a developer wrote in production: %v", err)
	}
	eventually(t, "a developer reads the Tenant", func() error { return developer.Get(t.Context(), client.ObjectKey{Name: "life"}, &tenancyv1.Tenant{}) })
	eventually(t, "a developer reads the pool", func() error { return developer.Get(t.Context(), client.ObjectKey{Name: "life-pool"}, &fleetv1.Pool{}) })
	if err := hub.UserClient(t, "wang", "others").Get(t.Context(), client.ObjectKey{Name: "life"}, &tenancyv1.Tenant{}); !apierrors.IsForbidden(err) {
		t.Errorf("somebody without a role read the Tenant: %v", err)
	}

	// The environment is in use now and stays on the list.
	eventually(t, "the application is counted", func() error {
		if err := hub.Client().Get(t.Context(), client.ObjectKey{Name: "life"}, got); err != nil {
			return err
		}
		if got.Status.Applications != 1 || !slices.Equal(got.Status.InUse, []string{"sit"}) {
			return fmt.Errorf("%d applications in %v", got.Status.Applications, got.Status.InUse)
		}
		return nil
	})
	got.Spec.Environments = []string{"prod"}
	if err := hub.Client().Update(t.Context(), got); !apierrors.IsInvalid(err) {
		t.Errorf("an environment with applications was taken off the list: %v", err)
	}
	if err := hub.Client().Delete(t.Context(), tenant("life", nil)); !apierrors.IsForbidden(err) {
		t.Errorf("a tenant with applications was deleted: %v", err)
	}

	// What somebody changed is put back; a role that is taken away goes.
	theirs := &rbacv1.RoleBinding{}
	if err := hub.Client().Get(t.Context(), client.ObjectKey{Namespace: "life-prod", Name: "fairway-viewer"}, theirs); err != nil {
		t.Fatal(err)
	}
	theirs.Subjects = append(theirs.Subjects, rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: "User", Name: "mallory"})
	if err := hub.Client().Update(t.Context(), theirs); err != nil {
		t.Fatal(err)
	}
	if err := hub.Client().Delete(t.Context(), &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "life-sit", Name: "fairway-releaser"}}); err != nil {
		t.Fatal(err)
	}
	settle(t, "life", "Arranged", all)
	change(t, "life", func(it *tenancyv1.Tenant) { it.Spec.Roles = it.Spec.Roles[:1] })
	left := []string{"life-prod: fairway-viewer -> dev", "life-sit: fairway-developer -> dev"}
	settle(t, "life", "Arranged", left)

	// A Tenant that goes while no server runs: its people have nothing afterwards,
	// and its namespaces are there.
	if err := hub.Client().Delete(t.Context(), shop("life-sit")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "nothing is counted", func() error {
		if err := hub.Client().Get(t.Context(), client.ObjectKey{Name: "life"}, got); err != nil || got.Status.Applications > 0 {
			return fmt.Errorf("%d applications: %w", got.Status.Applications, err)
		}
		return nil
	})
	stop()
	eventually(t, "the tenant is deleted", func() error { return hub.Client().Delete(t.Context(), tenant("life", nil)) })
	run(t, approval.Unrestricted{})
	eventually(t, "nobody is bound", func() error {
		if left := bindings(t, "life"); len(left) > 0 {
			return fmt.Errorf("%v", left)
		}
		if err := hub.Client().Get(t.Context(), client.ObjectKey{Name: "fairway-tenant-life"}, &rbacv1.ClusterRole{}); !apierrors.IsNotFound(err) {
			return fmt.Errorf("people still read the tenant: %v", err)
		}
		return nil
	})
	if err := hub.Client().Get(t.Context(), client.ObjectKey{Name: "life-prod"}, &corev1.Namespace{}); err != nil {
		t.Errorf("the namespace is gone: %v", err)
	}
}

// A role with an end is over at its end, without anybody's doing.
func TestRolesEnd(t *testing.T) {
	run(t, approval.Unrestricted{})
	until := metav1.NewTime(time.Now().Add(4 * time.Second).Truncate(time.Second))
	examiner := role(tenancyv1.RoleExaminer, "examiners")
	examiner.Expires = &until
	ensure(t, environment("prod", tenancyv1.ClassProduction), tenant("ends", []string{"prod"}, role(tenancyv1.RoleViewer, "audit"), examiner))
	settle(t, "ends", "Arranged", []string{"ends-prod: fairway-examiner -> examiners", "ends-prod: fairway-viewer -> audit"})
	settle(t, "ends", "Arranged", []string{"ends-prod: fairway-viewer -> audit"})
	if early := time.Until(until.Time); early > 0 {
		t.Errorf("the role was taken away %s before its end", early)
	}
}

func TestRefusals(t *testing.T) {
	recorder, _ := run(t, approval.Unrestricted{})
	foreign := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "taken-prod"}}
	ensure(t, environment("prod", tenancyv1.ClassProduction), foreign)
	ensure(t, tenant("taken", []string{"prod"}, role(tenancyv1.RoleViewer, "audit")))
	settle(t, "taken", "NamespaceTaken", []string{})
	if err := hub.Client().Get(t.Context(), client.ObjectKeyFromObject(foreign), foreign); err != nil || len(foreign.Labels) > 1 {
		t.Errorf("somebody else's namespace was touched: %v %v", foreign.Labels, err)
	}

	ensure(t, tenant("early", []string{"later"}, role(tenancyv1.RoleViewer, "audit")))
	settle(t, "early", "EnvironmentMissing", []string{})
	ensure(t, environment("later", tenancyv1.ClassTest))
	settle(t, "early", "Arranged", []string{"early-later: fairway-viewer -> audit"})

	// Rights that cannot be recorded are not given, and are once they can.
	recorder.gone(errors.New("the disk is full"))
	ensure(t, tenant("unseen", []string{"prod"}, role(tenancyv1.RoleViewer, "audit")))
	settle(t, "unseen", "Arranging", []string{})
	recorder.gone(nil)
	settle(t, "unseen", "Arranged", []string{"unseen-prod: fairway-viewer -> audit"})
}

func TestGate(t *testing.T) {
	recorder, _ := run(t, closed{})
	ensure(t, environment("prod", tenancyv1.ClassProduction), tenant("frozen", []string{"prod"}, role(tenancyv1.RoleViewer, "audit")))
	settle(t, "frozen", "Arranging", []string{})
	if got := recorder.about("frozen"); len(got) > 0 {
		t.Errorf("what the Gate refused was begun: %v", got)
	}
}

// An idle hub costs no mutating request.
func TestIdle(t *testing.T) {
	recorder, _ := run(t, approval.Unrestricted{})
	ensure(t, environment("prod", tenancyv1.ClassProduction), tenant("idle", []string{"prod"}, role(tenancyv1.RoleViewer, "audit")))
	got := settle(t, "idle", "Arranged", []string{"idle-prod: fairway-viewer -> audit"})
	before, version := len(recorder.about("idle")), got.ResourceVersion
	r := &Reconciler{hub: hub.Client(), gate: approval.Unrestricted{}, recorder: recorder, now: time.Now}
	for range 3 {
		if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKey{Name: "idle"}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := hub.Client().Get(t.Context(), client.ObjectKey{Name: "idle"}, got); err != nil {
		t.Fatal(err)
	}
	if len(recorder.about("idle")) != before || got.ResourceVersion != version {
		t.Errorf("an idle tenant was written: %v, version %s, then %s", recorder.about("idle")[before:], version, got.ResourceVersion)
	}
}

func shop(namespace string) *appv1.Application {
	return &appv1.Application{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "shop"}, Spec: appv1.ApplicationSpec{
		Identity:      appv1.Identity{System: "s", Code: "c", DisplayName: "d", Owner: "o"},
		SecurityLevel: "l3", AvailabilityClass: "a",
		Components: []appv1.Component{{
			Name: "web", Image: "registry.bank.example/web:1", Zone: "business",
			Instances: []appv1.InstanceCount{{DCN: "dcn-1", Count: 1}},
		}},
	}}
}
