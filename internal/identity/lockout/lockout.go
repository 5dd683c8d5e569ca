// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package lockout counts attempts to log in that failed, by account and by
// address, in SQL, so that every server knows of all of them. A name that nobody
// has is counted as one that somebody has: a lock tells nothing.
package lockout

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"strings"
	"time"

	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/platform/database"
)

//go:embed migrations/*.sql
var migrations embed.FS

// mostRows bounds what strangers can make the table hold.
const mostRows = 100000

// Counter counts.
type Counter struct {
	db  *database.DB
	now func() time.Time
}

// New brings the table up to date. now is the clock; nil: time.Now.
func New(ctx context.Context, db *database.DB, now func() time.Time) (*Counter, error) {
	if now == nil {
		now = time.Now
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	if err := db.Migrate(ctx, files, "identity_lockout_versions"); err != nil {
		return nil, err
	}
	return &Counter{db: db, now: now}, nil
}

// Who tries to come in.
type Who struct {
	// Provider and Login that were named.
	Provider, Login string
	// Address that the attempt comes from. The zero address is not counted.
	Address netip.Addr
}

// account is the key of an account. The name is digested: it may be a password.
// Upper and lower case are one, as directories hold it.
func (w Who) account() string {
	sum := sha256.Sum256([]byte(w.Provider + "\x00" + strings.ToLower(w.Login)))
	return "account:" + hex.EncodeToString(sum[:16])
}

func (w Who) address() string {
	if !w.Address.IsValid() {
		return ""
	}
	bits := 32
	if w.Address.Is6() {
		bits = 64
	}
	prefix, err := w.Address.Prefix(bits)
	if err != nil {
		return ""
	}
	return "address:" + prefix.String()
}

type counted struct {
	key  string
	lock identity.Lock
}

func (w Who) keys() []counted {
	keys := []counted{{w.account(), identity.AccountLock}}
	if address := w.address(); address != "" {
		keys = append(keys, counted{address, identity.AddressLock})
	}
	return keys
}

// Until says until when attempts are refused unseen. The zero time: they are not.
func (c *Counter) Until(ctx context.Context, who Who) (time.Time, error) {
	var until time.Time
	for _, k := range who.keys() {
		attempts, err := read(c.db.QueryRow(ctx, "SELECT failures, last FROM identity_attempts WHERE what = ?", k.key))
		if err != nil {
			return time.Time{}, err
		}
		if u := k.lock.Until(attempts, c.now()); u.After(until) {
			until = u
		}
	}
	return until, nil
}

func read(row *sql.Row) (identity.Attempts, error) {
	var failures, last int64
	err := row.Scan(&failures, &last)
	if errors.Is(err, sql.ErrNoRows) {
		return identity.Attempts{}, nil
	}
	if err != nil {
		return identity.Attempts{}, fmt.Errorf("could not read the failed attempts: %w", err)
	}
	return identity.Attempts{Failures: int(failures), Last: time.UnixMilli(last)}, nil
}

// Failed counts a failure and says whether it has locked something.
func (c *Counter) Failed(ctx context.Context, who Who) (locked bool, err error) {
	now := c.now()
	err = c.db.Tx(ctx, func(tx *database.Tx) error {
		for _, k := range who.keys() {
			// One statement, so that two at once are two.
			var failures int64
			err := tx.QueryRow(ctx, `INSERT INTO identity_attempts (what, failures, last) VALUES (?, 1, ?)
				ON CONFLICT (what) DO UPDATE SET
					failures = CASE WHEN identity_attempts.last < ? THEN 1 ELSE identity_attempts.failures + 1 END, last = excluded.last
				RETURNING failures`, k.key, now.UnixMilli(), now.Add(-identity.Forgotten).UnixMilli()).Scan(&failures)
			if err != nil {
				return err
			}
			if !k.lock.Until(identity.Attempts{Failures: int(failures), Last: now}, now).IsZero() {
				locked = true
			}
		}
		return c.tidy(ctx, tx, now)
	})
	if err != nil {
		return false, fmt.Errorf("could not count a failed attempt: %w", err)
	}
	return locked, nil
}

// tidy forgets what is old, and the oldest where there are too many.
func (c *Counter) tidy(ctx context.Context, tx *database.Tx, now time.Time) error {
	if _, err := tx.Exec(ctx, "DELETE FROM identity_attempts WHERE last < ?", now.Add(-identity.Forgotten).UnixMilli()); err != nil {
		return err
	}
	var rows int
	if err := tx.QueryRow(ctx, "SELECT count(*) FROM identity_attempts").Scan(&rows); err != nil || rows <= mostRows {
		return err
	}
	_, err := tx.Exec(ctx, "DELETE FROM identity_attempts WHERE what IN (SELECT what FROM identity_attempts ORDER BY last LIMIT ?)", rows-mostRows/2)
	return err
}

// Succeeded forgets the failures of the account. Those of the address stay: who
// knows one password could otherwise go on guessing others.
func (c *Counter) Succeeded(ctx context.Context, who Who) error {
	if _, err := c.db.Exec(ctx, "DELETE FROM identity_attempts WHERE what = ?", who.account()); err != nil {
		return fmt.Errorf("could not forget failed attempts: %w", err)
	}
	return nil
}

// Unlock forgets the failures of an account, for whoever may say so.
func (c *Counter) Unlock(ctx context.Context, provider, login string) error {
	return c.Succeeded(ctx, Who{Provider: provider, Login: login})
}
