// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server_test

import (
	"errors"
	"flag"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/fairway-cloud/fairway/internal/approval"
	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/identity"
	identityserver "github.com/fairway-cloud/fairway/internal/identity/server"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
	"github.com/fairway-cloud/fairway/internal/platform/readmodel"
	"github.com/fairway-cloud/fairway/internal/server"
)

var update = flag.Bool("update", false, "write the generated files")

var word = regexp.MustCompile(`\{[a-zA-Z]+\}`)

// ownBodies are the bodies of routes that take no object of a kind.
var ownBodies = map[string]string{
	"release.release.resume": `{"reason":"walk"}`,
	"identity.createToken":   `{"name":"walk-1","scope":{"readOnly":true},"expires":"2027-01-01T00:00:00Z"}`,
	"identity.createAccount": `{"name":"walk-1","person":"p-walk"}`,
	"identity.confirmFactor": `{"code":"000000"}`,
}

// concrete makes a request of a route: a path, a method and a body that its
// handler would take.
func concrete(r httpapi.Route) (method, path, body string) {
	method, path = r.Method, word.ReplaceAllString(r.Pattern, "route-walk-1")
	if r.Hub {
		return http.MethodPost, "/hub/api/v1/namespaces/default/configmaps", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"generateName":"walk-"}}`
	}
	if own, ok := ownBodies[r.ID()]; ok {
		return method, path, own
	}
	if r.BodyLimit > 0 {
		body = `{"metadata":{"name":"route-walk-1","namespace":"route-walk-1"},"spec":{}}`
		if strings.Contains(path, "route-walk-1") && !strings.HasSuffix(path, "/route-walk-1/route-walk-1") {
			body = `{"metadata":{"name":"route-walk-1"},"spec":{}}`
		}
	}
	return method, path, body
}

// Every route is walked: what writes needs somebody, asks the Gate, and is
// recorded before and after; a route that forgets one of them fails here.
func TestEveryRoutePassesIdentityGateAndRecorder(t *testing.T) {
	s := newSite(t)
	writes, open, login := 0, []string{}, []string{}
	for _, r := range s.routes {
		method, path, body := concrete(r)
		headers := []string{"If-Match", `"1"`}
		if got := s.do(method, path, "", body, headers...); !r.Open && !r.Login && (got.status != http.StatusUnauthorized || got.code(t) != "unauthenticated") {
			t.Errorf("%s answers a stranger: %d %s", r.ID(), got.status, got.body)
		}
		if got := s.do(method, path, strangers, body, headers...); !r.Open && !r.Login && got.status != http.StatusUnauthorized {
			t.Errorf("%s answers an unknown token: %d %s", r.ID(), got.status, got.body)
		}
		if r.Open {
			open = append(open, path)
		}
		if r.Login {
			login = append(login, method+" "+r.Pattern)
			continue
		}
		if r.Effect != httpapi.Writes {
			if method != http.MethodGet && method != http.MethodPost {
				t.Errorf("%s: a %s that says it changes nothing", r.ID(), method)
			}
			continue
		}
		writes++
		s.walkWrite(r, method, path, body, headers)
	}
	if writes < 40 {
		t.Errorf("walked %d writing routes; the test looks in the wrong place", writes)
	}
	if diff := cmp.Diff([]string{"/healthz", "/readyz", "/api/v1/identity/providers"}, open); diff != "" {
		t.Errorf("only the probes and the ways to log in are open to everybody (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{
		"POST /api/v1/identity/login", "POST /api/v1/identity/password",
		"POST /api/v1/identity/oidc/{provider}/start", "GET /api/v1/identity/oidc/{provider}/callback",
		"POST /api/v1/identity/oidc/{provider}/device", "POST /api/v1/identity/oidc/{provider}/device/poll",
	}, login); diff != "" {
		t.Errorf("these alone let somebody in who is not known yet (-want +got):\n%s", diff)
	}
}

func (s *site) walkWrite(r httpapi.Route, method, path, body string, headers []string) {
	t := s.t
	t.Helper()
	// The Gate says no: nothing happens, nothing is recorded as begun.
	s.recorder.reset(false)
	s.gate.set(approval.Verdict{Reason: "closed"}, nil)
	if got := s.do(method, path, adminToken, body, headers...); got.status != http.StatusForbidden || got.code(t) != "denied" {
		t.Errorf("%s does not ask the gate: %d %s", r.ID(), got.status, got.body)
	}
	if len(s.gate.asked) != 1 || s.gate.asked[0].Person != "sandbox-admin" || s.gate.asked[0].Verb != r.Room+"."+r.Verb || s.gate.asked[0].Subject == "" {
		t.Errorf("%s asks the gate %v", r.ID(), s.gate.asked)
	}
	if acts, _ := s.recorder.seen(); len(acts) != 0 {
		t.Errorf("%s began although the gate said no: %v", r.ID(), acts)
	}
	// The Gate cannot find out: that means no, except on the way back.
	s.gate.set(approval.Verdict{}, errors.New("away"))
	got := s.do(method, path, adminToken, body, headers...)
	if gateway := got.status == http.StatusServiceUnavailable && got.code(t) == "unavailable"; gateway == r.WayBack {
		t.Errorf("%s with the gate away: %d %s", r.ID(), got.status, got.body)
	}
	// The evidence is away: nothing happens, except on the way back.
	s.gate.set(allow, nil)
	s.recorder.reset(true)
	got = s.do(method, path, adminToken, body, headers...)
	if closed := got.status == http.StatusServiceUnavailable && got.code(t) == "evidence-away"; closed == r.WayBack {
		t.Errorf("%s with the evidence away: %d %s", r.ID(), got.status, got.body)
	}
	// All well: one intent and one outcome, whatever came of it, and no answer 500.
	s.recorder.reset(false)
	got = s.do(method, path, adminToken, body, headers...)
	acts, outcomes := s.recorder.seen()
	if len(acts) != 1 || len(outcomes) != 1 || acts[0].Person != "sandbox-admin" || acts[0].Trace == "" || acts[0].Verdict == "" {
		t.Errorf("%s is recorded with %d intents and %d outcomes: %v", r.ID(), len(acts), len(outcomes), acts)
	}
	if got.status == http.StatusInternalServerError {
		t.Errorf("%s answers 500: %s", r.ID(), got.body)
	}
	if got.status >= 400 && (len(outcomes) != 1 || outcomes[0].Result == audit.Done) {
		t.Errorf("%s answers %d and is recorded as %v", r.ID(), got.status, outcomes)
	}
}

func TestRoutesThatCouldSlipThroughAreNotMounted(t *testing.T) {
	chain := newChain()
	good := httpapi.Route{Method: "POST", Pattern: "/x", Room: "app", Verb: "x", Effect: httpapi.Writes,
		Describe: func(*http.Request) (httpapi.Act, error) { return httpapi.Act{}, nil },
		Handler:  func(http.ResponseWriter, *http.Request) error { return nil }}
	tests := map[string]struct {
		change func(*httpapi.Route)
		reason string
	}{
		"NoEffect":   {func(r *httpapi.Route) { r.Effect = "" }, "it does not say whether it changes anything"},
		"NoDescribe": {func(r *httpapi.Route) { r.Describe = nil }, "gate and evidence would not know what happens"},
		"OpenWrite":  {func(r *httpapi.Route) { r.Open = true }, "nobody changes anything without a name"},
		"DeleteRead": {func(r *httpapi.Route) { r.Method, r.Effect = "DELETE", httpapi.Reads }, "a DELETE changes something"},
		"NoRoom":     {func(r *httpapi.Route) { r.Room = "" }, "evidence could not name the verb"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			route := good
			test.change(&route)
			if _, err := chain.Mount([]httpapi.Route{route}); err == nil {
				t.Errorf("must not be mounted: %s", test.reason)
			}
		})
	}
	if _, err := chain.Mount([]httpapi.Route{good}); err != nil {
		t.Errorf("a complete route is mounted: %v", err)
	}
	if _, err := (&httpapi.Chain{}).Mount([]httpapi.Route{good}); err == nil {
		t.Error("a chain without ports mounts nothing")
	}
}

// The document in docs/reference is the one that the server answers with.
func TestOpenAPIIsCurrent(t *testing.T) {
	api := alone(t)
	handler, err := api.Handler()
	if err != nil {
		t.Fatal(err)
	}
	listener := httptest.NewServer(handler)
	defer listener.Close()
	s := &site{t: t, url: listener.URL, routes: api.Routes()}
	got := s.do(http.MethodGet, "/openapi.json", adminToken, "")
	if got.status != http.StatusOK {
		t.Fatalf("%d %s", got.status, got.body)
	}
	path := filepath.Join("..", "..", "docs", "reference", "openapi.json")
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got.body, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != string(got.body) {
		t.Errorf("%s is stale: run make generate", path)
	}
	document := got.object(t)
	paths := document["paths"].(map[string]any)
	for _, r := range s.routes {
		if !r.Hub && paths[r.Pattern].(map[string]any)[strings.ToLower(r.Method)] == nil {
			t.Errorf("%s %s is not documented", r.Method, r.Pattern)
		}
	}
	checkReferences(t, document, document["components"].(map[string]any)["schemas"].(map[string]any))
}

// alone is a server without anything behind it.
func alone(t *testing.T) *server.Server {
	t.Helper()
	caller, err := server.NewHub(&rest.Config{Host: "http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	store, err := readmodel.Open(t.Context(), t.TempDir()+"/readmodel.db")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	api, err := server.New(server.Config{
		Kinds: kinds(t), Version: "test", Hub: caller, Lister: fake.NewClientBuilder().Build(), Authority: server.NewReviews(nil),
		Identity: &people{known: map[string]identity.Person{adminToken: {ID: "sandbox-admin"}}}, Gate: &gate{}, Recorder: &memory{},
		Instances: store, Members: nowhere{}, Log: slog.New(slog.DiscardHandler),
		Rooms: rooms(identityserver.New(identityserver.Config{})), Schemas: schemas(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return api
}

func checkReferences(t *testing.T, node any, schemas map[string]any) {
	t.Helper()
	switch v := node.(type) {
	case map[string]any:
		if ref, ok := v["$ref"].(string); ok && schemas[strings.TrimPrefix(ref, "#/components/schemas/")] == nil {
			t.Errorf("the document refers to %q, which it does not have", ref)
		}
		for _, child := range v {
			checkReferences(t, child, schemas)
		}
	case []any:
		for _, child := range v {
			checkReferences(t, child, schemas)
		}
	}
}
