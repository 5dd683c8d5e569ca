// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server_test

import (
	"bufio"
	"context"
	"log/slog"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/identity/session"
	"github.com/fairway-cloud/fairway/internal/platform/database"
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
	s := newSite(t, func(c *server.Config) { c.Identity = here })
	login := func() (string, string) {
		credential, opened, err := here.Open(t.Context(), session.Login{Person: "p-stream", Claim: identity.Claim{Provider: "ldap", Groups: []string{"fairway:administrators"}}, Purpose: session.CLI})
		if err != nil {
			t.Fatal(err)
		}
		return credential, opened.ID
	}
	for name, path := range map[string]string{"events": "/api/v1/events", "watch": "/hub/api/v1/namespaces?watch=true"} {
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
