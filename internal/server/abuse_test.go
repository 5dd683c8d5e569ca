// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
	"github.com/fairway-cloud/fairway/internal/server"
)

func newChain() *httpapi.Chain {
	return &httpapi.Chain{Identity: &people{}, Gate: &gate{verdict: allow}, Recorder: &memory{}, Log: slog.New(slog.DiscardHandler)}
}

// spy is a hub that remembers the requests that reach it.
func spy(t *testing.T) (*server.Hub, *[]*http.Request) {
	t.Helper()
	var seen []*http.Request
	hub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Clone(context.Background()))
		if strings.Contains(r.URL.Path, "redirect") {
			http.Redirect(w, r, "http://evil.example/", http.StatusFound)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Set-Cookie", "a=b")
		_, _ = w.Write([]byte(`{"kind":"Status"}`))
	}))
	t.Cleanup(hub.Close)
	caller, err := server.NewHub(&rest.Config{Host: hub.URL, BearerToken: "the-servers-own"})
	if err != nil {
		t.Fatal(err)
	}
	return caller, &seen
}

func withHub(h *server.Hub) change { return func(c *server.Config) { c.Hub = h } }

// Nobody speaks for somebody else, in whichever spelling (abuse cases 1 and 2).
func TestForgedHeaders(t *testing.T) {
	caller, seen := spy(t)
	s := newSite(t, withHub(caller))
	for _, name := range []string{"Impersonate-User", "impersonate_user", "IMPERSONATE-GROUP", "Impersonate-Extra-Scopes", "Impersonate-Uid", "X-Remote-User", "x_remote_group", "X-Remote-Extra-A"} {
		for _, path := range []string{"/hub/api/v1/namespaces", "/api/v1/fleet/clusters"} {
			if got := s.do(http.MethodGet, path, adminToken, "", name, "system:admin"); got.status != http.StatusBadRequest {
				t.Errorf("%s on %s: want 400, got %d", name, path, got.status)
			}
		}
	}
	if len(*seen) != 0 {
		t.Errorf("nothing of it may reach the hub, %d requests did", len(*seen))
	}
}

// What goes up is built anew: hop-by-hop tricks, credentials and cookies stay here.
func TestProxyBuildsHeadersAnew(t *testing.T) {
	caller, seen := spy(t)
	s := newSite(t, withHub(caller))
	got := s.do(http.MethodGet, "/hub/api/v1/namespaces?limit=5", tellerToken, "",
		"Connection", "Impersonate-User, Impersonate-Group, Authorization, Accept", "Accept", "application/json", "Cookie", "a=b",
		"X-Forwarded-For", "1.2.3.4", "Te", "trailers", "X-Other", "1")
	if got.status != http.StatusOK || len(*seen) != 1 {
		t.Fatalf("%d %s, %d requests", got.status, got.body, len(*seen))
	}
	up := (*seen)[0].Header
	if up.Get("Impersonate-User") != "teller-7" || strings.Join(up.Values("Impersonate-Group"), ",") != "retail:developers" {
		t.Errorf("the hub must see who asks, got %v", up)
	}
	if up.Get("Authorization") != "Bearer the-servers-own" {
		t.Errorf("the hub must see the server's own credential, got %q", up.Get("Authorization"))
	}
	for _, name := range []string{"Cookie", "X-Forwarded-For", "Te", "X-Other", "Accept"} {
		if up.Get(name) != "" && name != "Accept" || name == "Accept" && up.Get(name) == "application/json" {
			t.Errorf("%s must not go up, got %q", name, up.Get(name))
		}
	}
	if got.header.Get("Set-Cookie") != "" {
		t.Error("cookies must not come down")
	}
	if (*seen)[0].URL.RawQuery != "limit=5" {
		t.Errorf("the query goes up, got %q", (*seen)[0].URL.RawQuery)
	}
}

func TestProxyWritesAreStrict(t *testing.T) {
	caller, seen := spy(t)
	s := newSite(t, withHub(caller))
	s.do(http.MethodPost, "/hub/api/v1/namespaces/x/configmaps?fieldValidation=Ignore", adminToken, `{"a":"canary-8c1f"}`)
	if len(*seen) != 1 || (*seen)[0].URL.Query().Get("fieldValidation") != "Strict" {
		t.Errorf("unknown fields are refused whatever the client asks, got %v", (*seen)[0].URL)
	}
	acts, outcomes := s.recorder.seen()
	if len(acts) != 1 || len(outcomes) != 1 || acts[0].Verb != "server.hub" || acts[0].Subject != "POST /api/v1/namespaces/x/configmaps" {
		t.Errorf("a write through the hub is recorded, got %v", acts)
	}
	if strings.Contains(fmt.Sprint(acts, outcomes), "canary-8c1f") {
		t.Error("what is written must not reach the evidence")
	}
}

func TestProxyRefuses(t *testing.T) {
	caller, seen := spy(t)
	s := newSite(t, withHub(caller))
	tests := map[string]struct {
		method, path string
		headers      []string
		status       int
		reason       string
	}{
		"NodesProxy":    {"GET", "/hub/api/v1/nodes/east-1/proxy/run/x", nil, 403, "it reaches kubelets (abuse case 5)"},
		"NodesProxyEnd": {"POST", "/hub/api/v1/nodes/east-1/proxy", nil, 403, "it reaches kubelets"},
		"PodsProxy":     {"GET", "/hub/api/v1/namespaces/a/pods/b:8080/proxy/", nil, 403, "it reaches workloads"},
		"ServicesProxy": {"GET", "/hub/api/v1/namespaces/a/services/b/proxy/x", nil, 403, "it reaches workloads"},
		"Exec":          {"POST", "/hub/api/v1/namespaces/a/pods/b/exec", nil, 403, "sessions go through the access room (abuse case 4)"},
		"ExecByGet":     {"GET", "/hub/api/v1/namespaces/a/pods/b/exec", nil, 403, "a WebSocket begins with a GET (abuse case 4)"},
		"Upgrade":       {"GET", "/hub/api/v1/namespaces/a/pods", []string{"Connection", "Upgrade", "Upgrade", "websocket"}, 403, "the protocol is not changed"},
		"WebSocketKey":  {"GET", "/hub/api/v1/namespaces", []string{"Sec-Websocket-Key", "x"}, 403, "the protocol is not changed"},
		"Encoded":       {"GET", "/hub/api/v1/nodes/east-1%2Fproxy", nil, 400, "a path that could mean two things"},
		"DotDot":        {"GET", "/hub/api/v1/%2e%2e/%2e%2e/x", nil, 400, "a path that could mean two things"},
		"Trace":         {"TRACE", "/hub/api", nil, 405, "methods are a list"},
		"Redirect":      {"GET", "/hub/redirect", nil, 503, "redirects are not followed, nor passed on"},
		"OtherOrigin":   {"GET", "/hub/api", []string{"Origin", "https://evil.example"}, 403, "pages of other origins are not answered (abuse case 3)"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			before := len(*seen)
			got := s.do(test.method, test.path, adminToken, "", test.headers...)
			if got.status != test.status {
				t.Errorf("%s: want %d, got %d %s", test.reason, test.status, got.status, got.body)
			}
			if name != "Redirect" && len(*seen) != before {
				t.Errorf("%s: the request reached the hub", test.reason)
			}
			got.code(t)
		})
	}
}

// The proxy serves a real hub: kubectl's requests arrive under the person's name.
func TestProxyOnARealHub(t *testing.T) {
	s := newSite(t)
	namespace := hub.Namespace(t)
	made := s.do(http.MethodPost, "/hub/api/v1/namespaces/"+namespace+"/configmaps", adminToken, `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"}}`)
	if made.status != http.StatusCreated {
		t.Fatalf("%d %s", made.status, made.body)
	}
	if err := hub.Client().Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "x"}, &corev1.ConfigMap{}); err != nil {
		t.Fatal(err)
	}
	if got := s.do(http.MethodGet, "/hub/api/v1/namespaces/"+namespace+"/secrets", tellerToken, ""); got.status != http.StatusForbidden || !strings.Contains(string(got.body), "teller-7") {
		t.Errorf("RBAC holds for the person, got %d %s", got.status, got.body)
	}
	unknown := s.do(http.MethodPost, "/hub/apis/fleet.fairway.cloud/v1alpha1/datacenters", adminToken,
		`{"apiVersion":"fleet.fairway.cloud/v1alpha1","kind":"DataCenter","metadata":{"name":"x"},"spec":{"city":"F","colour":"red"}}`)
	if unknown.status != http.StatusBadRequest || !strings.Contains(string(unknown.body), "spec.colour") {
		t.Errorf("unknown fields are refused through the hub too, got %d %s", unknown.status, unknown.body)
	}
}

// An identity that could be Kubernetes' own never reaches the hub.
func TestSystemIdentitiesAreRefused(t *testing.T) {
	caller, seen := spy(t)
	s := newSite(t, withHub(caller))
	for name, person := range map[string]identity.Person{
		"Group": {ID: "x", Groups: []string{"system:masters"}},
		"User":  {ID: "system:admin"},
		"Own":   {ID: "fairway"},
		"Ours":  {ID: "x", Groups: []string{"fairway:system"}},
		"Empty": {},
	} {
		s.people.mu.Lock()
		s.people.known["odd"] = person
		s.people.mu.Unlock()
		for _, path := range []string{"/hub/api/v1/namespaces", "/api/v1/fleet/datacenters/x"} {
			if got := s.do(http.MethodGet, path, "odd", ""); got.status < 400 {
				t.Errorf("%s on %s: got %d", name, path, got.status)
			}
		}
	}
	if len(*seen) != 0 {
		t.Errorf("%d requests reached the hub", len(*seen))
	}
}

// Size is checked before identity, whether it is said or not.
func TestSizeComesBeforeIdentity(t *testing.T) {
	s := newSite(t)
	if got := s.do(http.MethodPost, "/api/v1/fleet/datacenters", "", strings.Repeat("a", 2<<20)); got.status != http.StatusRequestEntityTooLarge {
		t.Errorf("a large body of a stranger: want 413, got %d", got.status)
	}
	if got := s.do(http.MethodGet, "/api/v1/fleet/datacenters", adminToken, "{}"); got.status != http.StatusRequestEntityTooLarge {
		t.Errorf("a body where none is taken: want 413, got %d", got.status)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/api/v1/fleet/datacenters", io.LimitReader(endless{}, 8<<20))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+adminToken)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("a body of unsaid size: want 413, got %d", response.StatusCode)
	}
}

type endless struct{}

func (endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 'a'
	}
	return len(b), nil
}

// Raw requests that ordinary clients do not make.
func TestRawRequests(t *testing.T) {
	s := newSite(t)
	address := strings.TrimPrefix(s.url, "http://")
	tests := map[string]struct{ request, want, reason string }{
		"TwoCredentials": {"GET /api/v1/fleet/clusters HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + adminToken + "\r\nAuthorization: Bearer " + tellerToken + "\r\nConnection: close\r\n\r\n", " 401 ", "which of them would count?"},
		"TwoHosts":       {"GET /api/v1/fleet/clusters HTTP/1.1\r\nHost: x\r\nHost: y\r\nConnection: close\r\n\r\n", " 400 ", "two hosts"},
		"TwoLengths":     {"POST /api/v1/fleet/clusters HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\nConnection: close\r\n\r\na", " 400 ", "smuggling"},
		"Basic":          {"GET /api/v1/fleet/clusters HTTP/1.1\r\nHost: x\r\nAuthorization: Basic YTpi\r\nConnection: close\r\n\r\n", " 401 ", "only tokens"},
		"HugeHeader":     {"GET / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("a", 2<<20) + "\r\n\r\n", " 431 ", "headers are bounded"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			conn, err := net.DialTimeout("tcp", address, 5*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
			go func() { _, _ = io.WriteString(conn, test.request) }()
			line, err := bufio.NewReader(conn).ReadString('\n')
			if err != nil || !strings.Contains(line, test.want) {
				t.Errorf("%s: want%s, got %q %v", test.reason, test.want, line, err)
			}
		})
	}
}

// Unknown paths and methods are problems too.
func TestUnknownRoutes(t *testing.T) {
	s := newSite(t)
	for path, want := range map[string]int{"/": 404, "/api": 404, "/api/v1/none/things": 404, "/debug/pprof/": 404, "/api/v2/fleet/clusters": 404} {
		if got := s.do(http.MethodGet, path, adminToken, ""); got.status != want || got.code(t) != "not-found" {
			t.Errorf("%s: want %d, got %d %s", path, want, got.status, got.body)
		}
	}
	if got := s.do(http.MethodPost, "/api/v1/kinds", adminToken, ""); got.status != http.StatusMethodNotAllowed || got.code(t) != "method-not-allowed" {
		t.Errorf("a POST where there is none: %d %s", got.status, got.body)
	}
	if got := s.do(http.MethodPost, "/api/v1/app/revisions", adminToken, "{}"); got.status != http.StatusMethodNotAllowed {
		t.Errorf("nobody makes Revisions by hand: %d %s", got.status, got.body)
	}
}
