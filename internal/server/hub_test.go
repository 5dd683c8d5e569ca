// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server_test

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
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	authorizationclient "k8s.io/client-go/kubernetes/typed/authorization/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairway-cloud/fairway/config"
	"github.com/fairway-cloud/fairway/internal/approval"
	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/delivery"
	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
	"github.com/fairway-cloud/fairway/internal/platform/kubetest"
	"github.com/fairway-cloud/fairway/internal/platform/members"
	"github.com/fairway-cloud/fairway/internal/platform/readmodel"
	"github.com/fairway-cloud/fairway/internal/server"
)

var hub *kubetest.Cluster

func TestMain(m *testing.M) { os.Exit(kubetest.Main(m, &hub, kubetest.WithCRDs())) }

// Tokens of the people of these tests.
const (
	adminToken  = "admin-token"
	tellerToken = "teller-token"
	strangers   = "nobody-knows-this"
)

// people knows tokens; one can be revoked.
type people struct {
	mu    sync.Mutex
	known map[string]identity.Person
}

func (p *people) Authenticate(_ context.Context, credential string) (identity.Person, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if who, ok := p.known[credential]; ok {
		return who, nil
	}
	return identity.Person{}, httpapi.ErrUnknownCredential
}

func (p *people) revoke(credential string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.known, credential)
}

// memory is a Recorder that keeps what it is told, and can be away.
type memory struct {
	mu       sync.Mutex
	away     bool
	intents  []audit.Act
	outcomes []audit.Outcome
}

func (m *memory) Intent(_ context.Context, act audit.Act) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.away {
		return "", errors.New("the disk is full")
	}
	m.intents = append(m.intents, act)
	return "1", nil
}

func (m *memory) Outcome(_ context.Context, _ string, outcome audit.Outcome) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.outcomes = append(m.outcomes, outcome)
	return nil
}

func (m *memory) reset(away bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.away, m.intents, m.outcomes = away, nil, nil
}

func (m *memory) seen() ([]audit.Act, []audit.Outcome) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.intents, m.outcomes
}

// gate answers as it is set.
type gate struct {
	mu      sync.Mutex
	verdict approval.Verdict
	err     error
	asked   []approval.Act
}

func (g *gate) Check(_ context.Context, act approval.Act) (approval.Verdict, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asked = append(g.asked, act)
	return g.verdict, g.err
}

func (g *gate) set(verdict approval.Verdict, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.verdict, g.err, g.asked = verdict, err, nil
}

var allow = approval.Verdict{Allowed: true, Reason: "a test allows it"}

// nowhere is a Source without members.
type nowhere struct{}

func (nowhere) Get(string) (members.Member, error)                          { return nil, members.ErrNotConnected }
func (nowhere) OnConnect(func(ctx context.Context, m members.Member) error) {}

// site is a server under test with its ports.
type site struct {
	t        *testing.T
	url      string
	people   *people
	gate     *gate
	recorder *memory
	store    *readmodel.Store
	changes  *server.Changes
	routes   []httpapi.Route
	logged   *strings.Builder
}

type change func(*server.Config)

func kinds(t testing.TB) []httpapi.Kind {
	t.Helper()
	found, err := httpapi.Kinds(config.CRDs)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func newSite(t *testing.T, changes ...change) *site {
	t.Helper()
	if hub == nil {
		t.Skip("no cluster under -short")
	}
	store, err := readmodel.Open(t.Context(), t.TempDir()+"/readmodel.db")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	caller, err := server.NewHub(hub.Config())
	if err != nil {
		t.Fatal(err)
	}
	reviews, err := authorizationclient.NewForConfig(hub.Config())
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, gate: &gate{verdict: allow}, recorder: &memory{}, store: store, changes: server.NewChanges(), logged: &strings.Builder{}}
	s.people = &people{known: map[string]identity.Person{
		adminToken:  {ID: "sandbox-admin", Groups: []string{"fairway:administrators"}},
		tellerToken: {ID: "teller-7", Groups: []string{"retail:developers"}},
	}}
	c := server.Config{
		Kinds: kinds(t), Version: "test", Hub: caller, Lister: hub.Client(), Authority: server.NewReviews(reviews.SubjectAccessReviews()),
		Identity: s.people, Gate: s.gate, Recorder: s.recorder, Instances: store, Members: nowhere{}, Changes: s.changes,
		Log: slog.New(slog.NewTextHandler(s.logged, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	c.Rooms = rooms(door(t, s.recorder))
	for _, change := range changes {
		change(&c)
	}
	api, err := server.New(c)
	if err != nil {
		t.Fatal(err)
	}
	handler, err := api.Handler()
	if err != nil {
		t.Fatal(err)
	}
	listener := httptest.NewServer(handler)
	t.Cleanup(listener.Close)
	s.url, s.routes = listener.URL, api.Routes()
	grant(t)
	return s
}

var granted sync.Once

// grant gives the administrators everything on the hub.
func grant(t *testing.T) {
	t.Helper()
	granted.Do(func() {
		binding := &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: "test-administrators"},
			Subjects:   []rbacv1.Subject{{Kind: "Group", APIGroup: "rbac.authorization.k8s.io", Name: "fairway:administrators"}},
			RoleRef:    rbacv1.RoleRef{APIGroup: "rbac.authorization.k8s.io", Kind: "ClusterRole", Name: "cluster-admin"},
		}
		if err := hub.Client().Create(context.Background(), binding); err != nil {
			t.Fatal(err)
		}
	})
}

// allowIn lets the teller do everything with our kinds in one namespace.
func allowIn(t *testing.T, namespace string) {
	t.Helper()
	role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "developer"}, Rules: []rbacv1.PolicyRule{{
		APIGroups: []string{"app.fairway.cloud", "release.fairway.cloud", "delivery.fairway.cloud"}, Resources: []string{"*"}, Verbs: []string{"*"},
	}}}
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "developer"},
		Subjects:   []rbacv1.Subject{{Kind: "Group", APIGroup: "rbac.authorization.k8s.io", Name: "retail:developers"}},
		RoleRef:    rbacv1.RoleRef{APIGroup: "rbac.authorization.k8s.io", Kind: "Role", Name: "developer"},
	}
	for _, o := range []client.Object{role, binding} {
		if err := hub.Client().Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	// RBAC is cached by the API server.
	deadline := time.Now().Add(10 * time.Second)
	for {
		c := hub.UserClient(t, "teller-7", "retail:developers")
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(releaseKind)
		if c.List(t.Context(), list, client.InNamespace(namespace)) == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the role did not take effect")
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// answer is what the server said.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) object(t *testing.T) map[string]any {
	t.Helper()
	o := map[string]any{}
	if err := json.Unmarshal(a.body, &o); err != nil {
		t.Fatalf("the answer is no JSON object: %v: %s", err, a.body)
	}
	return o
}

func (a answer) code(t *testing.T) string {
	t.Helper()
	if got := a.header.Get("Content-Type"); got != "application/problem+json" {
		t.Fatalf("want a problem, got %d %s: %s", a.status, got, a.body)
	}
	code, _ := a.object(t)["code"].(string)
	return code
}

// do sends a request as the holder of the token.
func (s *site) do(method, path, token, body string, headers ...string) answer {
	s.t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	request, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, reader)
	if err != nil {
		s.t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	read, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, read}
}

// seat makes an instance for the read model.
func seat(namespace, application, component string, number, cluster string) delivery.Instance {
	name := component + "-" + number
	return delivery.Instance{
		Namespace: namespace, Application: application, Component: component, Seat: name, IP: "10.0.0." + number, DCN: "dcn-east-1",
		DataCenter: "dc-east", Zone: "business", Rack: "east-a", Host: "east-biz-1", Cluster: cluster, Pool: "retail-business",
		Revision: application + "-0123456789", State: "Running", Ready: true, CreatedAt: time.Date(2026, 11, 20, 13, 5, 9, 0, time.UTC),
		UID: "uid-" + namespace + name, Pod: application + "-" + name + "-x", PodNamespace: namespace + "-" + application, Image: "registry/" + component + "@sha256:abc",
	}
}
