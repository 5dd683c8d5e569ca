// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package session keeps logins and the tokens of machines on the server, in SQL.
// What a client holds is 256 random bits, of which only the digest is kept. A
// session ends when it is not used, after its longest time, when it is revoked, and
// when the bank no longer knows its person; every server notices within 2 seconds.
package session

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"embed"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/platform/database"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Prefixes of credentials, so that scanners of code and logs find one that leaked.
const (
	prefixSession = "fws_"
	prefixToken   = "fwt_"
)

// Purpose says what a session is for.
type Purpose string

// The purposes. A kubectl session hangs on the one that asked for it and ends with it.
const (
	Console Purpose = "console"
	CLI     Purpose = "cli"
	Kubectl Purpose = "kubectl"
)

const (
	// kubectlHolds is how long a session of kubectl holds; its plugin asks for another.
	kubectlHolds = 15 * time.Minute
	// believed is how long a check is believed. With the two seconds after which long
	// answers ask again, what is revoked is dead within 5 seconds.
	believed = 2 * time.Second
	// touchEvery bounds how often the time of the last request is written.
	touchEvery = 30 * time.Second
	// skew is how far the clocks of servers may differ. What was used later than
	// that from now was kept by a clock that was wrong: it ends.
	skew = 5 * time.Minute
	// rememberedFor is how long after its last check a session is remembered for the
	// way back while the database is away.
	rememberedFor = time.Hour
	// kept is how long an ended session is shown.
	kept = 24 * time.Hour
	// mostChecks bounds the checks that are remembered.
	mostChecks = 20000
)

// ErrNone says that there is no such session or token. Callers answer as for one
// that never was.
var ErrNone = errors.New("there is no such session")

// Session is a login.
type Session struct {
	// ID names it in lists and in evidence. It opens nothing.
	ID string `json:"id"`
	// Person who logged in, by which provider and with which login there.
	Person   string `json:"person"`
	Provider string `json:"provider"`
	Login    string `json:"login,omitempty"`
	// Address and Agent that it was opened from.
	Address string `json:"address,omitempty"`
	Agent   string `json:"agent,omitempty"`
	// Purpose is console, cli or kubectl.
	Purpose Purpose `json:"purpose"`
	// Parent is the session that it hangs on. Empty: none.
	Parent string `json:"parent,omitempty"`
	// Created when, Seen last when, and it Expires at the latest when.
	Created time.Time `json:"created"`
	Seen    time.Time `json:"seen"`
	Expires time.Time `json:"expires"`
}

// Login is what a session is opened for.
type Login struct {
	// Person who came in.
	Person string
	// Claim of the provider; its groups are asked about again while the session holds.
	Claim identity.Claim
	// Address and Agent that he comes from.
	Address, Agent string
	// Purpose of the session.
	Purpose Purpose
}

// Options of a store.
type Options struct {
	// Directory is asked whether people still are who they were.
	Directory identity.Directory
	// Limits of sessions. Default: see identity.SessionLimits.
	Limits identity.SessionLimits
	// Now is the clock. Default: time.Now.
	Now func() time.Time
	// Log gets what clients are not told.
	Log *slog.Logger
}

// Store keeps sessions and tokens.
type Store struct {
	db        *database.DB
	directory identity.Directory
	limits    identity.SessionLimits
	now       func() time.Time
	log       *slog.Logger
	checks    checks
}

// New brings the tables up to date and opens the store.
func New(ctx context.Context, db *database.DB, o Options) (*Store, error) {
	if o.Directory == nil || o.Log == nil {
		return nil, errors.New("could not open the sessions: a directory of people and a log are needed")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	if err := db.Migrate(ctx, files, "identity_session_versions"); err != nil {
		return nil, err
	}
	return &Store{db: db, directory: o.Directory, limits: o.Limits.OrDefault(), now: o.Now, log: o.Log}, nil
}

// fresh makes a credential and its digest.
func fresh(prefix string) (credential, digest string) {
	var random [32]byte
	_, _ = rand.Read(random[:]) // never fails, as of Go 1.24
	credential = prefix + base64.RawURLEncoding.EncodeToString(random[:])
	return credential, digestOf(credential)
}

func digestOf(credential string) string {
	sum := sha256.Sum256([]byte(credential))
	return hex.EncodeToString(sum[:])
}

func newID(prefix string) string {
	var random [8]byte
	_, _ = rand.Read(random[:])
	return prefix + hex.EncodeToString(random[:])
}

// Open opens a session and returns its credential, which is not kept. Where the
// person has as many as he may, the oldest ends.
func (s *Store) Open(ctx context.Context, login Login) (credential string, opened Session, err error) {
	now := s.now()
	opened = Session{
		ID: newID("s-"), Person: login.Person, Provider: login.Claim.Provider, Login: login.Claim.Login, Address: login.Address,
		Agent: identity.Shown(login.Agent, 200), Purpose: login.Purpose, Created: now, Seen: now, Expires: now.Add(s.limits.Absolute.Duration),
	}
	credential, err = s.insert(ctx, opened, login.Claim.Groups)
	return credential, opened, err
}

// Kubectl opens a short session for kubectl that hangs on another.
func (s *Store) Kubectl(ctx context.Context, parent, address, agent string) (credential string, opened Session, err error) {
	now := s.now()
	mother, groups, err := s.one(ctx, parent)
	if err != nil {
		return "", Session{}, err
	}
	if !s.holds(mother, now) || mother.Parent != "" {
		return "", Session{}, ErrNone
	}
	opened = Session{
		ID: newID("s-"), Person: mother.Person, Provider: mother.Provider, Login: mother.Login, Address: address,
		Agent: identity.Shown(agent, 200), Purpose: Kubectl, Parent: parent, Created: now, Seen: now, Expires: now.Add(kubectlHolds),
	}
	if opened.Expires.After(mother.Expires) {
		opened.Expires = mother.Expires
	}
	credential, err = s.insert(ctx, opened, groups)
	return credential, opened, err
}

const columns = "id, person, provider, login, vouched, address, agent, purpose, parent, created, seen, expires"

func (s *Store) insert(ctx context.Context, o Session, groups []string) (string, error) {
	vouched, err := json.Marshal(groups)
	if err != nil {
		return "", err
	}
	credential, digest := fresh(prefixSession)
	now := s.now()
	err = s.db.Tx(ctx, func(tx *database.Tx) error {
		if _, err := tx.Exec(ctx, "DELETE FROM identity_sessions WHERE expires < ? OR (ended > 0 AND ended < ?)",
			now.Add(-kept).UnixMilli(), now.Add(-kept).UnixMilli()); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `UPDATE identity_sessions SET ended = ? WHERE person = ? AND purpose = ? AND ended = 0 AND id NOT IN (
			SELECT id FROM identity_sessions WHERE person = ? AND purpose = ? AND ended = 0 ORDER BY created DESC, id LIMIT ?)`,
			now.UnixMilli(), o.Person, string(o.Purpose), o.Person, string(o.Purpose), s.limits.Most-1); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "INSERT INTO identity_sessions ("+columns+", digest, ended) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)",
			o.ID, o.Person, o.Provider, o.Login, string(vouched), o.Address, o.Agent, string(o.Purpose), o.Parent,
			o.Created.UnixMilli(), o.Seen.UnixMilli(), o.Expires.UnixMilli(), digest)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("could not keep the session of %q: %w", o.Person, err)
	}
	return credential, nil
}

type scanner interface{ Scan(into ...any) error }

func scan(row scanner, more ...any) (Session, []string, error) {
	o, vouched, purpose := Session{}, "", ""
	var created, seen, expires int64
	err := row.Scan(append([]any{&o.ID, &o.Person, &o.Provider, &o.Login, &vouched, &o.Address, &o.Agent, &purpose, &o.Parent, &created, &seen, &expires}, more...)...)
	if errors.Is(err, sql.ErrNoRows) {
		return Session{}, nil, ErrNone
	}
	if err != nil {
		return Session{}, nil, fmt.Errorf("could not read a session: %w", err)
	}
	o.Purpose, o.Created, o.Seen, o.Expires = Purpose(purpose), at(created), at(seen), at(expires)
	var groups []string
	if err := json.Unmarshal([]byte(vouched), &groups); err != nil {
		return Session{}, nil, fmt.Errorf("could not read the groups of session %q: %w", o.ID, err)
	}
	return o, groups, nil
}

func at(millis int64) time.Time { return time.UnixMilli(millis).UTC() }

func (s *Store) one(ctx context.Context, id string) (Session, []string, error) {
	return scan(s.db.QueryRow(ctx, "SELECT "+columns+" FROM identity_sessions WHERE id = ? AND ended = 0", id))
}

// holds says whether a session that was not revoked still holds. Time does not run
// backwards for a session: what the clock says is believed from its last use on.
func (s *Store) holds(o Session, now time.Time) bool {
	if o.Seen.Sub(now) > skew || o.Created.Sub(now) > skew {
		return false
	}
	if now.Before(o.Seen) {
		now = o.Seen
	}
	return now.Before(o.Expires) && now.Sub(o.Seen) < s.limits.Idle.Duration
}

// Get returns a session that holds.
func (s *Store) Get(ctx context.Context, id string) (Session, error) {
	o, _, err := s.one(ctx, id)
	if err == nil && !s.holds(o, s.now()) {
		err = ErrNone
	}
	return o, err
}

// most sessions that are listed at once.
const mostListed = 1000

// List lists the sessions that hold, newest first. person "": everybody's.
func (s *Store) List(ctx context.Context, person string) ([]Session, error) {
	rows, err := s.db.Query(ctx, "SELECT "+columns+" FROM identity_sessions WHERE ended = 0 AND (person = ? OR ? = '') ORDER BY created DESC, id LIMIT ?", person, person, mostListed)
	if err != nil {
		return nil, fmt.Errorf("could not list sessions: %w", err)
	}
	defer rows.Close() //nolint:errcheck // only read
	found, now := []Session{}, s.now()
	for rows.Next() {
		o, _, err := scan(rows)
		if err != nil {
			return nil, err
		}
		if s.holds(o, now) {
			found = append(found, o)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("could not list sessions: %w", err)
	}
	return found, nil
}

// End revokes a session and those that hang on it. person "": whosever it is. It
// fails with ErrNone where there is none, or it is somebody else's.
func (s *Store) End(ctx context.Context, id, person string) error {
	s.checks.forget(func(c check) bool {
		return (c.session.ID == id || c.session.Parent == id) && (person == "" || c.session.Person == person)
	})
	done, err := s.db.Exec(ctx, "UPDATE identity_sessions SET ended = ? WHERE (id = ? OR parent = ?) AND ended = 0 AND (person = ? OR ? = '')",
		s.now().UnixMilli(), id, id, person, person)
	if err != nil {
		return fmt.Errorf("could not end session %q: %w", id, err)
	}
	return atLeastOne(done, s, func(c check) bool { return c.session.ID == id || c.session.Parent == id })
}

// atLeastOne forgets once more what a request that was under way has remembered.
func atLeastOne(done sql.Result, s *Store, which func(check) bool) error {
	n, err := done.RowsAffected()
	if err != nil {
		return err
	}
	if n == 0 {
		return ErrNone
	}
	s.checks.forget(which)
	return nil
}

// EndAll revokes every session of a person, but for the one of that id, and says how many.
func (s *Store) EndAll(ctx context.Context, person, but string) (int64, error) {
	mine := func(c check) bool {
		return c.session.Person == person && c.session.ID != but && c.session.Machine == ""
	}
	s.checks.forget(mine)
	done, err := s.db.Exec(ctx, "UPDATE identity_sessions SET ended = ? WHERE person = ? AND id <> ? AND (parent <> ? OR parent = '') AND ended = 0", s.now().UnixMilli(), person, but, but)
	if err != nil {
		return 0, fmt.Errorf("could not end the sessions of %q: %w", person, err)
	}
	s.checks.forget(mine)
	return done.RowsAffected()
}

// Authenticate says who a credential belongs to, and whether he still may come in:
// httpapi.ErrUnknownCredential, or an error of identity.Directory. Other errors mean
// that it could not be found out.
func (s *Store) Authenticate(ctx context.Context, credential string) (identity.Person, error) {
	kind, known := kindOf(credential)
	if !known {
		return identity.Person{}, httpapi.ErrUnknownCredential
	}
	digest, now := digestOf(credential), s.now()
	c, ok := s.checks.get(digest)
	if age := now.Sub(c.at); !ok || age < 0 || age >= believed {
		var err error
		if c, err = s.check(ctx, kind, digest, now); err != nil {
			if errors.Is(err, httpapi.ErrUnknownCredential) || errors.Is(err, identity.ErrDisabled) || errors.Is(err, identity.ErrNobody) || errors.Is(err, identity.ErrExclusive) {
				s.checks.drop(digest)
			}
			return identity.Person{}, err
		}
	}
	if !httpapi.IsRecheck(ctx) {
		s.touch(ctx, digest, c, now)
	}
	return c.person, nil
}

// Before returns the login of the same person before that one, whether it still
// holds or not. It fails with ErrNone where none is kept any more.
func (s *Store) Before(ctx context.Context, current Session) (Session, error) {
	o, _, err := scan(s.db.QueryRow(ctx, "SELECT "+columns+" FROM identity_sessions WHERE person = ? AND parent = '' AND id <> ? AND created <= ? ORDER BY created DESC, id LIMIT 1",
		current.Person, current.ID, current.Created.UnixMilli()))
	return o, err
}
