// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"

	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
	"github.com/fairway-cloud/fairway/internal/server"
)

// kubectl is told early that a decision would not count, as the API tells everybody.
func TestProxyRefusesDecisionsEarly(t *testing.T) {
	caller, seen := spy(t)
	var asked []string
	s := newSite(t, withHub(caller), func(c *server.Config) {
		c.Before = func(_ context.Context, kind string, object map[string]any) error {
			raw, err := json.Marshal(object)
			if err != nil {
				return err
			}
			asked = append(asked, kind+" "+string(raw))
			if strings.Contains(string(raw), `"request":"own-1"`) {
				return httpapi.NewProblem(httpapi.CodeDenied, "could not decide on request %q: teller-7 is a maker of it", "own-1")
			}
			return nil
		}
	})
	const path = "/hub/apis/approval.fairway.cloud/v1alpha1/namespaces/retail-prod/decisions"
	got := s.do(http.MethodPost, path, tellerToken, `{"metadata":{"generateName":"d-"},"spec":{"request":"own-1","verdict":"Approve"}}`)
	if got.status != http.StatusForbidden || !strings.Contains(string(got.body), "is a maker of it") {
		t.Errorf("%d %s", got.status, got.body)
	}
	if len(*seen) != 0 {
		t.Errorf("the hub is not asked then: %v", (*seen)[0].URL)
	}
	if len(asked) != 1 || !strings.Contains(asked[0], `"author":"teller-7"`) || !strings.Contains(asked[0], `"groups":["retail:developers"]`) || !strings.Contains(asked[0], `"namespace":"retail-prod"`) {
		t.Errorf("it is asked about as the hub would fill it in: %v", asked)
	}
	if outcomes := s.recorder.outcomes; len(outcomes) != 1 || outcomes[0].Result != "Refused" {
		t.Errorf("the attempt is in the evidence: %+v", outcomes)
	}
	for name, body := range map[string]string{"one that counts": `{"spec":{"request":"other-1"}}`, "one that cannot be read": `spec: {}`, "one without a spec": `{}`} {
		before := len(*seen)
		if s.do(http.MethodPost, path, tellerToken, body); len(*seen) != before+1 {
			t.Errorf("%s is the hub's matter", name)
		}
	}
	asked = nil
	s.do(http.MethodPost, "/hub/apis/release.fairway.cloud/v1alpha1/namespaces/retail-prod/releases", tellerToken, `{"spec":{"request":"own-1"}}`)
	if len(asked) != 0 {
		t.Errorf("other kinds are not asked about: %v", asked)
	}
}

// What kubectl says goes up with the server's proof, as the server read it: in JSON
// and YAML, made and applied.
func TestProxyProvesWhatPeopleSay(t *testing.T) {
	type call struct{ media, body string }
	var up []call
	hub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.Method == http.MethodGet { // nothing is there yet
			w.WriteHeader(http.StatusNotFound)
			return
		}
		body, _ := io.ReadAll(r.Body)
		up = append(up, call{r.Header.Get("Content-Type"), string(body)})
		_, _ = w.Write([]byte(`{"kind":"Status"}`))
	}))
	t.Cleanup(hub.Close)
	caller, err := server.NewHub(&rest.Config{Host: hub.URL})
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(t, withHub(caller), func(c *server.Config) {
		c.Prove = func(_ context.Context, kind string, object map[string]any) error {
			name, _, _ := unstructured.NestedString(object, "metadata", "name")
			return unstructured.SetNestedField(object, "of "+kind+" "+name[:2], "spec", "proof")
		}
	})
	const decisions, delegations = "/hub/apis/approval.fairway.cloud/v1alpha1/namespaces/retail-prod/decisions", "/hub/apis/approval.fairway.cloud/v1alpha1/delegations"
	for name, test := range map[string]struct {
		method, path, media, body string
		up, has                   string // type and part of what goes up
	}{
		"json":                    {http.MethodPost, decisions, "application/json", `{"metadata":{"generateName":"d-"},"spec":{"verdict":"Approve"}}`, "application/json", `"proof":"of Decision d-"`},
		"yaml":                    {http.MethodPost, decisions, "application/yaml", "metadata: {name: d-1}\nspec: {verdict: Approve}\n", "application/json", `"proof":"of Decision d-"`},
		"applied":                 {http.MethodPatch, decisions + "/d-2", "application/apply-patch+yaml", "spec: {verdict: Approve}", "application/apply-patch+yaml", `"proof":"of Decision d-"`},
		"a delegation":            {http.MethodPost, delegations, "application/json", `{"metadata":{"name":"d-3"},"spec":{"delegate":"x"}}`, "application/json", `"principal":"teller-7","proof":"of Delegation d-"`},
		"a delegation applied":    {http.MethodPatch, delegations + "/d-4", "application/apply-patch+yaml", `{"spec":{"delegate":"x"}}`, "application/apply-patch+yaml", `"proof":"of Delegation d-"`},
		"a trial":                 {http.MethodPost, decisions + "?dryRun=All", "application/json", `{"metadata":{"name":"d-5"},"spec":{"verdict":"Approve"}}`, "application/json", `"author":"teller-7"`},
		"in another's name":       {http.MethodPost, decisions, "application/json", `{"metadata":{"name":"d-6"},"spec":{"author":"somebody"}}`, "application/json", `{"author":"somebody"`},
		"a change":                {http.MethodPatch, delegations + "/d-7", "application/merge-patch+json", `{"spec":{"until":"x"}}`, "application/merge-patch+json", `{"spec":{"until":"x"}}`},
		"another kind":            {http.MethodPost, "/hub/apis/approval.fairway.cloud/v1alpha1/freezes", "application/json", `{"spec":{}}`, "application/json", `{"spec":{}}`},
		"another group's":         {http.MethodPost, "/hub/apis/example.com/v1alpha1/delegations", "application/json", `{"spec":{}}`, "application/json", `{"spec":{}}`},
		"a status of it":          {http.MethodPatch, decisions + "/d-8/status", "application/apply-patch+yaml", `{"spec":{}}`, "application/apply-patch+yaml", `{"spec":{}}`},
		"what nobody understands": {http.MethodPost, decisions, "application/json", `{"spec":{},"spec":{}}`, "application/json", `{"spec":{},"spec":{}}`},
	} {
		t.Run(name, func(t *testing.T) {
			up = nil
			s.do(test.method, test.path, tellerToken, test.body, "Content-Type", test.media)
			if len(up) != 1 || up[0].media != test.up || !strings.Contains(up[0].body, test.has) {
				t.Fatalf("up goes %+v, want %s with %s", up, test.up, test.has)
			}
			if proven := strings.Contains(test.has, "proof"); proven != strings.Contains(up[0].body, "proof") {
				t.Errorf("proven when it should not, or not when it should: %s", up[0].body)
			}
		})
	}
	up = nil
	if got := s.do(http.MethodPost, decisions, tellerToken, "x", "Content-Type", "application/cbor"); got.status != http.StatusUnsupportedMediaType || len(up) != 0 {
		t.Errorf("what the server cannot read: %d %s", got.status, got.body)
	}
	if got := s.do(http.MethodPost, decisions, tellerToken, `{"metadata":{"name":"d-9"},"spec":{"proof":"mine"}}`); got.status != http.StatusUnprocessableEntity || len(up) != 0 {
		t.Errorf("a proof of the client's own: %d %s", got.status, got.body)
	}
}
