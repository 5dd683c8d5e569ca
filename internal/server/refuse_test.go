// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/platform/members/memberstest"
	"github.com/fairway-cloud/fairway/internal/server"
)

// switched is an Authority that says yes until it is told otherwise.
type switched struct{ no atomic.Bool }

func (s *switched) May(context.Context, identity.Person, server.Question) (bool, error) {
	return !s.no.Load(), nil
}

// A log that is followed ends when the right to read it is taken away, although the
// login still holds (abuse case 7).
func TestALogEndsWithTheRight(t *testing.T) {
	source, authority := memberstest.New(t), &switched{}
	s := newSite(t, func(c *server.Config) { c.Members, c.Authority = source, authority })
	namespace := hub.Namespace(t)
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "pay-x"}, Spec: corev1.PodSpec{NodeName: "host-1", Containers: []corev1.Container{{Name: "account", Image: "registry/account:1"}}}}
	if err := hub.Client().Create(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	source.Add("east-1", speaking(t))
	sitting := seat("retail-prod", "pay", "account", "1", "east-1")
	sitting.UID, sitting.Pod, sitting.PodNamespace = string(pod.UID), pod.Name, namespace
	if err := s.store.Upsert(t.Context(), "east-1", sitting); err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/api/v1/delivery/instances/retail-prod/pay/account-1/logs?follow=true", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+tellerToken)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	line := make([]byte, 64)
	if n, err := response.Body.Read(line); err != nil || response.StatusCode != http.StatusOK || !strings.Contains(string(line[:n]), "a line") {
		t.Fatalf("the log does not begin: %d %q %v", response.StatusCode, line[:n], err)
	}
	authority.no.Store(true)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			if _, err := response.Body.Read(line); err != nil {
				return
			}
		}
	}()
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		t.Error("the log still goes on after 5 seconds")
	}
}

// speaking is a member like the hub, in which every pod writes to its log for ever.
func speaking(t *testing.T) *rest.Config {
	t.Helper()
	transport, err := rest.TransportFor(hub.Config())
	if err != nil {
		t.Fatal(err)
	}
	to, err := url.Parse(hub.Config().Host)
	if err != nil {
		t.Fatal(err)
	}
	behind := &httputil.ReverseProxy{Transport: transport, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }}
	member := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/log") {
			behind.ServeHTTP(w, r)
			return
		}
		for r.Context().Err() == nil {
			if _, err := fmt.Fprintln(w, "a line"); err != nil {
				return
			}
			_ = http.NewResponseController(w).Flush()
			time.Sleep(50 * time.Millisecond)
		}
	}))
	t.Cleanup(member.Close)
	return &rest.Config{Host: member.URL}
}

// Whoever may make no cluster takes none in: joining is done with the server's own
// account.
func TestWhoTakesAClusterIn(t *testing.T) {
	joined := 0
	s := newSite(t, func(c *server.Config) {
		c.Join = func(context.Context, string, server.JoinRequest) error { joined++; return nil }
	})
	if got := s.do(http.MethodPost, "/api/v1/fleet/clusters/east-9/join", tellerToken, `{}`); got.status != http.StatusForbidden || joined != 0 {
		t.Errorf("want 403, got %d %s", got.status, got.body)
	}
}

// Nobody names another as the one who asks, decides or delegates, nor the groups and
// the login in which he decides.
func TestNobodySpeaksForOthers(t *testing.T) {
	s := newSite(t)
	namespace := hub.Namespace(t)
	for reason, c := range map[string]struct{ path, spec, field string }{
		"asks":           {"/api/v1/release/releases/" + namespace, `{"application":"pay","kind":"Retire","reason":"x","requester":"teller-7"}`, "spec.requester"},
		"decides":        {"/api/v1/approval/decisions/" + namespace, `{"request":"r-1","digest":"sha256:0","verdict":"Approve","author":"teller-7"}`, "spec.author"},
		"his groups":     {"/api/v1/approval/decisions/" + namespace, `{"request":"r-1","digest":"sha256:0","verdict":"Approve","groups":["fairway:administrators"]}`, "spec.groups"},
		"his proof":      {"/api/v1/approval/decisions/" + namespace, `{"request":"r-1","digest":"sha256:0","verdict":"Approve","proof":"v1.x"}`, "spec.proof"},
		"his login":      {"/api/v1/approval/decisions/" + namespace, `{"request":"r-1","digest":"sha256:0","verdict":"Approve","session":"s-1"}`, "spec.groups"},
		"delegates":      {"/api/v1/approval/delegations", `{"principal":"teller-7","delegate":"p-2","from":"2030-01-01T00:00:00Z","until":"2030-01-02T00:00:00Z","groups":["x"]}`, "spec.principal"},
		"without a spec": {"/api/v1/approval/decisions/" + namespace, `null`, "spec"},
	} {
		got := s.do(http.MethodPost, c.path, adminToken, `{"metadata":{"generateName":"x-"},"spec":`+c.spec+`}`)
		if got.status != http.StatusUnprocessableEntity || !strings.Contains(string(got.body), `"`+c.field+`"`) {
			t.Errorf("%s: want %s refused, got %d %s", reason, c.field, got.status, got.body)
		}
	}
	if intents, outcomes := s.recorder.seen(); len(intents) != len(outcomes) || len(intents) == 0 {
		t.Errorf("each attempt is in the evidence: %v %v", intents, outcomes)
	}
}

// A call to the hub names who acts: without a name it would be the server's own.
func TestNobodyReachesTheHub(t *testing.T) {
	if hub == nil {
		t.Skip("no cluster under -short")
	}
	caller, seen := spy(t)
	if _, err := caller.Do(t.Context(), identity.Person{}, server.Call{Method: http.MethodGet, Path: "/api/v1/namespaces"}); err == nil || len(*seen) != 0 {
		t.Errorf("a call as nobody: %v, and %d reached the hub", err, len(*seen))
	}
}
