// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package session_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/audit/audittest"
	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/identity/session"
)

// ldap answers with what it holds.
type ldap struct {
	claim identity.Claim
	err   error
	asked int
}

func (l *ldap) Again(context.Context, string) (identity.Claim, error) {
	l.asked++
	return l.claim, l.err
}

func TestADirectoryIsAskedAgain(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		log := audittest.New("server", w.clock.Now)
		directory := &ldap{claim: identity.Claim{Provider: "ldap", Login: "p1", Groups: []string{"bank-dev"}}}
		renewal := &session.Renewal{Store: w.store, Name: "ldap", Provider: directory, Every: time.Minute, Recorder: log, Log: slog.New(slog.DiscardHandler)}
		once := func() error { return renewal.Once(t.Context()) }
		groups := func(credential string) []string {
			t.Helper()
			w.clock.pass(3 * time.Second) // no check is believed so long
			person, err := w.other.Authenticate(t.Context(), credential)
			if err != nil {
				t.Fatal(err)
			}
			return person.Groups
		}
		credential, opened := w.open(t, "p1")
		second, _ := w.open(t, "p1")
		kubectl, _, err := w.store.Kubectl(t.Context(), opened.ID, "10.0.0.7", "kubectl")
		if err != nil {
			t.Fatal(err)
		}
		if err := once(); err != nil || directory.asked != 1 || len(groups(credential)) != 2 {
			t.Errorf("two sessions of one login are one question, which changes nothing: %v, asked %d times", err, directory.asked)
		}
		directory.claim.Groups = []string{"bank-ops", "bank-night"}
		if err := once(); err != nil {
			t.Fatal(err)
		}
		for name, c := range map[string]string{"the session": credential, "the other": second, "that of kubectl": kubectl} {
			if diff := cmp.Diff([]string{"retail", "bank-ops", "bank-night"}, groups(c)); diff != "" {
				t.Errorf("%s has the groups of now (-want +got):\n%s", name, diff)
			}
		}
		directory.err = identity.ErrAway
		if err := once(); !errors.Is(err, identity.ErrAway) || !slices.Contains(groups(credential), "bank-ops") {
			t.Errorf("who does not answer changes nothing: %v", err)
		}
		directory.err = identity.ErrRefused
		log.SetAway(true) // to let nobody stay in, no record is waited for
		if err := once(); err != nil {
			t.Fatal(err)
		}
		log.SetAway(false)
		w.clock.pass(3 * time.Second)
		for name, c := range map[string]string{"the session": credential, "the other": second, "that of kubectl": kubectl} {
			unknown(t, w.other, c, name+" of somebody who is gone there")
		}

		// Somebody else has the login by now.
		directory.err, directory.claim.Login = nil, "p2"
		credential, _ = w.open(t, "p1")
		if err := once(); err != nil {
			t.Fatal(err)
		}
		w.clock.pass(3 * time.Second)
		unknown(t, w.other, credential, "the login is another person's now")
		entries, err := log.Read(t.Context(), 0, 10)
		if err != nil || len(entries) != 2 || entries[0].Record.Act.Verb != "identity.endSession" || entries[0].Record.Act.Person != "p1" || entries[1].Record.Outcome.Result != audit.Done {
			t.Errorf("what ended is evidence: %v %+v", err, entries)
		}
		asked := directory.asked
		if err := once(); err != nil || directory.asked != asked {
			t.Errorf("nobody is logged in, and nobody is asked about: %v", err)
		}
	})
}
