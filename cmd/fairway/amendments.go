// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"cmp"
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	identityv1 "github.com/fairway-cloud/fairway/api/identity/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/approval"
	"github.com/fairway-cloud/fairway/internal/approval/logins"
	"github.com/fairway-cloud/fairway/internal/approval/proof"
	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/identity/amendments"
	identities "github.com/fairway-cloud/fairway/internal/identity/controller"
	"github.com/fairway-cloud/fairway/internal/identity/register"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
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

// proofs are those of the server, in the words of the identity room.
type proofs struct{ keys *proof.Keys }

func flawOf(p approval.Proof, err error) (string, error) {
	if err != nil || p.Holds {
		return "", err
	}
	return cmp.Or(p.Why, approval.Unproven), nil
}

// Amendment implements amendments.Proofs.
func (p proofs) Amendment(ctx context.Context, a *identityv1.Amendment) (string, error) {
	return flawOf(p.keys.Amendment(ctx, a))
}

// Confirmation implements amendments.Proofs.
func (p proofs) Confirmation(ctx context.Context, c *identityv1.Confirmation) (string, error) {
	return flawOf(p.keys.Confirmation(ctx, c))
}

// alsoAmendments proves what people propose and agree to about who is who: what one says
// himself, with groups of his, in the login in which he asks. The hub refuses the rest.
func alsoAmendments(keys *proof.Keys, others server.ProveFunc) server.ProveFunc {
	return func(ctx context.Context, kind string, object map[string]any) error {
		a, c := &identityv1.Amendment{}, &identityv1.Confirmation{}
		var err error
		var said string
		switch kind {
		case "Amendment":
			if err = runtime.DefaultUnstructuredConverter.FromUnstructured(object, a); err == nil && his(ctx, a.Name, a.Spec.Author, a.Spec.Session, a.Spec.Groups) {
				err, said = unproved(keys.ProveAmendment(ctx, a)), a.Spec.Proof
			} else if err != nil {
				err = unshaped(kind, err)
			}
		case "Confirmation":
			if err = runtime.DefaultUnstructuredConverter.FromUnstructured(object, c); err == nil && his(ctx, c.Name, c.Spec.Author, c.Spec.Session, c.Spec.Groups) {
				err, said = unproved(keys.ProveConfirmation(ctx, c)), c.Spec.Proof
			} else if err != nil {
				err = unshaped(kind, err)
			}
		default:
			return others(ctx, kind, object)
		}
		if err != nil || said == "" {
			return err
		}
		return unstructured.SetNestedField(object, said, "spec", "proof")
	}
}

func his(ctx context.Context, name, author, session string, groups []string) bool {
	person, known := identity.FromContext(ctx)
	return known && name != "" && author == person.ID && session != "" && session == person.Session && person.Machine == "" &&
		!slices.ContainsFunc(groups, func(g string) bool { return !slices.Contains(person.Groups, g) })
}

func unshaped(kind string, err error) error {
	return httpapi.NewProblem(httpapi.CodeInvalid, "could not read the object: it does not have the shape of a %s: %v", kind, err)
}

func unproved(err error) error {
	if err == nil {
		return nil
	}
	return httpapi.NewProblem(httpapi.CodeUnavailable, "could not prove now who says this").Because(err)
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
