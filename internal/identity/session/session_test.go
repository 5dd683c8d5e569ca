// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package session_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/identity/session"
	"github.com/fairway-cloud/fairway/internal/platform/database"
	"github.com/fairway-cloud/fairway/internal/platform/database/databasetest"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
)

// clock is set by hand.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// bank is a Directory in memory.
type bank struct {
	mu     sync.Mutex
	people map[string][]string
	gone   error
}

func (b *bank) Resolve(ctx context.Context, claim identity.Claim) (identity.Person, error) {
	return b.Current(ctx, claim.Login, claim.Groups)
}

func (b *bank) Current(_ context.Context, id string, groups []string) (identity.Person, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.gone != nil {
		return identity.Person{}, b.gone
	}
	own, ok := b.people[id]
	if !ok {
		return identity.Person{}, identity.ErrNobody
	}
	return identity.Person{ID: id, Groups: append(append([]string{}, own...), groups...)}, nil
}

func (b *bank) set(id string, groups []string, gone error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.people[id], b.gone = groups, gone
}

type world struct {
	store, other *session.Store
	clock        *clock
	bank         *bank
	db           *database.DB
}

// each opens two servers' stores on one database of every engine.
func each(t *testing.T, test func(t *testing.T, w *world)) {
	databasetest.Each(t, func(t *testing.T, open func() *database.DB) {
		w := &world{clock: &clock{now: time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)}, bank: &bank{people: map[string][]string{"p1": {"retail"}, "p2": nil}}, db: open()}
		for _, into := range []**session.Store{&w.store, &w.other} {
			db := w.db
			if into == &w.other {
				db = open()
			}
			store, err := session.New(t.Context(), db, session.Options{Directory: w.bank, Now: w.clock.Now, Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			*into = store
		}
		test(t, w)
	})
}

func (w *world) open(t *testing.T, person string) (string, session.Session) {
	t.Helper()
	credential, opened, err := w.store.Open(t.Context(), session.Login{Person: person, Claim: identity.Claim{Provider: "ldap", Login: "zhang.san", Groups: []string{"bank-dev"}},
		Address: "10.0.0.7", Agent: "curl\u202e\x1b[31m/8", Purpose: session.CLI})
	if err != nil {
		t.Fatal(err)
	}
	return credential, opened
}

func unknown(t *testing.T, store *session.Store, credential, reason string) {
	t.Helper()
	if _, err := store.Authenticate(t.Context(), credential); !errors.Is(err, httpapi.ErrUnknownCredential) {
		t.Errorf("%s: %v", reason, err)
	}
}

func known(t *testing.T, store *session.Store, credential, reason string) identity.Person {
	t.Helper()
	person, err := store.Authenticate(t.Context(), credential)
	if err != nil {
		t.Errorf("%s: %v", reason, err)
	}
	return person
}

func TestASessionFromLoginToLogout(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		credential, opened := w.open(t, "p1")
		if !strings.HasPrefix(credential, "fws_") || len(credential) != 47 {
			t.Errorf("the credential is 256 random bits behind its prefix: %q", credential)
		}
		got := known(t, w.other, credential, "every server knows it at once")
		want := identity.Person{ID: "p1", Groups: []string{"retail", "bank-dev"}, Session: opened.ID, Provider: "ldap"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		listed, err := w.other.List(t.Context(), "p1")
		if err != nil || len(listed) != 1 || listed[0].Agent != "curl[31m/8" || listed[0].Address != "10.0.0.7" {
			t.Errorf("it is listed, with nothing that a terminal obeys: %+v %v", listed, err)
		}
		if others, err := w.store.List(t.Context(), "p2"); err != nil || len(others) != 0 {
			t.Errorf("others do not see it: %v %v", others, err)
		}
		if err := w.store.End(t.Context(), opened.ID, "p2"); !errors.Is(err, session.ErrNone) {
			t.Errorf("others do not end it: %v", err)
		}
		known(t, w.store, credential, "so it goes on")
		if err := w.store.End(t.Context(), opened.ID, "p1"); err != nil {
			t.Fatal(err)
		}
		unknown(t, w.store, credential, "the server that ended it forgets it at once")
		w.clock.pass(2 * time.Second)
		unknown(t, w.other, credential, "and every other within two seconds")
		if err := w.store.End(t.Context(), opened.ID, "p1"); !errors.Is(err, session.ErrNone) {
			t.Errorf("it does not end twice: %v", err)
		}
	})
}

func TestOnlyTheDigestIsKept(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		credential, _ := w.open(t, "p1")
		token, _, err := w.store.Make(t.Context(), session.Login{Person: "p1"}, "ci", identity.Scope{}, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		for _, table := range []string{"identity_sessions", "identity_tokens"} {
			rows, err := w.db.Query(t.Context(), "SELECT * FROM "+table)
			if err != nil {
				t.Fatal(err)
			}
			defer rows.Close()
			columns, _ := rows.Columns()
			for rows.Next() {
				values := make([]any, len(columns))
				for i := range values {
					values[i] = new(string)
				}
				if err := rows.Scan(values...); err != nil {
					t.Fatal(err)
				}
				for i, v := range values {
					if text := *v.(*string); strings.Contains(text, credential[4:]) || strings.Contains(text, token[4:]) {
						t.Errorf("column %s holds a credential", columns[i])
					}
				}
			}
		}
	})
}

func TestSessionsEndByThemselves(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		idle, _ := w.open(t, "p1")
		known(t, w.store, idle, "it is fresh")
		w.clock.pass(29 * time.Minute)
		known(t, w.store, idle, "29 minutes are not idle")
		w.clock.pass(29 * time.Minute)
		known(t, w.other, idle, "being used counts on every server")
		w.clock.pass(30*time.Minute + time.Second)
		unknown(t, w.store, idle, "30 minutes without a request end it")

		long, _ := w.open(t, "p1")
		for range 35 {
			w.clock.pass(20 * time.Minute)
			known(t, w.store, long, "it is used")
		}
		w.clock.pass(20 * time.Minute)
		unknown(t, w.store, long, "12 hours end it, used or not")
	})
}

func TestAnOpenStreamIsNoUse(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		credential, _ := w.open(t, "p1")
		for range 30 {
			w.clock.pass(time.Minute)
			if _, err := w.store.Authenticate(httpapi.Rechecking(t.Context()), credential); err != nil && w.clock.Now().Before(time.Date(2026, 11, 28, 9, 30, 0, 0, time.UTC)) {
				t.Fatalf("it holds for its idle time: %v", err)
			}
		}
		unknown(t, w.store, credential, "a stream that is only open does not keep a session alive")
	})
}

func TestClockSteps(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		forward, _ := w.open(t, "p1")
		w.clock.pass(time.Hour)
		unknown(t, w.store, forward, "an hour forward ends an idle session: nobody can tell it from an idle hour")
		w.clock.pass(-time.Hour)

		back, _ := w.open(t, "p1")
		known(t, w.store, back, "it is fresh")
		w.clock.pass(-time.Hour)
		unknown(t, w.store, back, "a session from the future is nobody's")
		little, _ := w.open(t, "p1")
		w.clock.pass(-4 * time.Minute)
		known(t, w.store, little, "clocks of servers may differ by minutes")

		w.clock.pass(4 * time.Minute)
		token, _, err := w.store.Make(t.Context(), session.Login{Person: "p1"}, "ci", identity.Scope{}, 2*time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		w.clock.pass(-time.Hour)
		unknown(t, w.store, token, "a token from the future is nobody's")
		w.clock.pass(3*time.Hour + time.Minute)
		unknown(t, w.store, token, "a token that has expired is nobody's")
	})
}

func TestThePersonIsAskedAboutAgain(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		credential, _ := w.open(t, "p1")
		known(t, w.store, credential, "p1 is there")
		w.bank.set("p1", nil, nil)
		w.clock.pass(2 * time.Second)
		if got := known(t, w.store, credential, "p1 is still there"); !cmp.Equal(got.Groups, []string{"bank-dev"}) {
			t.Errorf("a group that is taken away is gone within two seconds: %v", got.Groups)
		}
		for _, why := range []error{identity.ErrDisabled, identity.ErrExclusive, identity.ErrNobody} {
			w.bank.set("p1", nil, why)
			w.clock.pass(2 * time.Second)
			if _, err := w.store.Authenticate(t.Context(), credential); !errors.Is(err, why) {
				t.Errorf("want %v, got %v", why, err)
			}
			if _, ok := w.store.Remembered(credential); ok {
				t.Errorf("who may not come in is not remembered for the way back either: %v", why)
			}
		}
	})
}

func TestMostSessionsOfOnePerson(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		first, _ := w.open(t, "p1")
		other, _ := w.open(t, "p2")
		for range 20 {
			w.clock.pass(time.Second)
			w.open(t, "p1")
		}
		w.clock.pass(2 * time.Second)
		unknown(t, w.store, first, "the oldest ends where there are more than 20")
		known(t, w.store, other, "and nobody else's")
		if n, err := w.store.EndAll(t.Context(), "p1", ""); err != nil || n != 20 {
			t.Errorf("all end at once: %d %v", n, err)
		}
	})
}

func TestKubectlHangsOnTheLogin(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		credential, opened := w.open(t, "p1")
		short, made, err := w.store.Kubectl(t.Context(), opened.ID, "10.0.0.7", "kubectl")
		if err != nil || made.Expires.Sub(w.clock.Now()) != 15*time.Minute {
			t.Fatalf("it holds for 15 minutes: %v %v", made, err)
		}
		known(t, w.other, short, "kubectl comes in with it")
		if _, _, err := w.store.Kubectl(t.Context(), made.ID, "", ""); !errors.Is(err, session.ErrNone) {
			t.Errorf("it does not prolong itself: %v", err)
		}
		if err := w.store.End(t.Context(), opened.ID, ""); err != nil {
			t.Fatal(err)
		}
		unknown(t, w.store, credential, "the login has ended")
		unknown(t, w.store, short, "and what hangs on it")
		w.clock.pass(2 * time.Second)
		unknown(t, w.other, short, "on every server")
	})
}

// A login that ended without its kubectl sessions being told takes them along.
func TestALoginTakesItsKubectlAlong(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		_, opened := w.open(t, "p1")
		short, _, err := w.store.Kubectl(t.Context(), opened.ID, "10.0.0.7", "kubectl")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.db.Exec(t.Context(), "UPDATE identity_sessions SET ended = ? WHERE id = ?", w.clock.Now().UnixMilli(), opened.ID); err != nil {
			t.Fatal(err)
		}
		w.clock.pass(2 * time.Second)
		unknown(t, w.other, short, "what hangs on a login ends with it")
	})
}

func TestTokensOfMachines(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		owner := session.Login{Person: "p1", Claim: identity.Claim{Provider: "ldap", Groups: []string{"bank-dev"}}, Address: "10.0.0.7"}
		scope := identity.Scope{ReadOnly: true, Namespaces: []string{"retail-sit"}}
		token, made, err := w.store.Make(t.Context(), owner, "ci", scope, 24*time.Hour)
		if err != nil || !strings.HasPrefix(token, "fwt_") {
			t.Fatal(err)
		}
		got := known(t, w.other, token, "it is good on every server")
		want := identity.Person{ID: "p1", Groups: []string{"retail", "bank-dev"}, Session: made.ID, Provider: "ldap", Machine: "ci", Scope: &scope}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("it acts for its owner, within its scope (-want +got):\n%s", diff)
		}
		if _, _, err := w.store.Make(t.Context(), owner, "ci", scope, time.Hour); !errors.Is(err, session.ErrTaken) {
			t.Errorf("one machine, one token: %v", err)
		}
		for reason, holds := range map[string]time.Duration{"no end": 0, "more than a year": 367 * 24 * time.Hour} {
			if _, _, err := w.store.Make(t.Context(), owner, "x", scope, holds); err == nil {
				t.Errorf("%s is refused", reason)
			}
		}
		if listed, err := w.store.Tokens(t.Context(), "p1"); err != nil || len(listed) != 1 || listed[0].Seen == nil {
			t.Errorf("it is listed with its last use: %+v %v", listed, err)
		}
		w.bank.set("p1", nil, identity.ErrDisabled)
		w.clock.pass(2 * time.Second)
		if _, err := w.store.Authenticate(t.Context(), token); !errors.Is(err, identity.ErrDisabled) {
			t.Errorf("a machine is let in no longer than its owner: %v", err)
		}
		w.bank.set("p1", nil, nil)
		if err := w.store.Revoke(t.Context(), made.ID, "p2"); !errors.Is(err, session.ErrNone) {
			t.Errorf("others do not revoke it: %v", err)
		}
		if err := w.store.Revoke(t.Context(), made.ID, "p1"); err != nil {
			t.Fatal(err)
		}
		unknown(t, w.store, token, "it is revoked")
		if _, _, err := w.store.Make(t.Context(), owner, "ci", scope, time.Hour); err != nil {
			t.Errorf("the name is free again: %v", err)
		}
	})
}

func TestNoShapeReachesTheDatabase(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		credential, _ := w.open(t, "p1")
		for _, wrong := range []string{"", "fws_", "fws_' OR 1=1 --", credential + "x", credential[:46], strings.ToUpper(credential), "fwt_" + credential[4:], strings.Repeat("a", 4096)} {
			unknown(t, w.store, wrong, "it is nobody's")
		}
		if err := w.db.Close(); err != nil {
			t.Fatal(err)
		}
		unknown(t, w.store, "fws_' OR 1=1 --", "and nobody had to ask the database")
	})
}

// A disk that is full takes nothing more: who is in stays in.
func TestTheDiskIsFull(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		if w.db.Dialect != database.SQLite {
			t.Skip("the trigger is written for SQLite")
		}
		credential, _ := w.open(t, "p1")
		for _, table := range []string{"UPDATE ON identity_sessions", "INSERT ON identity_sessions"} {
			if _, err := w.db.Exec(t.Context(), "CREATE TRIGGER full_"+table[:6]+" BEFORE "+table+" BEGIN SELECT RAISE(ABORT, 'disk full'); END"); err != nil {
				t.Fatal(err)
			}
		}
		for range 5 {
			w.clock.pass(5 * time.Minute)
			known(t, w.store, credential, "the time of its use cannot be noted, and that is no reason")
		}
		if _, _, err := w.store.Open(t.Context(), session.Login{Person: "p1"}); err == nil {
			t.Error("nobody new comes in")
		}
		w.clock.pass(6 * time.Minute)
		unknown(t, w.store, credential, "it ends early, and never late")
	})
}

// With the database away nobody comes in; what was checked before is remembered for
// the way back alone.
func TestTheDatabaseIsAway(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		credential, _ := w.open(t, "p1")
		known(t, w.store, credential, "it is checked")
		if err := w.db.Close(); err != nil {
			t.Fatal(err)
		}
		w.clock.pass(3 * time.Second)
		_, err := w.store.Authenticate(t.Context(), credential)
		if err == nil || errors.Is(err, httpapi.ErrUnknownCredential) {
			t.Errorf("it cannot be told whether the session holds: %v", err)
		}
		if person, ok := w.store.Remembered(credential); !ok || person.ID != "p1" {
			t.Errorf("who was checked seconds ago may take the way back: %v %v", person, ok)
		}
		if _, ok := w.store.Remembered("fws_" + strings.Repeat("a", 43)); ok {
			t.Error("strangers are not remembered")
		}
		w.clock.pass(31 * time.Minute)
		if _, ok := w.store.Remembered(credential); ok {
			t.Error("nor is anybody whose session would have ended meanwhile")
		}
		if _, _, err := w.store.Open(t.Context(), session.Login{Person: "p1"}); err == nil {
			t.Error("nobody logs in")
		}
	})
}

func BenchmarkAuthenticate(b *testing.B) {
	db, err := database.Open(b.Context(), b.TempDir()+"/fairway.db")
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	now := &clock{now: time.Now()}
	store, err := session.New(b.Context(), db, session.Options{Directory: &bank{people: map[string][]string{"p1": nil}}, Now: now.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	credential, _, err := store.Open(b.Context(), session.Login{Person: "p1"})
	if err != nil {
		b.Fatal(err)
	}
	for name, between := range map[string]time.Duration{"Believed": 0, "AskedAgain": 2 * time.Second} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				// Forward and back, so that no session ends by it.
				now.pass(between)
				if _, err := store.Authenticate(httpapi.Rechecking(b.Context()), credential); err != nil {
					b.Fatal(err)
				}
				if between > 0 && time.Until(now.Now()) > 10*time.Minute {
					now.pass(-10 * time.Minute)
				}
			}
		})
	}
}
