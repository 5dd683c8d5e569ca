// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package authority

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/mod/sumdb/note"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	authorizationclient "k8s.io/client-go/kubernetes/typed/authorization/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	deliveryv1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	identityv1 "github.com/fairway-cloud/fairway/api/identity/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/config"
	"github.com/fairway-cloud/fairway/internal/approval"
	"github.com/fairway-cloud/fairway/internal/approval/cases"
	"github.com/fairway-cloud/fairway/internal/approval/itsm"
	approvalserver "github.com/fairway-cloud/fairway/internal/approval/server"
	windowserver "github.com/fairway-cloud/fairway/internal/approval/window/server"
	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/audit/index"
	auditserver "github.com/fairway-cloud/fairway/internal/audit/server"
	"github.com/fairway-cloud/fairway/internal/delivery"
	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/identity/amendments"
	"github.com/fairway-cloud/fairway/internal/identity/directory"
	"github.com/fairway-cloud/fairway/internal/identity/local"
	"github.com/fairway-cloud/fairway/internal/identity/lockout"
	"github.com/fairway-cloud/fairway/internal/identity/register"
	"github.com/fairway-cloud/fairway/internal/identity/rights"
	"github.com/fairway-cloud/fairway/internal/identity/seal"
	identityserver "github.com/fairway-cloud/fairway/internal/identity/server"
	"github.com/fairway-cloud/fairway/internal/identity/session"
	"github.com/fairway-cloud/fairway/internal/placement/inventory"
	profileserver "github.com/fairway-cloud/fairway/internal/placement/profile/server"
	placementserver "github.com/fairway-cloud/fairway/internal/placement/server"
	"github.com/fairway-cloud/fairway/internal/platform/database"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
	"github.com/fairway-cloud/fairway/internal/platform/kubetest"
	"github.com/fairway-cloud/fairway/internal/platform/members"
	"github.com/fairway-cloud/fairway/internal/platform/readmodel"
	"github.com/fairway-cloud/fairway/internal/server"
)

var hub *kubetest.Cluster

func init() { ctrl.SetLogger(logr.Discard()) }

// The hub has the rights and policies that an installation has.
func TestMain(m *testing.M) {
	os.Exit(kubetest.Main(m, &hub, kubetest.WithCRDs(), kubetest.WithAdmission(), kubetest.WithManifests("config/rbac"), kubetest.WithScheme(scheme())))
}

func scheme() *runtime.Scheme {
	made := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		clientgoscheme.AddToScheme, appv1.AddToScheme, approvalv1.AddToScheme, deliveryv1.AddToScheme, fleetv1.AddToScheme, identityv1.AddToScheme, placementv1.AddToScheme, releasev1.AddToScheme, tenancyv1.AddToScheme,
	} {
		if err := add(made); err != nil {
			panic(err)
		}
	}
	return made
}

func kinds(t *testing.T) []httpapi.Kind {
	t.Helper()
	found, err := httpapi.Kinds(config.CRDs)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// checks are what stands between a request and the hub. A variant leaves one out.
type checks struct {
	identity    httpapi.Authenticator
	authority   func(server.Authority) server.Authority
	impersonate bool
	gate        approval.Gate
	recorder    audit.Recorder
}

// all are the checks of an installation.
func all() checks {
	return checks{identity: byRole{}, authority: func(a server.Authority) server.Authority { return a }, impersonate: true, gate: approval.Unrestricted{}, recorder: unwritten{}}
}

// byRole knows one person for each role.
type byRole struct{}

func (byRole) Authenticate(_ context.Context, credential string) (identity.Person, error) {
	at := slices.IndexFunc(roles, func(r role) bool { return r.short == credential })
	if at < 0 {
		return identity.Person{}, httpapi.ErrUnknownCredential
	}
	return roles[at].person(), nil
}

type unwritten struct{}

func (unwritten) Intent(context.Context, audit.Act) (string, error)    { return "1", nil }
func (unwritten) Outcome(context.Context, string, audit.Outcome) error { return nil }

// told is a log in which something happened at both tenants, and somebody logged in.
type told struct{}

func (told) Size(context.Context) (uint64, error) { return 3, nil }

func (told) Read(_ context.Context, from uint64, limit int) ([]audit.Entry, error) {
	var all []audit.Entry
	for i, act := range []audit.Act{
		{Verb: "app.apply", Person: "m-re", Subject: "Application/" + mine + "/shop", Environment: "prod"},
		{Verb: "app.apply", Person: "y-re", Subject: "Application/" + yours + "/shop", Environment: "prod"},
		{Verb: "identity.login", Person: "m-re", Subject: "Login/local/m-re"},
	} {
		all = append(all, audit.Entry{Index: uint64(i), Record: audit.Record{Source: "server", Sequence: int64(i) + 1, Time: time.Unix(int64(i), 0).UTC(), Kind: audit.KindIntent, Act: &act}}) //nolint:gosec // a handful
	}
	all = all[min(int(from), len(all)):] //nolint:gosec // a handful
	return all[:min(limit, len(all))], nil
}

// signing is the key of exports.
type signing struct{ signer note.Signer }

func (s signing) Signer() note.Signer { return s.signer }

// nowhere is a Source without members.
type nowhere struct{}

func (nowhere) Get(string) (members.Member, error)                    { return nil, members.ErrNotConnected }
func (nowhere) OnConnect(func(context.Context, members.Member) error) {}

// readers asks the hub's RBAC who may read approval requests.
type readers struct{ authority server.Authority }

func (r readers) MayRead(ctx context.Context, person identity.Person, namespace string) (bool, error) {
	return r.authority.May(ctx, person, server.Question{Verb: "list", Group: "approval.fairway.cloud", Resource: "approvalrequests", Namespace: namespace})
}

// site is a server with those checks.
type site struct {
	url    string
	routes []httpapi.Route
}

func start(t *testing.T, c checks) site {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	dir, log, served := t.TempDir(), slog.New(slog.DiscardHandler), kinds(t)
	own := hub.UserConfig(t, "fairway", "fairway:system")
	own.QPS, own.Burst = 1000, 2000
	acting := rest.CopyConfig(own)
	if !c.impersonate {
		acting = hub.Config()
		acting.WrapTransport = func(next http.RoundTripper) http.RoundTripper { return asItself{next} }
	}
	caller, err := server.NewHub(acting)
	must(err)
	reviews, err := authorizationclient.NewForConfig(own)
	must(err)
	authority := c.authority(server.NewReviews(reviews.SubjectAccessReviews()))
	reader, err := client.New(own, client.Options{Scheme: scheme()})
	must(err)
	store, err := readmodel.Open(t.Context(), filepath.Join(dir, "readmodel.db"))
	must(err)
	t.Cleanup(func() { _ = store.Close() })
	db, err := database.Open(t.Context(), filepath.Join(dir, "fairway.db"))
	must(err)
	t.Cleanup(func() { _ = db.Close() })
	people := directory.New(reader, nil, time.Now)
	sessions, err := session.New(t.Context(), db, session.Options{Directory: people, Log: log})
	must(err)
	key, err := seal.Ensure(filepath.Join(dir, "key"))
	must(err)
	accounts, err := local.New(t.Context(), db, local.Options{Key: key, Log: log, Cost: local.Cost{Memory: 64, Passes: 1, Lanes: 1}})
	must(err)
	attempts, err := lockout.New(t.Context(), db, nil)
	must(err)
	evidence, err := index.Open(t.Context(), filepath.Join(dir, "index.db"))
	must(err)
	t.Cleanup(func() { _ = evidence.Close() })
	_, _, err = evidence.CatchUp(t.Context(), told{})
	must(err)
	secret, public, err := note.GenerateKey(nil, "test")
	must(err)
	signer, err := note.NewSigner(secret)
	must(err)
	for _, namespace := range []string{mine, yours} {
		must(store.Upsert(t.Context(), "c-"+namespace, delivery.Instance{
			Namespace: namespace, Application: "shop", Component: "web", Seat: "web-1", Cluster: "c-" + namespace, State: "Running", CreatedAt: time.Unix(1, 0).UTC(),
			UID: "uid-" + namespace, Pod: "shop-web-1", PodNamespace: namespace + "-shop",
		}))
	}
	list, err := inventory.Open(t.Context(), db)
	must(err)
	for _, namespace := range []string{mine, yours} {
		_, err := list.Apply(t.Context(), namespace, "shop", inventory.Truth(inventory.Seen{Namespace: namespace, Name: "shop", Imports: []placementv1.MachineImport{{Spec: placementv1.MachineImportSpec{
			Source: "cmdb", Instances: []placementv1.MachineInstance{{Component: "web", Seat: 1}},
		}}}}, time.Unix(1, 0)), time.Unix(1, 0))
		must(err)
	}
	door := identityserver.New(identityserver.Config{
		Providers: []identityserver.Provider{{Name: identity.Local, DisplayName: "Fairway", Passwords: accounts}},
		Sessions:  sessions, Accounts: accounts, Lockout: attempts, Directory: people, Recorder: c.recorder, Key: key, Log: log,
	})
	as := func(ctx context.Context) (client.Client, error) {
		person, _ := identity.FromContext(ctx)
		config := rest.CopyConfig(acting)
		config.Impersonate = rest.ImpersonationConfig{UserName: person.ID, Groups: person.Groups}
		return client.New(config, client.Options{Scheme: scheme()})
	}
	of := &cases.Reader{Direct: reader, People: func(ctx context.Context) (approval.People, error) { return people.People(ctx) }, Logins: noLogins{}, Now: time.Now}
	schemas := map[string]any{}
	for _, of := range []map[string]any{identityserver.Schemas(), register.Schemas(), auditserver.Schemas(), approvalserver.Schemas(), windowserver.Schemas(), placementserver.Schemas(), profileserver.Schemas(), itsm.Schemas()} {
		maps.Copy(schemas, of)
	}
	api, err := server.New(server.Config{
		Kinds: served, Version: "test", Hub: caller, Lister: reader, Authority: authority,
		Identity: c.identity, Gate: c.gate, Recorder: c.recorder, Instances: store, Members: nowhere{}, Log: log,
		Schemas: schemas, Check: nothing, Diff: nothing,
		Rooms: slices.Concat(door.Routes(),
			register.New(register.Config{
				Kinds: served, Reviews: reviews.SubjectAccessReviews(), Hub: reader, People: people.People, As: as, Policies: func() rights.State { return rights.State{Whole: true} },
				Own: reader, Cases: &amendments.Reader{Direct: reader, Logins: nobodysLogins{}, Proofs: nobodysLogins{}, Now: time.Now}, Prove: func(context.Context, *identityv1.Amendment) error { return nil },
			}).Routes(),
			auditserver.Routes(auditserver.Deps{Index: evidence, Log: told{}, Authority: authority, Recorder: c.recorder, Kinds: served, Logger: log, Key: signing{signer}, PublicKey: public}),
			approvalserver.Routes(&approvalserver.Desk{Hub: reader, Cases: of, Strict: of, Authority: readers{authority}}),
			windowserver.Routes(&windowserver.Desk{Hub: reader, Clock: clock.RealClock{}}),
			profileserver.Routes(&profileserver.Desk{Hub: reader, Direct: reader, As: as, Clock: clock.RealClock{}, Authority: authority}),
			placementserver.Routes(&placementserver.Desk{Hub: reader, Direct: reader, Clock: clock.RealClock{}, Authority: authority, As: as, Inventory: list, Replay: func(context.Context, string, int64) error { return nil }}), itsm.Routes(nil)),
	})
	must(err)
	handler, err := api.Handler()
	must(err)
	listener := httptest.NewServer(handler)
	t.Cleanup(listener.Close)
	return site{url: listener.URL, routes: api.Routes()}
}

// nothing is found of an application.
func nothing(context.Context, *appv1.Application) (any, error) { return []string{}, nil }

// asItself drops the name of the person from calls to the hub.
type asItself struct{ next http.RoundTripper }

func (a asItself) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	for name := range r.Header {
		if strings.HasPrefix(name, "Impersonate-") {
			r.Header.Del(name)
		}
	}
	return a.next.RoundTrip(r)
}

// noLogins remembers nobody's login.
type noLogins struct{}

func (noLogins) Login(context.Context, string) (approval.Login, bool, error) {
	return approval.Login{}, false, nil
}

// nobodysLogins is noLogins for those who propose and agree.
type nobodysLogins struct{}

func (nobodysLogins) Login(context.Context, string) (identity.Login, bool, error) {
	return identity.Login{}, false, nil
}

func (nobodysLogins) Amendment(context.Context, *identityv1.Amendment) (string, error) {
	return "unproven", nil
}

func (nobodysLogins) Confirmation(context.Context, *identityv1.Confirmation) (string, error) {
	return "unproven", nil
}
