// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package httpapi_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/fairway-cloud/fairway/internal/approval"
	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
)

// machines are tokens by their scope. One of them is remembered while it cannot be
// checked.
type machines map[string]*identity.Scope

func (m machines) Authenticate(_ context.Context, credential string) (identity.Person, error) {
	if credential == "cannot-be-checked" {
		return identity.Person{}, errors.New("the database is away")
	}
	scope, ok := m[credential]
	if !ok {
		return identity.Person{}, httpapi.ErrUnknownCredential
	}
	return identity.Person{ID: "p1", Machine: "ci", Scope: scope}, nil
}

func (m machines) Remembered(credential string) (identity.Person, bool) {
	return identity.Person{ID: "p1"}, credential == "cannot-be-checked"
}

func scoped(t *testing.T) (string, func(method, path, token string) int) {
	t.Helper()
	ok := func(w http.ResponseWriter, _ *http.Request) error { w.WriteHeader(http.StatusOK); return nil }
	describe := func(*http.Request) (httpapi.Act, error) { return httpapi.Act{Subject: "X//y"}, nil }
	reads := func(pattern, room, kind, verb string) httpapi.Route {
		return httpapi.Route{Method: "GET", Pattern: pattern, Room: room, Kind: kind, Verb: verb, Effect: httpapi.Reads, Handler: ok}
	}
	writes := func(method, pattern, room, verb string, back bool) httpapi.Route {
		return httpapi.Route{Method: method, Pattern: pattern, Room: room, Verb: verb, Effect: httpapi.Writes, WayBack: back, Describe: describe, Handler: ok}
	}
	chain := &httpapi.Chain{Gate: approval.Unrestricted{}, Recorder: silent{}, Log: slog.New(slog.DiscardHandler), Identity: machines{
		"all": {}, "reader": {ReadOnly: true}, "sit": {Namespaces: []string{"retail-sit"}},
	}}
	handler, err := chain.Mount([]httpapi.Route{
		reads("/apps", "app", "Application", "list"), reads("/apps/{namespace}/{name}", "app", "Application", "get"), reads("/search", "audit", "", "search"),
		reads("/kinds", "server", "", "kinds"), reads("/metrics", "server", "", "metrics"), reads("/events", "server", "", "events"),
		writes("PUT", "/apps/{namespace}/{name}", "app", "update", false), writes("POST", "/decisions/{namespace}", "approval", "create", false),
		writes("POST", "/stop/{namespace}", "release", "stop", true),
		{Method: "*", Pattern: "/hub/", Room: "server", Verb: "hub", Effect: httpapi.Writes, Hub: true, Describe: describe, Handler: ok},
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL, func(method, path, token string) int {
		request, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+token)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		return response.StatusCode
	}
}

// A token's scope holds on every route, the proxy to the hub included.
func TestScopesHoldOnEveryRoute(t *testing.T) {
	_, ask := scoped(t)
	for _, test := range []struct {
		reason, token, request string
		status                 int
	}{
		{"it reads its namespace", "sit", "GET /apps/retail-sit/pay", 200},
		{"and not another", "sit", "GET /apps/retail-prod/pay", 403},
		{"nor all", "sit", "GET /apps", 403},
		{"but all of its own", "sit", "GET /apps?namespace=retail-sit", 200},
		{"a query says nothing where nobody goes by it", "sit", "GET /search?namespace=retail-sit", 403},
		{"nor beside a path", "sit", "GET /apps/retail-prod/pay?namespace=retail-sit", 403},
		{"what there is, everybody may know", "sit", "GET /kinds", 200},
		{"figures of all are not its business", "sit", "GET /metrics", 403},
		{"nor what changes everywhere", "sit", "GET /events", 403},
		{"but what changes there", "sit", "GET /events?namespace=retail-sit", 200},
		{"it writes its namespace", "sit", "PUT /apps/retail-sit/pay", 200},
		{"and not another's", "sit", "PUT /apps/retail-prod/pay", 403},
		{"a reader writes nothing", "reader", "PUT /apps/retail-sit/pay", 403},
		{"a reader reads", "reader", "GET /apps", 200},
		{"a machine agrees to nothing", "all", "POST /decisions/retail-sit", 403},
		{"by the hub neither", "all", "POST /hub/apis/approval.fairway.cloud/v1alpha1/namespaces/retail-sit/decisions", 403},
		{"nor does it change people there", "all", "PATCH /hub/apis/identity.fairway.cloud/v1alpha1/people/p1", 403},
		{"it reads its namespace on the hub", "sit", "GET /hub/apis/app.fairway.cloud/v1alpha1/namespaces/retail-sit/applications", 200},
		{"and not another there", "sit", "GET /hub/apis/app.fairway.cloud/v1alpha1/namespaces/retail-prod/applications", 403},
		{"a name that only looks like the place of one", "sit", "GET /hub/apis/fleet.fairway.cloud/v1alpha1/clusters/namespaces/retail-sit/x", 403},
		{"nor all there", "sit", "GET /hub/apis/app.fairway.cloud/v1alpha1/applications", 403},
		{"nor by a query", "sit", "GET /hub/api/v1/namespaces?namespace=retail-sit", 403},
		{"the namespace itself is not in it", "sit", "GET /hub/api/v1/namespaces/retail-sit", 403},
		{"kubectl finds out what there is", "sit", "GET /hub/apis", 200},
		{"in each group", "sit", "GET /hub/apis/app.fairway.cloud/v1alpha1", 200},
		{"and in the first one", "sit", "GET /hub/api/v1", 200},
		{"but no more", "sit", "GET /hub/api/v1/nodes", 403},
		{"a reader writes nothing there", "reader", "DELETE /hub/apis/app.fairway.cloud/v1alpha1/namespaces/retail-sit/applications/pay", 403},
		{"a reader reads there", "reader", "GET /hub/apis/app.fairway.cloud/v1alpha1/applications", 200},
	} {
		method, path, _ := strings.Cut(test.request, " ")
		if got := ask(method, path, test.token); got != test.status {
			t.Errorf("%s: %s with %q: want %d, got %d", test.reason, test.request, test.token, test.status, got)
		}
	}
}

// While sessions cannot be looked up, the way back alone is open, and to those alone
// who were known a moment ago.
func TestTheWayBackIsOpenToWhoIsRemembered(t *testing.T) {
	_, ask := scoped(t)
	for _, test := range []struct {
		reason, token, request string
		status                 int
	}{
		{"the way back", "cannot-be-checked", "POST /stop/retail-prod", 200},
		{"nothing else", "cannot-be-checked", "PUT /apps/retail-prod/pay", 503},
		{"not even reading", "cannot-be-checked", "GET /apps", 503},
		{"nobody else", "made-up", "POST /stop/retail-prod", 401},
	} {
		method, path, _ := strings.Cut(test.request, " ")
		if got := ask(method, path, test.token); got != test.status {
			t.Errorf("%s: want %d, got %d", test.reason, test.status, got)
		}
	}
}
