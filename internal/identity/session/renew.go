// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/identity"
)

// Again asks a provider about a login that came in before. It fails with
// identity.ErrRefused where the provider would not let it in any more, and with
// identity.ErrAway where it does not answer.
type Again interface {
	Again(ctx context.Context, login string) (identity.Claim, error)
}

// Renewal asks a provider again about those who are logged in: the groups of their
// sessions are those of the last answer, and whoever is gone there is out.
type Renewal struct {
	// Store of the sessions.
	Store *Store
	// Provider is asked; Name is how sessions call it.
	Name     string
	Provider Again
	// Every is how often. Needed.
	Every time.Duration
	// Recorder keeps what ended.
	Recorder audit.Recorder
	// Log gets what went wrong.
	Log *slog.Logger
}

// Run asks until ctx ends.
func (r *Renewal) Run(ctx context.Context) error {
	ticker := time.NewTicker(r.Every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		if err := r.Once(ctx); err != nil && ctx.Err() == nil {
			r.Log.Error("the groups of sessions could not be read anew; those of the last answer hold", "provider", r.Name, "cause", err.Error())
		}
	}
}

// standing is what sessions of one login have in common.
type standing struct {
	person, login string
	sessions      []string
	groups        []string
}

// Once asks about every login that has a session which holds. A provider that does
// not answer changes nothing.
func (r *Renewal) Once(ctx context.Context) error {
	all, err := r.Store.standing(ctx, r.Name)
	if err != nil {
		return err
	}
	var errs []error
	for _, one := range all {
		claim, err := r.Provider.Again(ctx, one.login)
		if err == nil {
			err = r.Store.same(ctx, one.person, claim)
		}
		switch {
		case errors.Is(err, identity.ErrRefused), errors.Is(err, identity.ErrNobody), errors.Is(err, identity.ErrDisabled), errors.Is(err, identity.ErrExclusive):
			errs = append(errs, r.end(ctx, one, err))
		case errors.Is(err, identity.ErrAway):
			return errors.Join(append(errs, err)...) // the others would wait for it in vain
		case err != nil:
			errs = append(errs, err)
		case !slices.Equal(claim.Groups, one.groups):
			errs = append(errs, r.Store.regroup(ctx, r.Name, one.person, one.login, claim.Groups))
		}
	}
	return errors.Join(errs...)
}

// end ends the sessions and tokens of somebody who would not get in any more. That
// is never refused for want of a record.
func (r *Renewal) end(ctx context.Context, one standing, why error) error {
	act := audit.Act{
		Verb: "identity.endSession", Person: one.person, Subject: "Login/" + r.Name + "/" + identity.Shown(one.login, identity.LongestLogin), Class: audit.ClassLogin,
		From: "provider " + r.Name, Details: []string{fmt.Sprintf("%d sessions: %v", len(one.sessions), why)},
	}
	return audit.Do(ctx, r.Recorder, audit.FailOpen, act, func(ctx context.Context) error {
		return r.Store.dismiss(ctx, r.Name, one.person, one.login)
	})
}

// same says whether a claim still is that person's.
func (s *Store) same(ctx context.Context, person string, claim identity.Claim) error {
	now, err := s.directory.Resolve(ctx, claim)
	if err == nil && now.ID != person {
		err = identity.ErrNobody
	}
	return err
}

// standing lists the logins of a provider that have sessions which hold.
func (s *Store) standing(ctx context.Context, provider string) ([]standing, error) {
	rows, err := s.db.Query(ctx, "SELECT "+columns+" FROM identity_sessions WHERE ended = 0 AND parent = '' AND provider = ? ORDER BY person, login, created", provider)
	if err != nil {
		return nil, fmt.Errorf("could not list the sessions of provider %q: %w", provider, err)
	}
	defer rows.Close() //nolint:errcheck // only read
	var all []standing
	now := s.now()
	for rows.Next() {
		o, groups, err := scan(rows)
		if err != nil {
			return nil, err
		}
		if !s.holds(o, now) {
			continue
		}
		if last := len(all) - 1; last >= 0 && all[last].person == o.Person && all[last].login == o.Login {
			all[last].sessions = append(all[last].sessions, o.ID)
			if !slices.Equal(all[last].groups, groups) {
				all[last].groups = []string{""} // they differ: no answer is equal to that
			}
			continue
		}
		all = append(all, standing{person: o.Person, login: o.Login, sessions: []string{o.ID}, groups: groups})
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("could not list the sessions of provider %q: %w", provider, err)
	}
	return all, nil
}

// regroup gives the sessions of a login, and the tokens of its person, other groups.
func (s *Store) regroup(ctx context.Context, provider, person, login string, groups []string) error {
	vouched, err := json.Marshal(groups)
	if err != nil {
		return err
	}
	if _, err := s.db.Exec(ctx, "UPDATE identity_sessions SET vouched = ? WHERE provider = ? AND person = ? AND login = ? AND ended = 0", string(vouched), provider, person, login); err != nil {
		return fmt.Errorf("could not change the groups of the sessions of %q: %w", person, err)
	}
	if _, err := s.db.Exec(ctx, "UPDATE identity_tokens SET vouched = ? WHERE provider = ? AND person = ? AND ended = 0", string(vouched), provider, person); err != nil {
		return fmt.Errorf("could not change the groups of the tokens of %q: %w", person, err)
	}
	s.checks.forget(func(c check) bool { return c.session.Person == person })
	return nil
}

// dismiss ends the sessions of a login, and the tokens that its person made by it.
func (s *Store) dismiss(ctx context.Context, provider, person, login string) error {
	now := s.now().UnixMilli()
	_, err := s.db.Exec(ctx, "UPDATE identity_sessions SET ended = ? WHERE provider = ? AND person = ? AND login = ? AND ended = 0", now, provider, person, login)
	if err == nil {
		_, err = s.db.Exec(ctx, "UPDATE identity_tokens SET ended = ? WHERE provider = ? AND person = ? AND ended = 0", now, provider, person)
	}
	s.checks.forget(func(c check) bool { return c.session.Person == person })
	if err != nil {
		return fmt.Errorf("could not end the sessions of %q: %w", person, err)
	}
	return nil
}
