// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// kindsAnswer is what the server tells of its kinds, as far as the tests need.
const kindsAnswer = `{"version":"v1","items":[
 {"room":"fleet","group":"fleet.fairway.cloud","version":"v1alpha1","kind":"Pool","plural":"pools","singular":"pool","written":"People",
  "columns":[{"name":"Zones","type":"string","jsonPath":".spec.zones"},
   {"name":"Hosts","type":"integer","jsonPath":".status.hosts.ready"},
   {"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].status"},
   {"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}]},
 {"room":"tenancy","group":"tenancy.fairway.cloud","version":"v1alpha1","kind":"Tenant","plural":"tenants","singular":"tenant","written":"People",
  "columns":[{"name":"Display name","type":"string","jsonPath":".spec.displayName"},
   {"name":"Environments","type":"string","jsonPath":".spec.environments"}]},
 {"room":"app","group":"app.fairway.cloud","version":"v1alpha1","kind":"Application","plural":"applications","singular":"application","shortNames":["apps"],"namespaced":true,"written":"People",
  "columns":[{"name":"Latest","type":"string","jsonPath":".status.latestRevision"},
   {"name":"Machines","type":"integer","jsonPath":".status.onMachines.instances"},
   {"name":"Level","type":"string","jsonPath":".spec.securityLevel","priority":1}]},
 {"room":"app","group":"app.fairway.cloud","version":"v1alpha1","kind":"Revision","plural":"revisions","singular":"revision","namespaced":true,"written":"Fairway","columns":[]},
 {"room":"release","group":"release.fairway.cloud","version":"v1alpha1","kind":"Release","plural":"releases","singular":"release","namespaced":true,"written":"People",
  "columns":[{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}]},
 {"room":"delivery","group":"delivery.fairway.cloud","version":"v1alpha1","kind":"Instance","plural":"instances","singular":"instance","namespaced":true,"written":"Fairway",
  "columns":[{"name":"Seat","type":"string","jsonPath":".seat"},{"name":"IP","type":"string","jsonPath":".ip"},{"name":"Restarts","type":"integer","jsonPath":".restarts"},{"name":"Age","type":"date","jsonPath":".createdAt"}]}
]}`

// now is the time of the tests.
var now = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// api is a server that answers as the tests say, and remembers what it was asked.
type api struct {
	mu      sync.Mutex
	answers map[string]func(r *http.Request, body string) (int, string)
	asked   []string
	token   string
}

// newAPI returns a server that knows the kinds, and a client of it.
func newAPI(t *testing.T) (*api, *Client) {
	t.Helper()
	a := &api{answers: map[string]func(*http.Request, string) (int, string){}}
	a.on("GET /api/v1/kinds", 200, kindsAnswer)
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "token")
	token := strings.Repeat("t0ken-", 8)
	if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := NewClient(Access{Server: server.URL, TokenFile: file})
	if err != nil {
		t.Fatal(err)
	}
	a.token = token
	return a, c
}

// on sets what a request "METHOD path" is answered with: the answers in their
// order, the last one again and again.
func (a *api) on(request string, status int, bodies ...string) {
	next := 0
	a.answers[request] = func(*http.Request, string) (int, string) {
		body := bodies[next]
		next = min(next+1, len(bodies)-1)
		return status, body
	}
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	asked := r.Method + " " + r.URL.Path
	if r.URL.RawQuery != "" {
		asked += "?" + r.URL.RawQuery
	}
	a.asked = append(a.asked, asked)
	status, answer := http.StatusNotFound, problemOf(404, "not-found", "could not find it")
	if r.Header.Get("Authorization") != "Bearer "+a.token {
		status, answer = http.StatusUnauthorized, problemOf(401, "unauthenticated", "nobody is logged in")
	} else if f, ok := a.answers[r.Method+" "+r.URL.Path]; ok {
		status, answer = f(r, string(body))
	}
	media := "application/json"
	if status >= 400 {
		media = "application/problem+json"
	}
	w.Header().Set("Content-Type", media)
	w.WriteHeader(status)
	_, _ = io.WriteString(w, answer)
}

func (a *api) wasAsked(prefix string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := 0
	for _, asked := range a.asked {
		if strings.HasPrefix(asked, prefix) {
			n++
		}
	}
	return n
}

func problemOf(status int, code, detail string) string {
	return fmt.Sprintf(`{"type":"urn:fairway:problem:%s","title":"t","status":%d,"detail":%q,"code":%q,"trace":"0af7","next":"Do this."}`, code, status, detail, code)
}

// objectOf reads JSON as the client does.
func objectOf(t *testing.T, text string) Object {
	t.Helper()
	o := Object{}
	if err := (Answer{Body: []byte(text)}).Decode(&o); err != nil {
		t.Fatal(err)
	}
	return o
}

// kindOf returns one of the kinds of kindsAnswer.
func kindOf(t *testing.T, name string) Kind {
	t.Helper()
	k, err := kindsOf(t).Find(name)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func kindsOf(t *testing.T) Kinds {
	t.Helper()
	list := struct{ Items Kinds }{}
	if err := json.Unmarshal([]byte(kindsAnswer), &list); err != nil {
		t.Fatal(err)
	}
	return list.Items
}
