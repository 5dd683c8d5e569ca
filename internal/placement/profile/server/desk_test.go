// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app/apptest"
	"github.com/fairway-cloud/fairway/internal/approval"
	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/placement/profile"
	"github.com/fairway-cloud/fairway/internal/placement/profile/server"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
	"github.com/fairway-cloud/fairway/internal/platform/kubetest"
	apiserver "github.com/fairway-cloud/fairway/internal/server"
)

var hub *kubetest.Cluster

func TestMain(m *testing.M) {
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, appv1.AddToScheme, placementv1.AddToScheme} {
		if err := add(s); err != nil {
			panic(err)
		}
	}
	os.Exit(kubetest.Main(m, &hub, kubetest.WithCRDs(), kubetest.WithAdmission(), kubetest.WithManifests("config/rbac"), kubetest.WithScheme(s)))
}

// anybody comes in, and everything is recorded nowhere.
type anybody struct{}

func (anybody) Authenticate(context.Context, string) (identity.Person, error) {
	return identity.Person{ID: "p1"}, nil
}
func (anybody) Intent(context.Context, audit.Act) (string, error)    { return "1", nil }
func (anybody) Outcome(context.Context, string, audit.Outcome) error { return nil }

// may answers from a list of namespaces; an empty one stands for all.
type may map[string]bool

func (m may) May(_ context.Context, _ identity.Person, q apiserver.Question) (bool, error) {
	return q.Verb == "update" && q.Resource == "profiles" && m[q.Namespace], nil
}

// ask brings a file.
func ask(t *testing.T, desk *server.Desk, query, body string) (int, string) {
	t.Helper()
	handler, err := (&httpapi.Chain{Identity: anybody{}, Gate: approval.Unrestricted{}, Recorder: anybody{}, Log: slog.New(slog.DiscardHandler)}).Mount(server.Routes(desk))
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/api/v1/placement/profiles/import"+query, strings.NewReader(body))
	r.Header.Set("Content-Type", "text/plain; charset=utf-8")
	r.Header.Set("Authorization", "Bearer p1")
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// dying writes as a person does until its process is killed: after some writes none comes
// through any more.
type dying struct {
	client.Client
	mu   sync.Mutex
	left int
}

func (d *dying) Update(ctx context.Context, o client.Object, options ...client.UpdateOption) error {
	var all client.UpdateOptions
	all.ApplyOptions(options)
	d.mu.Lock()
	if len(all.DryRun) == 0 {
		d.left--
	}
	dead := d.left < 0
	d.mu.Unlock()
	if dead {
		return errors.New("killed")
	}
	return d.Client.Update(ctx, o, options...)
}

const head = "application,component,tag,value,source,algorithm,version,date\n"

// TestImport goes the whole way on a real hub, as a system administrator.
func TestImport(t *testing.T) {
	system := hub.UserClient(t, "fairway", "fairway:system")
	eventually := func(do func() error) {
		t.Helper()
		var err error
		for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); <-time.After(50 * time.Millisecond) {
			if err = client.IgnoreAlreadyExists(do()); err == nil {
				return
			}
		}
		t.Fatal(err)
	}
	loan := apptest.MobileBank()
	loan.Name = "loan"
	for _, o := range []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "retail-prod", Labels: map[string]string{
			"tenancy.fairway.cloud/tenant": "retail", "tenancy.fairway.cloud/environment": "prod", "app.kubernetes.io/managed-by": "fairway"}}},
		&rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "retail-prod", Name: "fairway-releaser"},
			RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "fairway-releaser"},
			Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "Group", Name: "releasers"}}},
		apptest.MobileBank(), loan,
	} {
		eventually(func() error { return system.Create(t.Context(), o.DeepCopyObject().(client.Object)) })
	}
	administrator := hub.UserClient(t, "p1", "fairway:system-administrators")
	eventually(func() error { return administrator.List(t.Context(), &placementv1.ProfileList{}) })
	desk := &server.Desk{
		Hub: system, Direct: system, Authority: may{"": true}, Clock: clocktesting.NewFakePassiveClock(time.Now()),
		As: func(context.Context) (client.Client, error) { return administrator, nil },
	}
	stored := func(name string) string {
		t.Helper()
		var p placementv1.Profile
		if err := system.Get(t.Context(), client.ObjectKey{Namespace: "retail-prod", Name: name}, &p); err != nil {
			return "none"
		}
		out := "v" + p.ResourceVersion
		for _, i := range p.Spec.Imported {
			out += fmt.Sprintf(" %s/%s@%s,%s,%s,%s,%s", i.Component, i.Tag, i.Source, i.Algorithm, i.Version, i.Value, i.At.UTC().Format(time.DateOnly))
		}
		return out
	}
	good := head + "retail-prod/mobile-bank,ledger,io-heavy,0.82,bigdata,kmeans-io,3.1,2026-11-01\nretail-prod/loan,channel,cpu-bound,,,,,2026-11-02\n"

	if code, told := ask(t, desk, "?dryRun=All", good); code != 200 || !strings.Contains(told, `"created":["retail-prod/loan","retail-prod/mobile-bank"]`) || stored("loan") != "none" {
		t.Errorf("a dry run says what would be: %d %s; %s", code, told, stored("loan"))
	}
	if code, told := ask(t, desk, "", good); code != 200 || !strings.Contains(told, `"rows":2`) {
		t.Errorf("%d %s", code, told)
	}
	first := stored("mobile-bank")
	if !strings.HasSuffix(first, " ledger/io-heavy@bigdata,kmeans-io,3.1,0.82,2026-11-01") || !strings.HasSuffix(stored("loan"), " channel/cpu-bound@cmdb,,,,2026-11-02") {
		t.Errorf("%s; %s", first, stored("loan"))
	}
	if code, told := ask(t, desk, "", good); code != 200 || !strings.Contains(told, `"created":[],"updated":[],"unchanged":2`) || stored("mobile-bank") != first {
		t.Errorf("the same again writes nothing: %d %s", code, told)
	}
	// One row is wrong: none is written.
	code, told := ask(t, desk, "", head+"retail-prod/mobile-bank,ledger,peak-morning,,,,,2026-11-01\nretail-prod/gone,web,io-heavy,,,,,2026-11-01\n")
	if code != 422 || !strings.Contains(told, `line 3: there is no application \"retail-prod/gone\"`) || !strings.Contains(told, "nothing was written") || stored("mobile-bank") != first {
		t.Errorf("%d %s", code, told)
	}
	if code, told := ask(t, desk, "?format=json&source=bigdata", `{"tags": [{"application": "retail-prod/mobile-bank", "component": "ledger"}]}`); code != 200 || !strings.Contains(told, `"updated":["retail-prod/mobile-bank"]`) {
		t.Errorf("%d %s", code, told)
	}
	if got := stored("mobile-bank"); strings.Contains(got, "ledger/") {
		t.Errorf("its source says that there is none any more: %s", got)
	}
	if code, told := ask(t, desk, "", strings.Repeat("x", profile.MostBytes+1)); code != 413 {
		t.Errorf("a file that is too large: %d %s", code, told)
	}
	for _, query := range []string{"?format=xls", "?source=Big%20Data", "?what=1"} {
		if code, told := ask(t, desk, query, good); code != 400 {
			t.Errorf("%s: %d %s", query, code, told)
		}
	}

	// The server is killed after the first of two writes: the same file does what is left.
	next := head + "retail-prod/mobile-bank,ledger,peak-morning,,,,,2026-11-03\nretail-prod/loan,channel,peak-morning,,,,,2026-11-03\n"
	broken := *desk
	broken.As = func(context.Context) (client.Client, error) { return &dying{Client: administrator, left: 1}, nil }
	if code, told := ask(t, &broken, "", next); code != 409 || !strings.Contains(told, "1 of 2 profiles were not written") || !strings.Contains(told, "Import the same file again") {
		t.Errorf("%d %s", code, told)
	}
	if code, told := ask(t, desk, "", next); code != 200 || !strings.Contains(told, `"unchanged":1`) || !strings.Contains(stored("loan"), "channel/peak-morning") || !strings.Contains(stored("mobile-bank"), "ledger/peak-morning") {
		t.Errorf("the same file does what is left: %d %s; %s; %s", code, told, stored("loan"), stored("mobile-bank"))
	}

	// Whoever may not learns nothing of what is there, and the hub says so too.
	desk.Authority = may{"cards-prod": true}
	if code, told := ask(t, desk, "", head+"retail-prod/gone,web,io-heavy,,,,,2026-11-01\n"); code != 403 || strings.Contains(told, "gone") {
		t.Errorf("%d %s", code, told)
	}
	desk.Authority = may{"": true}
	desk.As = func(context.Context) (client.Client, error) { return hub.UserClient(t, "p2", "releasers"), nil }
	before := stored("loan")
	if code, told := ask(t, desk, "", head+"retail-prod/loan,channel,io-heavy,,,,,2026-11-01\n"); code != 422 || !strings.Contains(told, "forbidden") || stored("loan") != before {
		t.Errorf("a releaser writes no profile: %d %s", code, told)
	}
}
