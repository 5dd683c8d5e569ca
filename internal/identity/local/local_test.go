// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package local_test

import (
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/identity/local"
	"github.com/fairway-cloud/fairway/internal/identity/seal"
	"github.com/fairway-cloud/fairway/internal/platform/database"
	"github.com/fairway-cloud/fairway/internal/platform/database/databasetest"
)

const password = "correct horse battery 7"

type world struct {
	*local.Accounts
	db  *database.DB
	now time.Time
	key *seal.Key
}

// cheap makes the tests quick.
var cheap = local.Cost{Memory: 64, Passes: 1, Lanes: 1}

func each(t *testing.T, test func(t *testing.T, w *world)) {
	databasetest.Each(t, func(t *testing.T, open func() *database.DB) {
		w := &world{db: open(), now: time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)}
		var err error
		if w.key, err = seal.Ensure(filepath.Join(t.TempDir(), "key")); err != nil {
			t.Fatal(err)
		}
		w.open(t, w.key, cheap)
		test(t, w)
	})
}

func (w *world) open(t *testing.T, key *seal.Key, cost local.Cost) {
	t.Helper()
	var err error
	w.Accounts, err = local.New(t.Context(), w.db, local.Options{Key: key, Cost: cost, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return w.now }})
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) account(t *testing.T, name string) {
	t.Helper()
	invite, _, err := w.Add(t.Context(), name, "p10001")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Accept(t.Context(), invite, password); err != nil {
		t.Fatal(err)
	}
}

func TestAnAccountFromInvitationToItsEnd(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		invite, until, err := w.Add(ctx, "zhang.san", "p10001")
		if err != nil || until.Sub(w.now) != 24*time.Hour {
			t.Fatal(until, err)
		}
		if _, _, err := w.Add(ctx, "zhang.san", "p10002"); !errors.Is(err, local.ErrTaken) {
			t.Errorf("a name is given once: %v", err)
		}
		if _, err := w.Check(ctx, "zhang.san", "", ""); !errors.Is(err, identity.ErrRefused) {
			t.Errorf("an account without a password lets nobody in: %v", err)
		}
		var bad *local.Invalid
		if _, err := w.Accept(ctx, invite, "short"); !errors.As(err, &bad) {
			t.Errorf("a weak password is refused, and the invitation stays good: %v", err)
		}
		for _, wrong := range []string{"", "fwi_", invite + "x", strings.ToLower(invite)} {
			if _, err := w.Accept(ctx, wrong, password); !errors.Is(err, local.ErrInvite) {
				t.Errorf("%q is no invitation: %v", wrong, err)
			}
		}
		got, err := w.Accept(ctx, invite, password)
		if err != nil || got.State != local.Open || got.Person != "p10001" {
			t.Fatal(got, err)
		}
		if _, err := w.Accept(ctx, invite, password+"x"); !errors.Is(err, local.ErrInvite) {
			t.Errorf("an invitation is good once: %v", err)
		}
		if vouched, err := w.Vouch(ctx, "zhang.san", password, ""); err != nil || vouched.Person != "p10001" || vouched.Claim.Provider != "local" || vouched.Claim.Login != "zhang.san" {
			t.Errorf("got %+v %v", vouched, err)
		}
		for _, wrong := range []string{"", password + " ", strings.ToUpper(password), strings.Repeat("a", 1<<20)} {
			if _, err := w.Check(ctx, "zhang.san", wrong, ""); !errors.Is(err, identity.ErrRefused) {
				t.Errorf("a wrong password is refused: %v", err)
			}
		}
		if _, err := w.Check(ctx, "nobody", password, ""); !errors.Is(err, identity.ErrRefused) {
			t.Errorf("an unknown account is refused in the same words: %v", err)
		}
		late, _, err := w.Invite(ctx, "zhang.san")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Check(ctx, "zhang.san", password, ""); !errors.Is(err, identity.ErrRefused) {
			t.Errorf("a new invitation ends the old password: %v", err)
		}
		w.now = w.now.Add(24 * time.Hour)
		if _, err := w.Accept(ctx, late, password); !errors.Is(err, local.ErrInvite) {
			t.Errorf("an invitation is good for a day: %v", err)
		}
		again, _, err := w.Invite(ctx, "zhang.san")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Accept(ctx, again, password); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Replace(ctx, "zhang.san", password, password); !errors.As(err, &bad) {
			t.Errorf("the new password is another one: %v", err)
		}
		if _, err := w.Replace(ctx, "zhang.san", password, "another horse battery 8"); err != nil {
			t.Error(err)
		}
		if err := w.Close(ctx, "zhang.san"); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Check(ctx, "zhang.san", "another horse battery 8", ""); !errors.Is(err, identity.ErrRefused) {
			t.Errorf("a closed account lets nobody in: %v", err)
		}
		if err := w.Close(ctx, "nobody"); !errors.Is(err, local.ErrNone) {
			t.Errorf("got %v", err)
		}
	})
}

func TestAnInvitationIsUsedByOne(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		invite, _, err := w.Add(t.Context(), "zhang.san", "p10001")
		if err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		var mu sync.Mutex
		won := 0
		for range 8 {
			all.Go(func() {
				if _, err := w.Accept(t.Context(), invite, password); err == nil {
					mu.Lock()
					won++
					mu.Unlock()
				}
			})
		}
		all.Wait()
		if won != 1 {
			t.Errorf("of several at once one sets the password, %d did", won)
		}
	})
}

func TestNoSecretIsKeptInTheClear(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		invite, _, err := w.Add(t.Context(), "zhang.san", "p10001")
		if err != nil {
			t.Fatal(err)
		}
		w.account(t, "li.si")
		enrolment, err := w.Enrol(t.Context(), "li.si")
		if err != nil {
			t.Fatal(err)
		}
		rows, err := w.db.Query(t.Context(), "SELECT password, totp, invite FROM identity_accounts")
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var a, b, c string
			if err := rows.Scan(&a, &b, &c); err != nil {
				t.Fatal(err)
			}
			for _, secret := range []string{password, invite[4:], enrolment.Secret} {
				if strings.Contains(a+b+c, secret) {
					t.Errorf("%q is kept in the clear", secret)
				}
			}
			if a != "" && !strings.HasPrefix(a, "$argon2id$v=19$m=64,t=1,p=1$") {
				t.Errorf("the digest says how it was made: %q", a)
			}
		}
	})
}

// What a password costs can be raised: it is made anew at the next login.
func TestTheCostIsRaised(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.account(t, "zhang.san")
		w.open(t, w.key, local.Cost{Memory: 128, Passes: 2, Lanes: 1})
		for range 2 {
			if _, err := w.Check(t.Context(), "zhang.san", password, ""); err != nil {
				t.Fatal(err)
			}
		}
		var encoded string
		if err := w.db.QueryRow(t.Context(), "SELECT password FROM identity_accounts").Scan(&encoded); err != nil || !strings.HasPrefix(encoded, "$argon2id$v=19$m=128,t=2,p=1$") {
			t.Errorf("got %q %v", encoded, err)
		}
		if _, err := w.db.Exec(t.Context(), "UPDATE identity_accounts SET password = ?", "$argon2id$v=19$m=999999999,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAA"); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Check(t.Context(), "zhang.san", password, ""); err == nil || errors.Is(err, identity.ErrRefused) {
			t.Errorf("a digest that is damaged is neither right nor wrong: %v", err)
		}
	})
}

func TestTheSecondFactor(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.account(t, "zhang.san")
		enrolment, err := w.Enrol(ctx, "zhang.san")
		if err != nil || !strings.HasPrefix(enrolment.URL, "otpauth://totp/Fairway:zhang.san?") {
			t.Fatal(enrolment.URL, err)
		}
		code := func(shift time.Duration) string {
			c, err := totp.GenerateCode(enrolment.Secret, w.now.Add(shift))
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		if _, err := w.Check(ctx, "zhang.san", password, ""); err != nil {
			t.Errorf("until it is confirmed it is not asked for: %v", err)
		}
		if err := w.Confirm(ctx, "zhang.san", "000000"); !errors.Is(err, identity.ErrRefused) {
			t.Errorf("a wrong code does not turn it on: %v", err)
		}
		if err := w.Confirm(ctx, "zhang.san", code(0)); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Check(ctx, "zhang.san", password, ""); !errors.Is(err, identity.ErrCodeNeeded) {
			t.Errorf("now it is asked for: %v", err)
		}
		if _, err := w.Check(ctx, "zhang.san", "wrong password, twice", ""); !errors.Is(err, identity.ErrRefused) {
			t.Errorf("and never said to who does not know the password: %v", err)
		}
		if _, err := w.Check(ctx, "zhang.san", password, code(0)); !errors.Is(err, identity.ErrRefused) {
			t.Errorf("the code that turned it on is used up: %v", err)
		}
		w.now = w.now.Add(30 * time.Second)
		if _, err := w.Check(ctx, "zhang.san", password, code(0)); err != nil {
			t.Error(err)
		}
		for reason, shift := range map[string]time.Duration{"the same again": 0, "an older one": -30 * time.Second, "one of tomorrow": 24 * time.Hour} {
			if _, err := w.Check(ctx, "zhang.san", password, code(shift)); !errors.Is(err, identity.ErrRefused) {
				t.Errorf("%s is refused: %v", reason, err)
			}
		}
		if _, err := w.Check(ctx, "zhang.san", password, code(30*time.Second)); err != nil {
			t.Errorf("a clock that is half a minute ahead is no reason: %v", err)
		}
		for _, odd := range []string{"12345", "1234567", "abcdef", "１２３４５６", strings.Repeat("9", 1000)} {
			if _, err := w.Check(ctx, "zhang.san", password, odd); !errors.Is(err, identity.ErrRefused) {
				t.Errorf("%q is no code: %v", odd, err)
			}
		}
		var bad *local.Invalid
		if _, err := w.Enrol(ctx, "zhang.san"); !errors.As(err, &bad) {
			t.Errorf("a session that was stolen does not replace it: %v", err)
		}
		// Another key opens nothing, and lets nobody in without the second factor.
		other, err := seal.Ensure(filepath.Join(t.TempDir(), "other"))
		if err != nil {
			t.Fatal(err)
		}
		w.open(t, other, cheap)
		w.now = w.now.Add(time.Hour)
		if _, err := w.Check(ctx, "zhang.san", password, code(0)); err == nil || strings.Contains(err.Error(), enrolment.Secret) {
			t.Errorf("without the key nobody comes in: %v", err)
		}
	})
}

// Who asks for an account that is not there waits as long as for one that is.
func TestTheSameTimeForAllThatIsWrong(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.open(t, w.key, local.Cost{Memory: 16 << 10, Passes: 2, Lanes: 1})
		w.account(t, "zhang.san")
		once := func(name string) time.Duration {
			began := time.Now()
			if _, err := w.Check(t.Context(), name, "wrong password here", ""); !errors.Is(err, identity.ErrRefused) {
				t.Fatal(err)
			}
			return time.Since(began)
		}
		// In turns, and the best of each: a machine that is busy slows down both.
		known, unknown := time.Hour, time.Hour
		for range 12 {
			known, unknown = min(known, once("zhang.san")), min(unknown, once("nobody"))
		}
		if ratio := float64(known) / float64(unknown); ratio < 0.5 || ratio > 2 {
			t.Errorf("a known account takes %s, an unknown one %s", known, unknown)
		}
	})
}

func BenchmarkPassword(b *testing.B) {
	db, err := database.Open(b.Context(), b.TempDir()+"/fairway.db")
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	key, err := seal.Ensure(b.TempDir() + "/key")
	if err != nil {
		b.Fatal(err)
	}
	accounts, err := local.New(b.Context(), db, local.Options{Key: key, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	invite, _, err := accounts.Add(b.Context(), "zhang.san", "p1")
	if err != nil {
		b.Fatal(err)
	}
	if _, err := accounts.Accept(b.Context(), invite, password); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := accounts.Check(b.Context(), "zhang.san", password, ""); err != nil {
			b.Fatal(err)
		}
	}
}
