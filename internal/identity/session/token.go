// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package session

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/platform/database"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
)

// Token lets a machine act for its owner, within a scope. Evidence and the hub see
// the owner, so that a machine is never a second person (maker is not checker).
type Token struct {
	// ID names it in lists and in evidence. It opens nothing.
	ID string `json:"id"`
	// Person who owns it.
	Person string `json:"person"`
	// Name of the machine, one of its kind per owner.
	Name string `json:"name"`
	// Scope narrows what it may do.
	Scope identity.Scope `json:"scope"`
	// Address that it was made from.
	Address string `json:"address,omitempty"`
	// Created when, Seen last when (zero: never), and Expires when.
	Created time.Time  `json:"created"`
	Seen    *time.Time `json:"seen,omitempty"`
	Expires time.Time  `json:"expires"`
}

// mostTokens of one person.
const mostTokens = 100

// ErrTaken says that the owner has a token of that name.
var ErrTaken = errors.New("there is a token of that name")

// ErrMost says that the owner has as many tokens as he may.
var ErrMost = errors.New("there are as many tokens as one person may have")

const tokenColumns = "id, person, name, vouched, provider, scope, address, created, seen, expires"

// Make makes a token of the owner and returns its credential, which is shown once
// and not kept.
func (s *Store) Make(ctx context.Context, owner Login, name string, scope identity.Scope, holds time.Duration) (credential string, made Token, err error) {
	if why := identity.CheckToken(name, scope, holds); why != "" {
		return "", Token{}, fmt.Errorf("could not make token %q: %s", name, why)
	}
	now := s.now()
	made = Token{ID: newID("t-"), Person: owner.Person, Name: name, Scope: scope, Address: owner.Address, Created: now, Expires: now.Add(holds)}
	vouched, err := json.Marshal(owner.Claim.Groups)
	if err != nil {
		return "", Token{}, err
	}
	narrowed, err := json.Marshal(scope)
	if err != nil {
		return "", Token{}, err
	}
	credential, digest := fresh(prefixToken)
	err = s.db.Tx(ctx, func(tx *database.Tx) error {
		if _, err := tx.Exec(ctx, "DELETE FROM identity_tokens WHERE expires < ? OR (ended > 0 AND ended < ?)", now.Add(-kept).UnixMilli(), now.Add(-kept).UnixMilli()); err != nil {
			return err
		}
		var all, same int
		if err := tx.QueryRow(ctx, "SELECT count(*), count(CASE WHEN name = ? THEN 1 END) FROM identity_tokens WHERE person = ? AND ended = 0 AND expires > ?",
			name, owner.Person, now.UnixMilli()).Scan(&all, &same); err != nil {
			return err
		}
		if same > 0 {
			return ErrTaken
		}
		if all >= mostTokens {
			return ErrMost
		}
		_, err := tx.Exec(ctx, "INSERT INTO identity_tokens ("+tokenColumns+", digest, ended) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, 0)",
			made.ID, made.Person, made.Name, string(vouched), owner.Claim.Provider, string(narrowed), made.Address, now.UnixMilli(), made.Expires.UnixMilli(), digest)
		return err
	})
	if err != nil {
		return "", Token{}, fmt.Errorf("could not make token %q of %q: %w", name, owner.Person, err)
	}
	return credential, made, nil
}

// Claimed returns what the provider vouched for when the session was opened, so
// that a token made in it is asked about in the same way.
func (s *Store) Claimed(ctx context.Context, id string) (identity.Claim, error) {
	o, groups, err := s.one(ctx, id)
	return identity.Claim{Provider: o.Provider, Login: o.Login, Groups: groups}, err
}

func scanToken(row scanner) (Token, []string, string, error) {
	t, vouched, provider, scope := Token{}, "", "", ""
	var created, seen, expires int64
	err := row.Scan(&t.ID, &t.Person, &t.Name, &vouched, &provider, &scope, &t.Address, &created, &seen, &expires)
	if errors.Is(err, sql.ErrNoRows) {
		return Token{}, nil, "", ErrNone
	}
	if err != nil {
		return Token{}, nil, "", fmt.Errorf("could not read a token: %w", err)
	}
	t.Created, t.Expires = at(created), at(expires)
	if seen > 0 {
		last := at(seen)
		t.Seen = &last
	}
	var groups []string
	if err := errors.Join(json.Unmarshal([]byte(vouched), &groups), json.Unmarshal([]byte(scope), &t.Scope)); err != nil {
		return Token{}, nil, "", fmt.Errorf("could not read token %q: %w", t.ID, err)
	}
	return t, groups, provider, nil
}

func (s *Store) checkToken(ctx context.Context, k kind, digest string, now time.Time) (check, error) {
	t, groups, provider, err := scanToken(s.db.QueryRow(ctx, "SELECT "+tokenColumns+" FROM identity_tokens WHERE digest = ? AND ended = 0", digest))
	if errors.Is(err, ErrNone) || err == nil && (!now.Before(t.Expires) || t.Created.Sub(now) > skew) {
		return check{}, httpapi.ErrUnknownCredential
	}
	if err != nil {
		return check{}, err
	}
	person, err := s.current(ctx, t.Person, groups)
	if err != nil {
		return check{}, err
	}
	person.Session, person.Provider, person.Machine, person.Scope = t.ID, provider, t.Name, &t.Scope
	c := check{kind: k, person: person, at: now, session: held{
		ID: t.ID, Person: t.Person, Machine: t.Name, holds: func(now time.Time) bool { return now.Before(t.Expires) },
	}}
	if t.Seen != nil {
		c.touched = *t.Seen
	}
	return s.checks.put(digest, c), nil
}

// Tokens lists the tokens that hold, newest first. person "": everybody's.
func (s *Store) Tokens(ctx context.Context, person string) ([]Token, error) {
	rows, err := s.db.Query(ctx, "SELECT "+tokenColumns+" FROM identity_tokens WHERE ended = 0 AND expires > ? AND (person = ? OR ? = '') ORDER BY created DESC, id LIMIT ?",
		s.now().UnixMilli(), person, person, mostListed)
	if err != nil {
		return nil, fmt.Errorf("could not list tokens: %w", err)
	}
	defer rows.Close() //nolint:errcheck // only read
	found := []Token{}
	for rows.Next() {
		t, _, _, err := scanToken(rows)
		if err != nil {
			return nil, err
		}
		found = append(found, t)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("could not list tokens: %w", err)
	}
	return found, nil
}

// Revoke ends a token. person "": whosever it is. It fails with ErrNone where there
// is none, or it is somebody else's.
func (s *Store) Revoke(ctx context.Context, id, person string) error {
	which := func(c check) bool { return c.session.ID == id && (person == "" || c.session.Person == person) }
	s.checks.forget(which)
	done, err := s.db.Exec(ctx, "UPDATE identity_tokens SET ended = ? WHERE id = ? AND ended = 0 AND (person = ? OR ? = '')", s.now().UnixMilli(), id, person, person)
	if err != nil {
		return fmt.Errorf("could not revoke token %q: %w", id, err)
	}
	return atLeastOne(done, s, which)
}
