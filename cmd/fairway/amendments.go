// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"context"

	"github.com/fairway-cloud/fairway/internal/approval/logins"
	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/identity/amendments"
	identities "github.com/fairway-cloud/fairway/internal/identity/controller"
	"github.com/fairway-cloud/fairway/internal/identity/register"
	"github.com/fairway-cloud/fairway/internal/server"
)

// speakers are the logins in which people propose and agree: the same that decisions are
// made in.
type speakers struct{ logins *logins.Logins }

// Login implements amendments.Logins.
func (s speakers) Login(ctx context.Context, session string) (identity.Login, bool, error) {
	known, found, err := s.logins.Login(ctx, session)
	return identity.Login{Person: known.Person, From: known.From, Until: known.Until}, found, err
}

// alsoConfirmations spares people a confirmation that would not count.
func alsoConfirmations(people *register.Register, others server.BeforeFunc) server.BeforeFunc {
	return func(ctx context.Context, kind string, object map[string]any) error {
		if kind == "Confirmation" {
			return people.RefuseEarly(ctx, object)
		}
		return others(ctx, kind, object)
	}
}

// accounts are those of Fairway's own, or none at all: a nil pointer in an interface
// would be some.
func (h *house) accounts() amendments.Accounts {
	if h.door.room.Accounts == nil {
		return nil
	}
	return h.door.room.Accounts
}

// addAmendments carries out what two people agreed to.
func (h *house) addAmendments(context.Context) error {
	return (&identities.Amendments{
		Hub: h.mgr.GetClient(), Cases: h.amendments, Recorder: h.recorder,
		Hands: &amendments.Hands{
			Own: h.mgr.GetClient(), Direct: h.mgr.GetAPIReader(), Accounts: h.accounts(),
			EndSessions: func(ctx context.Context, person string) error {
				_, err := h.door.credentials.sessions.EndAll(ctx, person, "")
				return err
			},
		},
		Policies: func() (bool, string) {
			state := h.rights.State()
			return state.Whole && !state.Unknown, state.Reason
		},
	}).SetupWithManager(h.mgr)
}
