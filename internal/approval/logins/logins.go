// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package logins remembers the logins in which decisions were made, for longer
// than the sessions themselves are kept: an approval is judged days after its
// approvers have gone home.
package logins

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/fairway-cloud/fairway/internal/approval"
	"github.com/fairway-cloud/fairway/internal/platform/database"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Sessions knows the sessions of late. It is the identity room's.
type Sessions interface {
	// Ever returns whose a session is, when it began, and when it ended (zero: it
	// holds); found is false where it is not kept any more, or never was.
	Ever(ctx context.Context, session string) (person string, from, until time.Time, found bool, err error)
}

// Logins implements cases.Logins.
type Logins struct {
	db       *database.DB
	sessions Sessions
	now      func() time.Time
}

// New remembers in db what sessions know.
func New(ctx context.Context, db *database.DB, sessions Sessions, now func() time.Time) (*Logins, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	if err := db.Migrate(ctx, files, "approval_versions"); err != nil {
		return nil, err
	}
	return &Logins{db: db, sessions: sessions, now: now}, nil
}

// Login implements cases.Logins. A session that is kept is asked itself; of one that
// is not, what was seen last holds: it held at least until then, and for nothing later.
func (l *Logins) Login(ctx context.Context, session string) (approval.Login, bool, error) {
	person, from, until, found, err := l.sessions.Ever(ctx, session)
	if err != nil {
		return approval.Login{}, false, fmt.Errorf("could not ask about a login: %w", err)
	}
	if !found {
		return l.remembered(ctx, session)
	}
	seen := until
	if seen.IsZero() {
		seen = l.now()
	}
	if err := l.remember(ctx, session, person, from, seen); err != nil {
		return approval.Login{}, false, err
	}
	return approval.Login{Person: person, From: from, Until: until}, true, nil
}

// remember keeps the latest moment at which a login was seen to hold. What is a
// minute newer is not worth a write.
func (l *Logins) remember(ctx context.Context, session, person string, from, seen time.Time) error {
	known, found, err := l.remembered(ctx, session)
	if err != nil || (found && seen.Sub(known.Until) < time.Minute) {
		return err
	}
	_, err = l.db.Exec(ctx, `INSERT INTO approval_logins (session, person, began, seen) VALUES (?, ?, ?, ?)
		ON CONFLICT (session) DO UPDATE SET seen = excluded.seen WHERE approval_logins.seen < excluded.seen`,
		session, person, from.UnixMilli(), seen.UnixMilli())
	if err != nil {
		return fmt.Errorf("could not remember a login: %w", err)
	}
	return nil
}

func (l *Logins) remembered(ctx context.Context, session string) (approval.Login, bool, error) {
	out, began, seen := approval.Login{}, int64(0), int64(0)
	err := l.db.QueryRow(ctx, "SELECT person, began, seen FROM approval_logins WHERE session = ?", session).Scan(&out.Person, &began, &seen)
	if errors.Is(err, sql.ErrNoRows) {
		return out, false, nil
	}
	if err != nil {
		return out, false, fmt.Errorf("could not look up a login: %w", err)
	}
	out.From, out.Until = time.UnixMilli(began).UTC(), time.UnixMilli(seen).UTC()
	return out, true, nil
}
