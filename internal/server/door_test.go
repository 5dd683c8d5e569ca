// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/identity/local"
	"github.com/fairway-cloud/fairway/internal/identity/lockout"
	"github.com/fairway-cloud/fairway/internal/identity/seal"
	identityserver "github.com/fairway-cloud/fairway/internal/identity/server"
	"github.com/fairway-cloud/fairway/internal/identity/session"
	"github.com/fairway-cloud/fairway/internal/platform/database"
)

// nobody is a Directory of an empty bank.
type nobody struct{}

func (nobody) Resolve(context.Context, identity.Claim) (identity.Person, error) {
	return identity.Person{}, identity.ErrNobody
}

func (nobody) Current(context.Context, string, []string) (identity.Person, error) {
	return identity.Person{}, identity.ErrNobody
}

// door is the identity room on a database of its own.
func door(t *testing.T, recorder audit.Recorder) *identityserver.Room {
	t.Helper()
	dir, log := t.TempDir(), slog.New(slog.DiscardHandler)
	db, err := database.Open(t.Context(), filepath.Join(dir, "fairway.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	key, err := seal.Ensure(filepath.Join(dir, "key"))
	if err != nil {
		t.Fatal(err)
	}
	sessions, err := session.New(t.Context(), db, session.Options{Directory: nobody{}, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	accounts, err := local.New(t.Context(), db, local.Options{Key: key, Log: log, Cost: local.Cost{Memory: 64, Passes: 1, Lanes: 1}})
	if err != nil {
		t.Fatal(err)
	}
	attempts, err := lockout.New(t.Context(), db, nil)
	if err != nil {
		t.Fatal(err)
	}
	return identityserver.New(identityserver.Config{
		Providers: []identityserver.Provider{{Name: identity.Local, DisplayName: "Fairway", Passwords: accounts}},
		Sessions:  sessions, Accounts: accounts, Lockout: attempts, Directory: nobody{}, Recorder: recorder, Key: key, Log: log,
	})
}
