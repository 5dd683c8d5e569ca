// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package approvaltest gives tests of approvals a tenant with its people on a real
// hub: every write goes through RBAC and admission as the person who makes it, and
// sessions are kept in a real database.
package approvaltest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	deliveryv1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	identityv1 "github.com/fairway-cloud/fairway/api/identity/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/approval"
	"github.com/fairway-cloud/fairway/internal/approval/cases"
	"github.com/fairway-cloud/fairway/internal/approval/controller"
	"github.com/fairway-cloud/fairway/internal/approval/gate"
	"github.com/fairway-cloud/fairway/internal/approval/logins"
	"github.com/fairway-cloud/fairway/internal/approval/proof"
	"github.com/fairway-cloud/fairway/internal/audit/audittest"
	"github.com/fairway-cloud/fairway/internal/identity/directory"
	"github.com/fairway-cloud/fairway/internal/identity/seal"
	"github.com/fairway-cloud/fairway/internal/identity/session"
	"github.com/fairway-cloud/fairway/internal/platform/database"
	"github.com/fairway-cloud/fairway/internal/platform/kubetest"
)

// Options of the hub that a World needs; give them to kubetest.Main.
func Options() []kubetest.Option {
	return []kubetest.Option{kubetest.WithCRDs(), kubetest.WithAdmission(), kubetest.WithManifests("config/rbac"), kubetest.WithScheme(Scheme())}
}

// Scheme knows the kinds of a World.
func Scheme() *runtime.Scheme {
	made := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		clientgoscheme.AddToScheme, appv1.AddToScheme, approvalv1.AddToScheme, deliveryv1.AddToScheme, identityv1.AddToScheme,
		releasev1.AddToScheme, tenancyv1.AddToScheme,
	} {
		if err := add(made); err != nil {
			panic(err)
		}
	}
	return made
}

func init() { ctrl.SetLogger(logr.Discard()) }

// Clock is the machine's, set forward by what a test lets pass.
type Clock struct{ ahead atomic.Int64 }

// Now is the time.
func (c *Clock) Now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

// Pass lets time pass.
func (c *Clock) Pass(d time.Duration) { c.ahead.Add(int64(d)) }

// World is one tenant with an environment of its own.
type World struct {
	t   testing.TB
	hub *kubetest.Cluster
	// Tenant, Environment and the hub namespace of both.
	Tenant, Environment, Namespace string
	// System is Fairway's own account, with no more rights than it is installed with.
	System client.Client
	// Clock of the gate and the controllers.
	Clock *Clock
	// Database of the sessions.
	Database *database.DB
	Sessions *session.Store
	// Journal keeps the evidence.
	Journal *audittest.Log
	// Proofs are the server's.
	Proofs   *proof.Keys
	Cases    *cases.Reader
	Gate     *gate.Gate
	Requests *controller.Requests
	Progress *controller.Progress

	logins map[string]login
}

// login is a person in a session.
type login struct {
	groups  []string
	session string
}

// Roles of the people of a World, by the first part of their ids: "dev" wrote the
// application, "ops" asks for releases, "biz" and "tech" agree.
var roles = map[string][]tenancyv1.Role{
	"dev": {tenancyv1.RoleReleaser}, "ops": {tenancyv1.RoleReleaser}, "biz": {tenancyv1.RoleBusinessApprover},
	"tech": {tenancyv1.RoleTechnologyApprover}, "chief": {tenancyv1.RoleTechnologyApprover}, "verifier": {tenancyv1.RoleVerifier},
	"manager": {tenancyv1.RoleChangeManager},
	// all has every role of an approver, and is in the group of those who write.
	"all": {tenancyv1.RoleReleaser, tenancyv1.RoleBusinessApprover, tenancyv1.RoleTechnologyApprover, tenancyv1.RoleVerifier},
}

var worlds atomic.Int64

// New makes a tenant with an environment of a class, its people and their logins.
// Without a class nobody has said what the environment is.
func New(t testing.TB, hub *kubetest.Cluster, class tenancyv1.EnvironmentClass) *World {
	t.Helper()
	if hub == nil {
		t.Skip("no cluster under -short")
	}
	n := worlds.Add(1)
	w := &World{
		t: t, hub: hub, Tenant: fmt.Sprintf("bank%d", n), Environment: fmt.Sprintf("e%d", n), Clock: &Clock{}, logins: map[string]login{},
	}
	config := hub.UserConfig(t, "fairway", "fairway:system")
	config.QPS = -1 // what is measured is the hub, not a limit of the client
	var err error
	if w.System, err = client.New(config, client.Options{Scheme: Scheme()}); err != nil {
		t.Fatal(err)
	}
	w.Namespace = w.Tenant + "-" + w.Environment
	w.Journal = audittest.New("fairway", w.Clock.Now)
	w.open()
	w.found(class)
	return w
}

func (w *World) open() {
	w.t.Helper()
	db, err := database.Open(w.t.Context(), filepath.Join(w.t.TempDir(), "fairway.db"))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = db.Close() })
	w.Database = db
	// Straight from the hub, so that what a test writes is seen at once.
	people := func(ctx context.Context) (approval.People, error) {
		return directory.New(w.System, nil, time.Now).People(ctx)
	}
	if w.Sessions, err = session.New(w.t.Context(), db, session.Options{Directory: directory.New(w.System, nil, time.Now), Now: w.Clock.Now, Log: slog.New(slog.DiscardHandler)}); err != nil {
		w.t.Fatal(err)
	}
	remembered, err := logins.New(w.t.Context(), db, ever{w.Sessions}, w.Clock.Now)
	if err != nil {
		w.t.Fatal(err)
	}
	key, err := seal.Ensure(filepath.Join(w.t.TempDir(), "identity.key"))
	if err != nil {
		w.t.Fatal(err)
	}
	// The hub stamps by the machine's clock, so proofs are issued by it too.
	if w.Proofs, err = proof.New(w.t.Context(), db, key, time.Now); err != nil {
		w.t.Fatal(err)
	}
	w.Cases = &cases.Reader{Direct: w.System, People: people, Logins: remembered, Proofs: w.Proofs, Now: w.Clock.Now}
	w.Gate = &gate.Gate{Cases: w.Cases}
	w.Requests = &controller.Requests{Hub: w.System, Cases: w.Cases, Recorder: w.Journal, Proofs: w.Proofs}
	w.Progress = &controller.Progress{Hub: w.System, Cases: w.Cases}
}

// ever answers for sessions as the server does.
type ever struct{ sessions *session.Store }

func (e ever) Ever(ctx context.Context, id string) (person string, from, until time.Time, found bool, err error) {
	s, ended, err := e.sessions.Ever(ctx, id)
	if errors.Is(err, session.ErrNone) {
		return "", time.Time{}, time.Time{}, false, nil
	}
	return s.Person, s.Created, ended, err == nil, err
}

// found makes the tenant, its namespace and people.
func (w *World) found(class tenancyv1.EnvironmentClass) {
	w.t.Helper()
	masters := w.hub.Client()
	if class != "" {
		w.Create(masters, &tenancyv1.Environment{ObjectMeta: metav1.ObjectMeta{Name: w.Environment}, Spec: tenancyv1.EnvironmentSpec{Class: class}})
	}
	tenant := &tenancyv1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: w.Tenant}, Spec: tenancyv1.TenantSpec{Environments: []string{w.Environment}}}
	w.Create(w.System, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.Namespace, Labels: map[string]string{
		tenancyv1.LabelTenant: w.Tenant, tenancyv1.LabelEnvironment: w.Environment, "app.kubernetes.io/managed-by": "fairway",
	}}})
	given := map[tenancyv1.Role][]string{}
	for who, has := range roles {
		group := w.Tenant + "-" + who
		for _, role := range has {
			given[role] = append(given[role], group)
		}
		w.Person(who, group)
	}
	for role, groups := range given {
		slices.Sort(groups)
		tenant.Spec.Roles = append(tenant.Spec.Roles, tenancyv1.RoleBinding{Role: role, Groups: groups})
		name := clusterRoles[role]
		binding := &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: name}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name},
		}
		for _, g := range groups {
			binding.Subjects = append(binding.Subjects, rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: "Group", Name: g})
		}
		w.Create(w.System, binding)
	}
	w.Create(masters, tenant)
}

var clusterRoles = map[tenancyv1.Role]string{
	tenancyv1.RoleReleaser: "fairway-releaser", tenancyv1.RoleBusinessApprover: "fairway-business-approver",
	tenancyv1.RoleTechnologyApprover: "fairway-technology-approver", tenancyv1.RoleVerifier: "fairway-verifier", tenancyv1.RoleChangeManager: "fairway-change-manager",
}

// Create creates objects; what was written a moment ago may not be known to the
// hub's policies yet, so it repeats for a while.
func (w *World) Create(as client.Client, objects ...client.Object) {
	w.t.Helper()
	for _, o := range objects {
		w.Eventually(fmt.Sprintf("make %T %s", o, o.GetName()), func() error { return as.Create(w.t.Context(), o) })
	}
}

// Eventually repeats until it succeeds, and fails the test after 20 s.
func (w *World) Eventually(what string, do func() error) {
	w.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; <-time.After(50 * time.Millisecond) {
		err := do()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("could not %s: %v", what, err)
		}
	}
}

// ID is the person id of somebody of this tenant.
func (w *World) ID(who string) string { return strings.TrimSuffix(who+"-"+w.Tenant, "-") }

// Person makes a person in groups who is logged in.
func (w *World) Person(who string, groups ...string) {
	w.t.Helper()
	w.Create(w.System, &identityv1.Person{ObjectMeta: metav1.ObjectMeta{Name: w.ID(who)}, Spec: identityv1.PersonSpec{
		Logins: []identityv1.Login{{Provider: "local", Login: w.ID(who)}}, Groups: groups,
	}})
	w.Login(who, groups...)
}

// Login opens another session of a person; from now on he acts in it.
func (w *World) Login(who string, groups ...string) session.Session {
	w.t.Helper()
	if len(groups) == 0 {
		groups = w.logins[who].groups
	}
	_, opened, err := w.Sessions.Open(w.t.Context(), session.Login{Person: w.ID(who), Purpose: session.CLI})
	if err != nil {
		w.t.Fatal(err)
	}
	w.logins[who] = login{groups: groups, session: opened.ID}
	return opened
}

// Session that somebody acts in.
func (w *World) Session(who string) string { return w.logins[who].session }

// Groups of somebody.
func (w *World) Groups(who string) []string { return w.logins[who].groups }

// Config reaches the hub as somebody in his login, as the server impersonates him.
func (w *World) Config(who string) *rest.Config {
	l := w.logins[who]
	config := w.hub.Config()
	config.Impersonate = rest.ImpersonationConfig{UserName: w.ID(who), Groups: l.groups, Extra: map[string][]string{"fairway.cloud/session": {l.session}}}
	return config
}

// As is a client of somebody in his login.
func (w *World) As(who string) client.Client {
	w.t.Helper()
	made, err := client.New(w.Config(who), client.Options{Scheme: Scheme()})
	if err != nil {
		w.t.Fatal(err)
	}
	return made
}
