// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package hooks_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairway-cloud/fairway/config"
	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/audit/audittest"
	"github.com/fairway-cloud/fairway/internal/audit/hooks"
	"github.com/fairway-cloud/fairway/internal/platform/admission"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
	"github.com/fairway-cloud/fairway/internal/platform/kubetest"
	"github.com/fairway-cloud/fairway/internal/platform/sealing"
	"github.com/fairway-cloud/fairway/internal/sandbox/pki"
)

var hub *kubetest.Cluster

func TestMain(m *testing.M) { os.Exit(kubetest.Main(m, &hub, kubetest.WithCRDs())) }

const token = "a-token-of-at-least-thirty-two-characters"

// spooling is a log in memory with a spool beside it.
type spooling struct {
	*audittest.Log
	mu      sync.Mutex
	spooled []audit.Act
}

func (s *spooling) Spool(_ context.Context, act audit.Act) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spooled = append(s.spooled, act)
	return "1", nil
}

func (s *spooling) inSpool() []audit.Act {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]audit.Act(nil), s.spooled...)
}

// site is a hook that the hub asks over TLS.
type site struct {
	t         *testing.T
	log       *spooling
	namespace string
	url       string
	server    *httptest.Server
	client    *http.Client
}

func newSite(t *testing.T) *site {
	t.Helper()
	if hub == nil {
		t.Skip("no cluster under -short")
	}
	s := &site{t: t, log: &spooling{Log: audittest.New("server", time.Now)}, namespace: hub.Namespace(t)}
	hook, err := hooks.New(hooks.Config{
		Recorder: s.log, Token: token, Log: slog.New(slog.DiscardHandler), Settle: 100 * time.Millisecond,
		InFlight: func(person, value string) bool { return person == "p-7" && value == "trace.nonce" },
		Look: func(ctx context.Context, group, version, kind, namespace, name string) (map[string]any, error) {
			o := object(schema.GroupVersionKind{Group: group, Version: version, Kind: kind}, namespace, name)
			err := hub.Client().Get(ctx, client.ObjectKeyFromObject(o), o)
			if apierrors.IsNotFound(err) {
				return nil, nil
			}
			return o.Object, err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- hook.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	authority, err := pki.New("test")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := authority.Issue(pki.Request{CommonName: "fairway", IPs: []net.IP{net.IPv4(127, 0, 0, 1)}})
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := tls.X509KeyPair(pair.Cert, pair.Key)
	if err != nil {
		t.Fatal(err)
	}
	s.server = httptest.NewUnstartedServer(hook)
	s.server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	s.server.StartTLS()
	t.Cleanup(s.server.Close)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority.CertPEM())
	s.client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, DisableKeepAlives: true}}
	s.url = s.server.URL
	kinds, err := httpapi.Kinds(config.CRDs)
	if err != nil {
		t.Fatal(err)
	}
	configuration := admission.Configuration(admission.Server{URL: s.url, Token: token, CA: authority.CertPEM()}, hooks.Matter(kinds))
	if err := hub.Client().Create(t.Context(), configuration); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := hub.Client().Delete(context.Background(), configuration); err != nil {
			t.Error(err)
		}
		s.until("the hub asks nobody any more", func() bool {
			before := len(s.log.Entries()) + len(s.log.inSpool())
			_ = hub.Client().Delete(context.Background(), center("nothing"))
			probe := center("probe-" + s.namespace)
			err := hub.Client().Create(context.Background(), probe)
			_ = hub.Client().Delete(context.Background(), probe)
			return err == nil && len(s.log.Entries())+len(s.log.inSpool()) == before
		})
	})
	// The hub takes a moment until it asks.
	s.until("the hub asks", func() bool {
		probe := center("first-" + s.namespace)
		if err := hub.Client().Create(t.Context(), probe); err != nil {
			t.Fatal(err)
		}
		_ = hub.Client().Delete(t.Context(), probe)
		return len(s.log.Entries()) > 0
	})
	s.settled()
	s.log.Set(nil)
	return s
}

// until repeats a question to a real server.
func (s *site) until(what string, ask func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ask(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("never: %s; recorded %+v", what, s.log.Entries())
		}
	}
}

// settled waits until each intent has its outcome.
func (s *site) settled() {
	s.t.Helper()
	s.until("every act has its outcome", func() bool {
		open := map[int64]bool{}
		for _, e := range s.log.Entries() {
			if e.Record.Act != nil {
				open[e.Record.Sequence] = true
			} else {
				delete(open, e.Record.Intent)
			}
		}
		return len(open) == 0
	})
}

// acts are the recorded acts with their results, "<person> <verb> <subject>: <result>".
func (s *site) acts() []string {
	s.t.Helper()
	s.settled()
	intents := map[int64]audit.Act{}
	var all []string
	for _, e := range s.log.Entries() {
		if e.Record.Act != nil {
			intents[e.Record.Sequence] = *e.Record.Act
			continue
		}
		act := intents[e.Record.Intent]
		all = append(all, act.Person+" "+act.Verb+" "+act.Subject+": "+string(e.Record.Outcome.Result))
	}
	return all
}

func object(gvk schema.GroupVersionKind, namespace, name string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{}
	o.SetGroupVersionKind(gvk)
	o.SetNamespace(namespace)
	o.SetName(name)
	return o
}

func center(name string) *unstructured.Unstructured {
	o := object(schema.GroupVersionKind{Group: "fleet.fairway.cloud", Version: "v1alpha1", Kind: "DataCenter"}, "", name)
	o.Object["spec"] = map[string]any{"city": "上海", "displayName": "上海张江一号", "role": "Active"}
	return o
}

func (s *site) release(name, kind string) *unstructured.Unstructured {
	o := object(schema.GroupVersionKind{Group: "release.fairway.cloud", Version: "v1alpha1", Kind: "Release"}, s.namespace, name)
	spec := map[string]any{"application": "pay", "kind": kind, "reason": "a test", "ticket": "CHG-1", "requester": "kubernetes-admin"}
	if kind != "Retire" {
		spec["revision"] = "pay-0a1b2c3d4e"
	}
	o.Object["spec"] = spec
	return o
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestAClusterAdministratorIsSeen(t *testing.T) {
	s := newSite(t)
	admin := hub.Client()
	r := s.release("r-1", "Retire")
	must(t, admin.Create(t.Context(), r, client.DryRunAll))
	must(t, admin.Create(t.Context(), r))
	s.settled()
	changed := r.DeepCopy()
	changed.SetAnnotations(map[string]string{"note": "by hand"})
	must(t, admin.Update(t.Context(), changed))
	s.settled()
	// What was made in another second is told apart from what is made after.
	for made := r.GetCreationTimestamp(); !time.Now().Truncate(time.Second).After(made.Time); time.Sleep(50 * time.Millisecond) {
		continue
	}
	if err := admin.Create(t.Context(), s.release("r-1", "Retire")); !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	s.settled()
	must(t, admin.Delete(t.Context(), r))
	want := []string{
		"release.create Release/" + s.namespace + "/r-1: Done",
		"release.update Release/" + s.namespace + "/r-1: Done",
		"release.create Release/" + s.namespace + "/r-1: Refused",
		"release.delete Release/" + s.namespace + "/r-1: Done",
	}
	got := s.acts()
	if len(got) != len(want) {
		t.Fatalf("want %v, got %v", want, got)
	}
	for i := range want {
		if !strings.HasSuffix(got[i], " "+want[i]) || strings.HasPrefix(got[i], " ") {
			t.Errorf("want %q, got %q", want[i], got[i])
		}
	}
	first, second := s.log.Entries()[0].Record.Act, s.log.Entries()[2].Record.Act
	if first.Reason != "a test" || first.Ticket != "CHG-1" || first.Application != s.namespace+"/pay" || first.Before != "" || first.After == "" ||
		first.Class != audit.ClassChange || !strings.Contains(strings.Join(first.Details, " "), "system:masters") {
		t.Errorf("%+v", first)
	}
	if second.Before == "" || second.After == "" || second.Before == second.After || second.Before == first.After && second.Before == "" {
		t.Errorf("%+v", second)
	}
}

func TestACollectionIsSeenObjectByObject(t *testing.T) {
	s := newSite(t)
	for _, name := range []string{"c-1", "c-2"} {
		must(t, hub.Client().Create(t.Context(), s.release(name, "Retire")))
	}
	s.settled()
	s.log.Set(nil)
	must(t, hub.Client().DeleteAllOf(t.Context(), s.release("", "Retire"), client.InNamespace(s.namespace)))
	got := strings.Join(s.acts(), "\n")
	for _, name := range []string{"c-1", "c-2"} {
		if !strings.Contains(got, "release.delete Release/"+s.namespace+"/"+name+": Done") {
			t.Errorf("%s is missing:\n%s", name, got)
		}
	}
}

func TestWhatIsRecordedAlreadyIsNotRecordedTwice(t *testing.T) {
	s := newSite(t)
	as := func(user, extra string, groups ...string) client.Client {
		config := hub.Config()
		config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: groups}
		if extra != "" {
			config.Impersonate.Extra = map[string][]string{"fairway.cloud/request": {extra}}
		}
		made, err := client.New(config, client.Options{})
		must(t, err)
		return made
	}
	tests := []struct {
		reason string
		by     client.Client
		want   int
	}{
		{"Fairway's own account is recorded by its controllers", as("fairway", "", "fairway:system", "system:masters"), 0},
		{"the chain's own request", as("p-7", "trace.nonce", "system:masters"), 0},
		{"another's mark", as("p-8", "trace.nonce", "system:masters"), 1},
		{"a forged mark", as("p-7", "trace.guess", "system:masters"), 1},
		{"no mark", as("p-7", "", "system:masters"), 1},
	}
	for i, test := range tests {
		before := len(s.acts())
		must(t, test.by.Create(t.Context(), center("twice-"+string(rune('a'+i)))))
		if got := len(s.acts()) - before; got != test.want {
			t.Errorf("%s: want %d acts, got %d", test.reason, test.want, got)
		}
	}
}

func TestOnlyTheWayBackIsOpenWithoutTheLog(t *testing.T) {
	s := newSite(t)
	running := s.release("running", "Deploy")
	must(t, hub.Client().Create(t.Context(), running))
	s.settled()
	s.log.SetAway(true)
	defer s.log.SetAway(false)

	refusal := func(reason string, err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), "the evidence log does not take the record, so nothing was changed") {
			t.Errorf("%s is refused: %v", reason, err)
		}
	}
	refusal("a deployment", hub.Client().Create(t.Context(), s.release("deploy", "Deploy")))
	refusal("a data centre", hub.Client().Create(t.Context(), center("away")))
	refusal("deleting", hub.Client().Delete(t.Context(), running))

	must(t, hub.Client().Create(t.Context(), s.release("back", "Rollback")))
	must(t, hub.Client().Patch(t.Context(), running, client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"desired":"Stop"}}`))))
	got := s.log.inSpool()
	if len(got) != 2 || got[0].Verb != "release.create" || got[1].Verb != "release.update" || got[1].Subject != "Release/"+s.namespace+"/running" {
		t.Errorf("the way back is kept in the spool: %+v", got)
	}
}

func TestNobodyElseWritesRecords(t *testing.T) {
	s := newSite(t)
	review := `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"1","operation":"CREATE","userInfo":{"username":"somebody"}}}`
	post := func(path string) int {
		response, err := s.client.Post(s.url+path, "application/json", strings.NewReader(review))
		must(t, err)
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		return response.StatusCode
	}
	for _, path := range []string{hooks.Path, hooks.Path + "guess", hooks.Path + token + "x", hooks.Path + token[:10]} {
		if got := post(path); got != http.StatusNotFound {
			t.Errorf("%s answers %d", path, got)
		}
	}
	if got := len(s.log.Entries()); got != 0 {
		t.Errorf("%d records", got)
	}
	for _, body := range []string{"", "{}", "[]", "null", `{"request":null}`, strings.Repeat("[", 100000), "\xff"} {
		response, err := s.client.Post(s.url+hooks.Path+token, "application/json", strings.NewReader(body))
		must(t, err)
		if response.StatusCode != http.StatusBadRequest {
			t.Errorf("%.20q answers %d", body, response.StatusCode)
		}
		_ = response.Body.Close()
	}
	s.server.Close() // the server is away: the hub refuses what cannot be seen
	if err := hub.Client().Create(t.Context(), center("unseen")); err == nil {
		t.Error("what nobody records must be refused")
	}
	s.server = nil
	// The end of the test needs somebody who answers.
	must(t, hub.Client().Get(t.Context(), client.ObjectKey{Name: admission.Name}, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration"}}))
}

// With a client certificate wanted, the token alone opens nothing.
func TestACertificateIsWanted(t *testing.T) {
	authority, err := pki.New("hub")
	must(t, err)
	other, err := pki.New("other")
	must(t, err)
	file := filepath.Join(t.TempDir(), "ca.crt")
	must(t, os.WriteFile(file, authority.CertPEM(), 0o600))
	signers, err := sealing.ReadSigners(file)
	must(t, err)
	log := audittest.New("s", time.Now)
	hook, err := hooks.New(hooks.Config{
		Recorder: log, Token: token, Clients: signers, Log: slog.New(slog.DiscardHandler), InFlight: func(string, string) bool { return false },
		Look: func(context.Context, string, string, string, string, string) (map[string]any, error) { return nil, nil },
	})
	must(t, err)
	server := httptest.NewUnstartedServer(hook)
	server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	defer server.Close()
	for name, from := range map[string]*pki.Authority{"None": nil, "Other": other, "Hub": authority} {
		config := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12} //nolint:gosec // only who asks is tested here
		if from != nil {
			pair, err := from.Issue(pki.Request{CommonName: "kube-apiserver"})
			must(t, err)
			certificate, err := tls.X509KeyPair(pair.Cert, pair.Key)
			must(t, err)
			config.Certificates = []tls.Certificate{certificate}
		}
		asking := &http.Client{Transport: &http.Transport{TLSClientConfig: config}}
		response, err := asking.Post(server.URL+hooks.Path+token, "application/json", bytes.NewReader([]byte(`{}`)))
		must(t, err)
		_ = response.Body.Close()
		if want := map[bool]int{true: http.StatusBadRequest, false: http.StatusNotFound}[name == "Hub"]; response.StatusCode != want {
			t.Errorf("%s: want %d, got %d", name, want, response.StatusCode)
		}
	}
}
