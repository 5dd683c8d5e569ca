// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package httpapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairway-cloud/fairway/config"
	"github.com/fairway-cloud/fairway/internal/approval"
	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
)

type anybody struct{}

func (anybody) Authenticate(_ context.Context, credential string) (identity.Person, error) {
	switch credential {
	case "broken":
		return identity.Person{}, errors.New("the directory is away: password=hunter2")
	case "unknown":
		return identity.Person{}, httpapi.ErrUnknownCredential
	case "nobody":
		return identity.Person{}, nil
	}
	return identity.Person{ID: credential}, nil
}

type silent struct{}

func (silent) Intent(context.Context, audit.Act) (string, error)    { return "1", nil }
func (silent) Outcome(context.Context, string, audit.Outcome) error { return nil }

func serve(t *testing.T, routes ...httpapi.Route) (*httptest.Server, *strings.Builder, *prometheus.Registry) {
	t.Helper()
	logged := &strings.Builder{}
	registry := prometheus.NewRegistry()
	metrics, err := httpapi.NewMetrics(registry)
	if err != nil {
		t.Fatal(err)
	}
	chain := &httpapi.Chain{Identity: anybody{}, Gate: approval.Unrestricted{}, Recorder: silent{}, Metrics: metrics, Share: 3,
		Log: slog.New(slog.NewTextHandler(logged, nil))}
	handler, err := chain.Mount(routes)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server, logged, registry
}

func ask(t *testing.T, url, token string, headers ...string) (int, http.Header, map[string]any) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	body := map[string]any{}
	_ = json.Unmarshal(raw, &body)
	return response.StatusCode, response.Header, body
}

func read(pattern string, handler httpapi.Handler) httpapi.Route {
	return httpapi.Route{Method: http.MethodGet, Pattern: pattern, Room: "app", Verb: "get", Effect: httpapi.Reads, Handler: handler}
}

// What fails inside stays inside: the client gets a trace, the log the cause.
func TestInnerErrorsStayInside(t *testing.T) {
	server, logged, _ := serve(t,
		read("/panic", func(http.ResponseWriter, *http.Request) error { panic("secret-canary") }),
		read("/error", func(http.ResponseWriter, *http.Request) error { return errors.New("secret-canary") }),
	)
	for _, path := range []string{"/panic", "/error"} {
		status, header, body := ask(t, server.URL+path, "p-1", "Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
		if status != http.StatusInternalServerError || body["trace"] != "0af7651916cd43dd8448eb211c80319c" || header.Get("Trace-Id") != body["trace"] {
			t.Errorf("%s: %d %v", path, status, body)
		}
		if text, _ := json.Marshal(body); strings.Contains(string(text), "canary") {
			t.Errorf("%s tells the client what happened inside: %s", path, text)
		}
	}
	if strings.Count(logged.String(), "secret-canary") < 2 || !strings.Contains(logged.String(), "request=0af7651916cd43dd8448eb211c80319c") {
		t.Errorf("the log knows the cause under the trace:\n%s", logged)
	}
	status, _, body := ask(t, server.URL+"/error", "broken")
	if text, _ := json.Marshal(body); status != http.StatusServiceUnavailable || strings.Contains(string(text), "hunter2") {
		t.Errorf("an identity that cannot be checked is refused without a word why: %d %v", status, body)
	}
	if status, _, body := ask(t, server.URL+"/error", "p-1", "Traceparent", "00-nonsense\"><script>-1-01"); strings.Contains(body["trace"].(string), "script") || status != 500 {
		t.Errorf("a trace that is none is replaced, got %v", body["trace"])
	}
}

// One person's script leaves room for everybody else (abuse case 43).
func TestShareOfOnePerson(t *testing.T) {
	hold := make(chan struct{})
	var inside sync.WaitGroup
	inside.Add(3)
	server, _, _ := serve(t,
		read("/slow", func(http.ResponseWriter, *http.Request) error { inside.Done(); <-hold; return nil }),
		read("/quick", func(http.ResponseWriter, *http.Request) error { return nil }),
	)
	var done sync.WaitGroup
	for range 3 {
		done.Go(func() { ask(t, server.URL+"/slow", "greedy") })
	}
	inside.Wait()
	if status, _, body := ask(t, server.URL+"/quick", "greedy"); status != http.StatusTooManyRequests || body["code"] != "too-many-requests" {
		t.Errorf("the fourth at once is refused, got %d %v", status, body)
	}
	if status, _, _ := ask(t, server.URL+"/quick", "somebody-else"); status != http.StatusOK {
		t.Errorf("others are served, got %d", status)
	}
	close(hold)
	done.Wait()
	if status, _, _ := ask(t, server.URL+"/quick", "greedy"); status != http.StatusOK {
		t.Errorf("afterwards it is served again, got %d", status)
	}
}

// Labels are rows of the table, whatever names clients make up.
func TestMetricsAreBounded(t *testing.T) {
	server, _, registry := serve(t, read("/things/{name}", func(http.ResponseWriter, *http.Request) error { return nil }))
	for _, name := range []string{"a", "b", "c"} {
		ask(t, server.URL+"/things/"+name, "p-"+name)
		ask(t, server.URL+"/nothing/"+name, "p-1")
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if len(f.GetMetric()) > 1 {
			t.Errorf("%s has %d series after requests for three names", f.GetName(), len(f.GetMetric()))
		}
	}
}

func TestFromStatus(t *testing.T) {
	tests := map[string]struct {
		status metav1.Status
		code   httpapi.Code
		field  string
		detail string
		reason string
	}{
		"Missing": {metav1.Status{Code: 404, Reason: "NotFound"}, "not-found", "", `could not find application "pay"`, "one text for all that is missing"},
		"NoNamespace": {metav1.Status{Code: 404, Reason: "NotFound", Details: &metav1.StatusDetails{Kind: "namespaces", Name: "retail-sit"}}, "not-found", "",
			`there is no namespace "retail-sit"`, "says which part is missing"},
		"Policy": {metav1.Status{Code: 422, Reason: "Invalid", Message: `applications.app.fairway.cloud "pay" is forbidden: ValidatingAdmissionPolicy 'a' with binding 'b' denied request: retire it first`},
			"invalid", "", `could not accept application "pay": retire it first`, "the policy's own sentence"},
		"Fields": {metav1.Status{Code: 422, Reason: "Invalid", Message: "x", Details: &metav1.StatusDetails{Causes: []metav1.StatusCause{{Type: "FieldValueInvalid", Field: "spec.image", Message: "needs a tag"}}}},
			"invalid", "spec.image", "", "each field with its own words"},
		"Unknown": {metav1.Status{Code: 400, Reason: "BadRequest", Message: `Application in version "v1alpha1" cannot be handled as a Application: strict decoding error: unknown field "spec.colour"`},
			"invalid", "spec.colour", "", "a misspelt field"},
		"Typed": {metav1.Status{Code: 500, Message: `failed to create typed patch object (a/b; x/v1, Kind=Y): .spec.components[name="a"].imag: field not declared in schema`},
			"invalid", `spec.components[name="a"].imag`, "", "what applying says of a misspelt field"},
		"Conflict":    {metav1.Status{Code: 409, Reason: "Conflict", Message: "the object has been modified"}, "conflict", "", "", "somebody was faster"},
		"Exists":      {metav1.Status{Code: 409, Reason: "AlreadyExists"}, "already-exists", "", "", "another code than a conflict"},
		"OwnRights":   {metav1.Status{Code: 401, Reason: "Unauthorized"}, "unavailable", "", "", "it is the server that the hub does not know, not the person"},
		"NoStatus":    {metav1.Status{Code: 503}, "unavailable", "", "", "without words the code counts"},
		"Teapot":      {metav1.Status{Code: 418}, "bad-request", "", "", "any 4xx is the request's"},
		"ServerError": {metav1.Status{Code: 500, Message: "etcd"}, "unavailable", "", "", "any 5xx is the hub's"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := httpapi.FromAPIStatus(test.status, `application "pay"`)
			if p.Code != test.code || !strings.Contains(p.Detail, test.detail) {
				t.Errorf("%s: got %s %q", test.reason, p.Code, p.Detail)
			}
			if test.field != "" && (len(p.Causes) != 1 || p.Causes[0].Field != test.field || p.Causes[0].Message == "") {
				t.Errorf("%s: got causes %v", test.reason, p.Causes)
			}
			if p.Next == "" || p.Title == "" || p.Status < 400 {
				t.Errorf("a problem says what to do next: %+v", p)
			}
		})
	}
}

func TestKindsComeFromTheDefinitions(t *testing.T) {
	kinds, err := httpapi.Kinds(config.CRDs)
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]httpapi.Kind{}
	for _, k := range kinds {
		byName[k.SchemaName()] = k
	}
	app := byName["app.Application"]
	if app.Plural != "applications" || !app.Namespaced || app.Written != httpapi.People || len(app.Columns) == 0 {
		t.Errorf("Application: %+v", app)
	}
	for _, name := range []string{"app.Revision", "placement.Placement", "delivery.Delivery", "delivery.Rendering"} {
		if byName[name].Written != httpapi.Fairway {
			t.Errorf("%s is made by Fairway alone", name)
		}
	}
	if dcn := byName["fleet.DCN"]; dcn.Plural != "dcns" || dcn.Namespaced {
		t.Errorf("DCN: %+v", dcn)
	}
}

// Every code has a row in the reference.
func TestProblemsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../../docs/reference/problems.md")
	if err != nil {
		t.Fatal(err)
	}
	var missing []string
	for _, code := range httpapi.Codes() {
		if !strings.Contains(string(page), "| `"+string(code)+"` |") {
			missing = append(missing, string(code))
		}
	}
	if diff := cmp.Diff([]string(nil), missing); diff != "" {
		t.Errorf("docs/reference/problems.md lacks:\n%s", diff)
	}
}
