// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	ggcr "github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/fairway-cloud/fairway/internal/app"
	"github.com/fairway-cloud/fairway/internal/platform/database"
	"github.com/fairway-cloud/fairway/internal/platform/database/databasetest"
)

// started is the Resolver of a server that has just started, on this database.
func started(t *testing.T, db *database.DB, host string) *Resolver {
	t.Helper()
	r := New(Registry{Name: "registry.bank", Endpoint: host, Plain: true})
	if err := r.Keep(t.Context(), db, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	return r
}

// TestARestartAsksNothingAgain has servers come one after another on one database.
func TestARestartAsksNothingAgain(t *testing.T) {
	databasetest.Each(t, func(t *testing.T, open func() *database.DB) {
		var asked atomic.Int64
		serve := ggcr.New(ggcr.Logger(log.New(io.Discard, "", 0)))
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			serve.ServeHTTP(w, r)
		}))
		defer server.Close()
		host := strings.TrimPrefix(server.URL, "http://")
		reference, err := name.ParseReference(host+"/bank/x:1", name.Insecure)
		if err != nil {
			t.Fatal(err)
		}
		if err := remote.WriteIndex(reference, index(entry(built(t, "linux", "amd64", "7"), "linux/amd64", nil), entry(built(t, "linux", "loong64", "7"), "linux/loong64", nil))); err != nil {
			t.Fatal(err)
		}
		db := open()
		first, err := started(t, db, host).Resolve(t.Context(), "registry.bank/bank/x:1")
		if err != nil || len(first.Architectures) != 2 {
			t.Fatalf("%+v %v", first, err)
		}
		asked.Store(0)
		restarted := started(t, open(), host)
		again, err := restarted.Resolve(t.Context(), "registry.bank/bank/x@"+first.Digest)
		if err != nil || !cmp.Equal(first, again) || asked.Load() != 0 {
			t.Errorf("what the digest names is known after a restart: %+v, %v after %d questions", again, err, asked.Load())
		}
		// What a tag means now is one question; what it leads to is known.
		if again, err = restarted.Resolve(t.Context(), "registry.bank/bank/x:1"); err != nil || !cmp.Equal(first, again) || asked.Load() > 2 {
			t.Errorf("of a tag only the digest is asked: %+v, %v after %d questions", again, err, asked.Load())
		}
		if _, err := restarted.Resolve(t.Context(), "registry.bank/other/x@"+first.Digest); !errors.Is(err, app.ErrImageNotFound) {
			t.Errorf("what another repository holds is not known: %v", err)
		}
		// What was read in another way, and what cannot be meant, is asked for anew.
		for _, change := range []string{"UPDATE images_facts SET reading = reading - 1, account = 'older'", "UPDATE images_facts SET architectures = 'amd64 ; rm'"} {
			if _, err := db.Exec(t.Context(), change); err != nil {
				t.Fatal(err)
			}
			asked.Store(0)
			if again, err = started(t, db, host).Resolve(t.Context(), "registry.bank/bank/x@"+first.Digest); err != nil || !cmp.Equal(first, again) || asked.Load() == 0 {
				t.Errorf("%s: %+v, %v after %d questions", change, again, err, asked.Load())
			}
		}
	})
}

// TestKeptIsBounded keeps the images that are asked for, and forgets the others.
func TestKeptIsBounded(t *testing.T) {
	databasetest.Each(t, func(t *testing.T, open func() *database.DB) {
		db, now := open(), time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
		k := started(t, db, "registry.bank").known.kept
		k.now, k.most = func() time.Time { return now }, 3
		at := func(n int) string { return fmt.Sprintf("registry.bank/x@sha256:%064d", n) }
		for n := range 3 {
			k.put(t.Context(), at(n), app.ImageFacts{User: fmt.Sprint(n)})
			now = now.Add(time.Hour)
		}
		now = now.Add(2 * freshUse)
		if facts, ok := k.get(t.Context(), at(0)); !ok || facts.User != "0" || facts.Architectures != nil {
			t.Fatalf("%+v %v", facts, ok)
		}
		k.put(t.Context(), at(3), app.ImageFacts{})
		k.put(t.Context(), "registry.bank/x:latest", app.ImageFacts{})
		got := ""
		for n := range 4 {
			if _, ok := k.get(t.Context(), at(n)); ok {
				got += fmt.Sprint(n)
			}
		}
		if got != "023" {
			t.Errorf("kept are %s; of four images the one goes that was used longest ago", got)
		}
		if _, ok := k.get(t.Context(), "registry.bank/x:latest"); ok {
			t.Error("a tag is kept, whose meaning changes")
		}
	})
}

// TestKeptFails has the database go away: registries are asked, and nothing fails.
func TestKeptFails(t *testing.T) {
	server := httptest.NewServer(ggcr.New(ggcr.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	digest := push(t, host, "bank/x:1", "7")
	db, err := database.Open(t.Context(), t.TempDir()+"/fairway.db")
	if err != nil {
		t.Fatal(err)
	}
	r := started(t, db, host)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if facts, err := r.Resolve(context.Background(), "registry.bank/bank/x@"+digest); err != nil || facts.User != "7" {
			t.Errorf("%+v %v", facts, err)
		}
	}
}
