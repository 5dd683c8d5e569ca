// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package ledger

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/audit/witness"
)

// newWitness serves a real witness that can be switched off.
func newWitness(t *testing.T, dir string) (*Witness, *atomic.Bool) {
	t.Helper()
	key, err := EnsureKey(dir)
	if err != nil {
		t.Fatal(err)
	}
	w, err := witness.Open(witness.Options{Dir: t.TempDir(), Logs: []string{key.Public}})
	if err != nil {
		t.Fatal(err)
	}
	away := &atomic.Bool{}
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		if away.Load() {
			http.Error(out, "away", http.StatusBadGateway)
			return
		}
		w.ServeHTTP(out, r)
	}))
	t.Cleanup(func() { server.Close(); _ = w.Close() })
	return &Witness{URL: server.URL, Key: w.PublicKey(), Patience: time.Second}, away
}

func inProduction(a audit.Act) bool { return a.Environment == "prod" }

func TestProductionWaitsForTheWitness(t *testing.T) {
	dir := t.TempDir()
	w, away := newWitness(t, dir)
	l, err := Open(Options{Dir: dir, Now: at(2026), Interval: time.Hour, Witness: w, Witnessed: inProduction})
	if err != nil {
		t.Fatal(err)
	}
	production := act("pay")
	production.Environment = "prod"
	id, err := l.Intent(ctx, production)
	if err != nil {
		t.Fatal(err)
	}
	y := l.last()
	if y.cosignedSize() != 3 {
		t.Errorf("an intent that is acknowledged is under a countersigned checkpoint: %d", y.cosignedSize())
	}
	if err := l.Outcome(ctx, id, audit.Outcome{Result: audit.Done}); err != nil {
		t.Fatal(err)
	}

	away.Store(true)
	began := time.Now()
	err = audit.Do(ctx, l, audit.FailClosed, production, func(context.Context) error { t.Error("it must not begin"); return nil })
	if !errors.Is(err, audit.ErrAway) || !errors.Is(err, ErrUnwitnessed) {
		t.Errorf("without the witness production is refused: %v", err)
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("it takes no longer than the patience: %s", took)
	}
	if err := audit.Do(ctx, l, audit.FailClosed, act("sit"), func(context.Context) error { return nil }); err != nil {
		t.Errorf("other acts go on: %v", err)
	}
	done := false
	began = time.Now()
	if err := audit.Do(ctx, l, audit.FailOpen, production, func(context.Context) error { done = true; return nil }); err != nil || !done || time.Since(began) > 500*time.Millisecond {
		t.Errorf("the way back goes on at once: %v, %v after %s", done, err, time.Since(began))
	}
	away.Store(false)
	if _, err := l.Intent(ctx, production); err != nil {
		t.Errorf("once the witness is back production goes on: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"server 1: audit.open EvidenceLog//2026", "server 2: 1 was Done", "server 3: app.apply pay", "server 4: 3 was Done",
		"server 5: app.apply pay", "server 6: 5 was Refused: the act was not begun: no witness has confirmed the intent within 1s: it is away",
		"server 7: app.apply sit", "server 8: 7 was Done", "server 9: app.apply pay", "server 10: 9 was Done", "server 11: app.apply pay",
	}
	if diff := cmp.Diff(want, told(t, dir)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestTheWitnessIsCaughtUp lets the log grow alone, over a year's end too.
func TestTheWitnessIsCaughtUp(t *testing.T) {
	dir := t.TempDir()
	w, away := newWitness(t, dir)
	now := atomic.Pointer[time.Time]{}
	set := func(year int) { at := at(year)(); now.Store(&at) }
	set(2026)
	away.Store(true)
	l := open(t, Options{Dir: dir, Now: func() time.Time { return *now.Load() }, Interval: time.Millisecond, Witness: w})
	for _, year := range []int{2026, 2027} {
		set(year)
		for range 600 {
			if _, err := l.Intent(ctx, act("a")); err != nil {
				t.Fatal(err)
			}
		}
	}
	away.Store(false)
	eventually(t, "both years are countersigned to their end", func() bool {
		for _, y := range l.logs() {
			if y.size() != 602 || y.cosignedSize() != 602 {
				return false
			}
		}
		return len(l.logs()) == 2
	})
}

// TestAWitnessThatLies answers with something else than its signature.
func TestAWitnessThatLies(t *testing.T) {
	for name, lie := range map[string]http.HandlerFunc{
		"Nonsense": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("yes")) },
		"Empty":    func(http.ResponseWriter, *http.Request) {},
		"Foreign":  func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("— witness AAAAAAAAAAAA\n")) },
		"Endless": func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		},
		"LargerSize": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", witness.SizeType)
			w.WriteHeader(http.StatusConflict)
			_, _ = w.Write([]byte("99999\n"))
		},
		"Redirect": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", http.StatusFound) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			w, _ := newWitness(t, dir)
			server := httptest.NewServer(lie)
			t.Cleanup(server.Close)
			w.URL = server.URL
			l := open(t, Options{Dir: dir, Witness: w, Witnessed: inProduction})
			production := act("pay")
			production.Environment = "prod"
			if _, err := l.Intent(ctx, production); !errors.Is(err, ErrUnwitnessed) {
				t.Errorf("a lie is no confirmation: %v", err)
			}
			if l.last().cosigned.Load() != nil {
				t.Error("and nothing is kept of it")
			}
		})
	}
}
