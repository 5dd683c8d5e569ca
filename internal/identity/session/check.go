// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package session

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
)

// kind of a credential.
type kind struct{ prefix, table string }

var kinds = []kind{{prefixSession, "identity_sessions"}, {prefixToken, "identity_tokens"}}

// kindOf reads the kind from the prefix; a credential of another shape reaches no database.
func kindOf(credential string) (kind, bool) {
	for _, k := range kinds {
		if strings.HasPrefix(credential, k.prefix) && len(credential) == len(k.prefix)+43 {
			return k, true
		}
	}
	return kind{}, false
}

// held is what a check knows of the session or token.
type held struct {
	ID, Parent, Person, Machine string
	Seen                        time.Time
	holds                       func(now time.Time) bool
}

// check is what was found out about a credential, and when.
type check struct {
	session held
	kind    kind
	person  identity.Person
	at      time.Time
	touched time.Time
}

// check asks the database and the directory.
func (s *Store) check(ctx context.Context, k kind, digest string, now time.Time) (check, error) {
	if k.prefix == prefixToken {
		return s.checkToken(ctx, k, digest, now)
	}
	o, groups, err := scan(s.db.QueryRow(ctx, "SELECT "+columns+" FROM identity_sessions WHERE digest = ? AND ended = 0", digest))
	if errors.Is(err, ErrNone) || err == nil && !s.holds(o, now) {
		return check{}, httpapi.ErrUnknownCredential
	}
	if err != nil {
		return check{}, err
	}
	if o.Parent != "" {
		// It hangs on another, and holds no longer than that one is not revoked.
		if mother, _, err := s.one(ctx, o.Parent); errors.Is(err, ErrNone) || err == nil && !now.Before(mother.Expires) {
			return check{}, httpapi.ErrUnknownCredential
		} else if err != nil {
			return check{}, err
		}
	}
	person, err := s.current(ctx, o.Person, groups)
	if err != nil {
		return check{}, err
	}
	person.Session, person.Provider = o.ID, o.Provider
	c := check{kind: k, person: person, at: now, touched: o.Seen, session: held{
		ID: o.ID, Parent: o.Parent, Person: o.Person, Seen: o.Seen, holds: func(now time.Time) bool { return s.holds(o, now) },
	}}
	return s.checks.put(digest, c), nil
}

// current asks whether the person still is who he was.
func (s *Store) current(ctx context.Context, id string, groups []string) (identity.Person, error) {
	person, err := s.directory.Current(ctx, id, groups)
	if err == nil && person.ID != id {
		err = identity.ErrNobody
	}
	return person, err
}

// touch notes that the session was used. It is not worth refusing a request for:
// where it cannot be written, the session ends early, or never later than its
// absolute limit.
func (s *Store) touch(ctx context.Context, digest string, c check, now time.Time) {
	every := min(touchEvery, s.limits.Idle.Duration/4)
	if now.Sub(c.touched) < every {
		return
	}
	s.checks.touched(digest, now)
	if _, err := s.db.Exec(ctx, "UPDATE "+c.kind.table+" SET seen = ? WHERE digest = ? AND seen < ?", now.UnixMilli(), digest, now.UnixMilli()); err != nil && ctx.Err() == nil {
		s.log.Error("could not note that a session is used; it may end early", "session", c.session.ID, "cause", err.Error())
	}
}

// Remembered returns who a credential belonged to when it was last checked, at most
// an hour ago, and only while the session would hold by what was known then. It is
// for the way back while the database is away, and for nothing else.
func (s *Store) Remembered(credential string) (identity.Person, bool) {
	c, ok := s.checks.get(digestOf(credential))
	now := s.now()
	if age := now.Sub(c.at); !ok || age < 0 || age > rememberedFor || !c.session.holds(now) {
		return identity.Person{}, false
	}
	return c.person, true
}

// checks remembers what was found out, by digest.
type checks struct {
	mu    sync.Mutex
	known map[string]check
}

func (c *checks) get(digest string) (check, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	found, ok := c.known[digest]
	return found, ok
}

func (c *checks) put(digest string, found check) check {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil || len(c.known) >= mostChecks {
		c.known = map[string]check{}
	}
	if before, ok := c.known[digest]; ok && before.touched.After(found.touched) {
		found.touched = before.touched
	}
	c.known[digest] = found
	return found
}

func (c *checks) touched(digest string, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if found, ok := c.known[digest]; ok {
		found.touched = now
		c.known[digest] = found
	}
}

func (c *checks) drop(digest string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.known, digest)
}

func (c *checks) forget(which func(check) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for digest, found := range c.known {
		if which(found) {
			delete(c.known, digest)
		}
	}
}
