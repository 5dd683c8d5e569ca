// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server_test

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/identity/session"
	"github.com/fairway-cloud/fairway/internal/platform/database"
	"github.com/fairway-cloud/fairway/internal/platform/members/memberstest"
	"github.com/fairway-cloud/fairway/internal/server"
)

// staff is a Directory of one administrator, who can be sent away.
type staff struct {
	mu   sync.Mutex
	gone bool
}

func (s *staff) Resolve(ctx context.Context, claim identity.Claim) (identity.Person, error) {
	return s.Current(ctx, claim.Login, claim.Groups)
}

func (s *staff) Current(_ context.Context, id string, groups []string) (identity.Person, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone {
		return identity.Person{}, identity.ErrDisabled
	}
	return identity.Person{ID: id, Groups: groups}, nil
}

func (s *staff) set(gone bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone = gone
}

// talking puts an instance into a member whose log says something all the time. The
// member is a real API server without hosts: the log comes from here.
func talking(t *testing.T, s *site, source *memberstest.Source) {
	t.Helper()
	config := hub.Config()
	config.WrapTransport = func(next http.RoundTripper) http.RoundTripper { return talker{next} }
	source.Add("east-1", config)
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: hub.Namespace(t), Name: "talk-account-x", Labels: map[string]string{"app.kubernetes.io/managed-by": "fairway"}},
		Spec:       corev1.PodSpec{NodeName: "somewhere", Containers: []corev1.Container{{Name: "account", Image: "registry/account:1"}}},
	}
	if err := hub.Client().Create(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	sitting := seat("retail-prod", "talk", "account", "1", "east-1")
	sitting.UID, sitting.Pod, sitting.PodNamespace = string(pod.UID), pod.Name, pod.Namespace
	if err := s.store.Upsert(t.Context(), "east-1", sitting); err != nil {
		t.Fatal(err)
	}
}

// talker answers for logs with a line every 50 ms.
type talker struct{ next http.RoundTripper }

func (k talker) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(r.URL.Path, "/log") {
		return k.next.RoundTrip(r)
	}
	out, in := io.Pipe()
	go func() {
		ticker := time.NewTicker(50 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-r.Context().Done():
				_ = in.CloseWithError(r.Context().Err())
				return
			case <-ticker.C:
				if _, err := io.WriteString(in, "still here\n"); err != nil {
					return
				}
			}
		}
	}()
	return &http.Response{StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}, Body: out, Request: r}, nil
}

// What is revoked is dead within 5 seconds, open streams included, also where another
// server revoked it (abuse case 7).
func TestRevocationEndsOpenStreams(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fairway.db")
	people := &staff{}
	open := func() *session.Store {
		db, err := database.Open(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		store, err := session.New(t.Context(), db, session.Options{Directory: people, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		return store
	}
	here, elsewhere := open(), open()
	source := memberstest.New(t)
	s := newSite(t, func(c *server.Config) { c.Identity, c.Members = here, source })
	talking(t, s, source)
	login := func() (string, string) {
		credential, opened, err := here.Open(t.Context(), session.Login{Person: "p-stream", Claim: identity.Claim{Provider: "ldap", Groups: []string{"fairway:administrators"}}, Purpose: session.CLI})
		if err != nil {
			t.Fatal(err)
		}
		return credential, opened.ID
	}
	for name, path := range map[string]string{"events": "/api/v1/events", "watch": "/hub/api/v1/namespaces?watch=true", "log": "/api/v1/delivery/instances/retail-prod/talk/account-1/logs?follow=true"} {
		for reason, end := range map[string]func(id string) error{
			"revoked":  func(id string) error { return elsewhere.End(t.Context(), id, "") },
			"disabled": func(string) error { people.set(true); return nil },
		} {
			t.Run(name+"/"+reason, func(t *testing.T) {
				people.set(false)
				credential, id := login()
				request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+path, nil)
				if err != nil {
					t.Fatal(err)
				}
				request.Header.Set("Authorization", "Bearer "+credential)
				response, err := http.DefaultClient.Do(request)
				if err != nil {
					t.Fatal(err)
				}
				defer response.Body.Close()
				if response.StatusCode != http.StatusOK {
					t.Fatalf("the stream does not begin: %d", response.StatusCode)
				}
				ended := make(chan struct{})
				first := make(chan struct{})
				go func() {
					defer close(ended)
					lines := bufio.NewScanner(response.Body)
					lines.Buffer(nil, 1<<20)
					for n := 0; lines.Scan(); n++ {
						if n == 0 {
							close(first)
						}
					}
				}()
				select {
				case <-first:
				case <-time.After(10 * time.Second):
					t.Fatal("the stream says nothing")
				}
				began := time.Now()
				if err := end(id); err != nil {
					t.Fatal(err)
				}
				select {
				case <-ended:
					t.Logf("ended after %s", time.Since(began).Round(time.Millisecond))
				case <-time.After(5 * time.Second):
					t.Error("the stream still goes on after 5 seconds")
				}
			})
		}
	}
}
