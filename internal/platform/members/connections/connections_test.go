// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package connections

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairway-cloud/fairway/internal/fleet"
	"github.com/fairway-cloud/fairway/internal/platform/kubetest"
	"github.com/fairway-cloud/fairway/internal/platform/members"
	"github.com/fairway-cloud/fairway/internal/sandbox/pki"
)

// shared serves the tests that do not stop it.
var shared *kubetest.Cluster

func TestMain(m *testing.M) { os.Exit(kubetest.Main(m, &shared)) }

type open struct{ err error }

func (o *open) Check() error { return o.err }

func quick(fence members.Fence) Options {
	return Options{
		Fence: fence, Loopback: true,
		Interval: 100 * time.Millisecond, Timeout: 500 * time.Millisecond, Failures: 2, ConnectTimeout: 20 * time.Second,
		MinBackoff: 50 * time.Millisecond, MaxBackoff: 200 * time.Millisecond, Relearn: 300 * time.Millisecond,
	}
}

// started returns running Connections that end with the test.
func started(t *testing.T, options Options) *Connections {
	t.Helper()
	if shared == nil {
		t.Skip("no cluster under -short")
	}
	c := New(options)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(20 * time.Second):
			t.Error("the connections must end with their context")
		}
	})
	return c
}

func credentials(t *testing.T, kubeconfig []byte) fleet.Credentials {
	t.Helper()
	found, err := fleet.CheckKubeconfig(kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func eventually(t *testing.T, what string, check func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !check() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
		<-time.After(10 * time.Millisecond)
	}
}

func connected(c *Connections, name string) func() bool {
	return func() bool { _, err := c.Get(name); return err == nil }
}

func away(c *Connections, name, reason string) func() bool {
	return func() bool {
		_, err := c.Get(name)
		state, _ := c.State(name)
		return errors.Is(err, members.ErrNotConnected) && state.Reason == reason
	}
}

func TestMemberGoesAwayAndComesBack(t *testing.T) {
	c := started(t, quick(&open{}))
	own := kubetest.Start(t)
	contexts := make(chan context.Context, 10)
	c.OnConnect(func(ctx context.Context, m members.Member) error {
		contexts <- ctx
		return nil
	})
	c.Connect("east-1", Wish{Credentials: credentials(t, own.Kubeconfig())})
	c.Connect("west-1", Wish{Credentials: credentials(t, shared.Kubeconfig())})
	eventually(t, "both connect", func() bool { return connected(c, "east-1")() && connected(c, "west-1")() })

	m, err := c.Get("east-1")
	if err != nil {
		t.Fatal(err)
	}
	if m.Served().Version() != "v1.36.3" || !m.Served().Field("apps/v1", "StatefulSet", "spec.ordinals.start") {
		t.Errorf("the member's own answers must be known, got version %q", m.Served().Version())
	}
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "east-biz-1"}}
	if err := m.Client().Create(t.Context(), node); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the cache sees the node", func() bool {
		return m.Cache().Get(t.Context(), client.ObjectKeyFromObject(node), &corev1.Node{}) == nil
	})
	before, _ := c.State("east-1")
	crd := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": map[string]any{"name": "things.example.com"},
		"spec": map[string]any{
			"group": "example.com", "scope": "Cluster", "names": map[string]any{"kind": "Thing", "plural": "things"},
			"versions": []any{map[string]any{"name": "v1", "served": true, "storage": true, "schema": map[string]any{"openAPIV3Schema": map[string]any{"type": "object"}}}},
		},
	}}
	if err := m.Client().Create(t.Context(), crd); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a new kind is learned without a new connection", func() bool {
		now, _ := c.State("east-1")
		same, err := c.Get("east-1")
		return err == nil && same == m && m.Served().Kind("example.com/v1", "Thing") && now.APIDigest != before.APIDigest
	})
	first, second := <-contexts, <-contexts

	own.StopAPIServer()
	eventually(t, "the member counts as away", away(c, "east-1", ReasonUnreachable))
	if (first.Err() == nil) == (second.Err() == nil) {
		t.Error("the context of the member that went away, and only that, must have ended")
	}
	if !connected(c, "west-1")() {
		t.Error("a member that is away must not take others with it")
	}
	state, _ := c.State("east-1")
	if state.Version != "v1.36.3" || state.UID == "" {
		t.Errorf("what the member last said is kept: %+v", state)
	}

	own.StartAPIServer(t)
	eventually(t, "the member is back", connected(c, "east-1"))
	select {
	case again := <-contexts:
		if again.Err() != nil {
			t.Error("the new context must live")
		}
	case <-time.After(10 * time.Second):
		t.Error("a member that is back is engaged again")
	}

	c.Disconnect("east-1")
	if _, err := c.Get("east-1"); !errors.Is(err, members.ErrNotConnected) {
		t.Errorf("a member that left the fleet is not connected, got %v", err)
	}
	if _, ok := c.State("east-1"); ok {
		t.Error("a member that left the fleet is forgotten")
	}
}

func TestCannotConnect(t *testing.T) {
	c := started(t, quick(&open{}))
	good := credentials(t, shared.Kubeconfig())
	other, err := pki.New("someone else")
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := other.Issue(pki.Request{CommonName: "admin", Organizations: []string{"system:masters"}})
	if err != nil {
		t.Fatal(err)
	}
	redirect := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, good.Server+r.URL.Path, http.StatusFound)
	}))
	defer redirect.Close()
	babble := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte("hello")) }))
	defer babble.Close()
	silent := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer silent.Close()
	trusted := pemOf(redirect)

	cases := map[string]struct {
		reason string
		wish   func() Wish
		want   string
		says   string
	}{
		"nowhere": {
			reason: "nobody listens there",
			wish:   func() Wish { w := good; w.Server = "https://127.0.0.1:1"; return Wish{Credentials: w} },
			want:   ReasonUnreachable, says: "refused",
		},
		"no name": {
			reason: "a name that does not exist",
			wish:   func() Wish { w := good; w.Server = "https://nowhere.invalid:6443"; return Wish{Credentials: w} },
			want:   ReasonUnreachable, says: "name",
		},
		"wrong authority": {
			reason: "the certificate is from another authority than the kubeconfig names",
			wish:   func() Wish { w := good; w.CAData = other.CertPEM(); return Wish{Credentials: w} },
			want:   ReasonUntrusted, says: "certificate-authority-data",
		},
		"strange client": {
			reason: "the client certificate is from another authority than the member's",
			wish: func() Wish {
				w := good
				w.CertData, w.KeyData = stranger.Cert, stranger.Key
				return Wish{Credentials: w}
			},
			want: ReasonUnauthorized, says: "Secret",
		},
		"wrong token": {
			reason: "a token that nobody issued",
			wish: func() Wish {
				w := good
				w.CertData, w.KeyData, w.Token = nil, nil, "abc"
				return Wish{Credentials: w}
			},
			want: ReasonUnauthorized, says: "Secret",
		},
		"no rights": {
			reason: "a person who may do nothing there",
			wish: func() Wish {
				config := shared.UserConfig(t, "nobody")
				w := good
				w.CertData, w.KeyData = config.CertData, config.KeyData
				return Wish{Credentials: w}
			},
			want: ReasonForbidden, says: "config/member",
		},
		"another cluster": {
			reason: "the address leads to another cluster than the one that was joined",
			wish:   func() Wish { return Wish{Credentials: good, UID: "11111111-2222-3333-4444-555555555555"} },
			want:   ReasonOtherCluster, says: "another name",
		},
		"redirect": {
			reason: "a redirect is never followed, to the hub least of all",
			wish:   func() Wish { w := good; w.Server, w.CAData = redirect.URL, trusted; return Wish{Credentials: w} },
			want:   ReasonRefused, says: "redirects",
		},
		"no API server": {
			reason: "something else answers",
			wish:   func() Wish { w := good; w.Server, w.CAData = babble.URL, pemOf(babble); return Wish{Credentials: w} },
			want:   ReasonFailing, says: "API server",
		},
	}
	for name, tc := range cases {
		c.Connect(name, tc.wish())
	}
	// It never answers; nobody else may wait for it.
	hung := good
	hung.Server, hung.CAData = silent.URL, pemOf(silent)
	c.Connect("silent", Wish{Credentials: hung})
	c.Connect("good", Wish{Credentials: good})
	eventually(t, "the good one connects while the others do not", connected(c, "good"))
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			eventually(t, "state of "+name, func() bool { s, _ := c.State(name); return s.Reason != ReasonConnecting })
			state, _ := c.State(name)
			if state.Connected || state.Reason != tc.want || !strings.Contains(state.Message, tc.says) {
				t.Errorf("%s: state is %+v, want reason %q and a message with %q", tc.reason, state, tc.want, tc.says)
			}
			if strings.Contains(state.Message, "->") || strings.Contains(state.Message, "BEGIN") {
				t.Errorf("%s: the message must be stable and hold no secret: %q", tc.reason, state.Message)
			}
		})
	}
	if _, err := c.Get("silent"); !errors.Is(err, members.ErrNotConnected) {
		t.Errorf("a silent member is not connected, got %v", err)
	}
}

func TestLoopbackIsRefused(t *testing.T) {
	options := quick(&open{})
	options.Loopback = false
	c := started(t, options)
	c.Connect("self", Wish{Credentials: credentials(t, shared.Kubeconfig())})
	eventually(t, "the hub does not dial itself", away(c, "self", ReasonRefused))
}

func TestRotation(t *testing.T) {
	c := started(t, quick(&open{}))
	bad := credentials(t, shared.Kubeconfig())
	good := bad
	bad.CertData, bad.KeyData, bad.Token = nil, nil, "expired"
	c.Connect("east-1", Wish{Credentials: bad})
	eventually(t, "the expired token is refused", away(c, "east-1", ReasonUnauthorized))

	c.Connect("east-1", Wish{Credentials: good})
	eventually(t, "new credentials connect", connected(c, "east-1"))
	before, _ := c.Get("east-1")
	state, _ := c.State("east-1")

	c.Connect("east-1", Wish{Credentials: good, UID: state.UID})
	if now, _ := c.Get("east-1"); now != before {
		t.Error("the same credentials again must not touch the connection")
	}
	config := shared.UserConfig(t, "fairway", "system:masters")
	rotated := good
	rotated.CertData, rotated.KeyData = config.CertData, config.KeyData
	c.Connect("east-1", Wish{Credentials: rotated, UID: state.UID})
	eventually(t, "the rotated credentials are used", func() bool {
		m, err := c.Get("east-1")
		return err == nil && m != before && string(m.Config().CertData) == string(rotated.CertData)
	})
}

func TestFenceStopsWrites(t *testing.T) {
	fence := &open{}
	c := started(t, quick(fence))
	c.Connect("east-1", Wish{Credentials: credentials(t, shared.Kubeconfig())})
	eventually(t, "connects", connected(c, "east-1"))
	m, _ := c.Get("east-1")
	namespace := shared.Namespace(t)
	object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "x"}}
	if err := m.Client().Create(t.Context(), object); err != nil {
		t.Fatal(err)
	}
	lost := errors.New("the lease may have ended")
	fence.err = lost
	writes := map[string]func() error{
		"create": func() error {
			return m.Client().Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "y"}})
		},
		"update": func() error { return m.Client().Update(t.Context(), object) },
		"patch": func() error {
			return m.Client().Patch(t.Context(), object, client.RawPatch("application/merge-patch+json", []byte("{}")))
		},
		"delete": func() error { return m.Client().Delete(t.Context(), object) },
		"delete all": func() error {
			return m.Client().DeleteAllOf(t.Context(), &corev1.ConfigMap{}, client.InNamespace(namespace))
		},
		"status":      func() error { return m.Client().Status().Update(t.Context(), object) },
		"subresource": func() error { return m.Client().SubResource("eviction").Create(t.Context(), object, object) },
	}
	for name, write := range writes {
		if err := write(); !errors.Is(err, lost) {
			t.Errorf("%s must be refused while the fence is closed, got %v", name, err)
		}
	}
	if err := m.Client().Get(t.Context(), client.ObjectKeyFromObject(object), object); err != nil {
		t.Errorf("reading needs no fence: %v", err)
	}
}

func TestEngageErrorsAreTriedAgain(t *testing.T) {
	c := started(t, quick(&open{}))
	c.Connect("east-1", Wish{Credentials: credentials(t, shared.Kubeconfig())})
	eventually(t, "connects", connected(c, "east-1"))
	tries := make(chan struct{}, 100)
	c.OnConnect(func(ctx context.Context, m members.Member) error {
		tries <- struct{}{}
		if len(tries) < 3 {
			return errors.New("not yet")
		}
		return nil
	})
	eventually(t, "the third try holds", func() bool { return len(tries) == 3 && connected(c, "east-1")() })
}
