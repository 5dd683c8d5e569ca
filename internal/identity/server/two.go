// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server

import (
	"context"
	"errors"
	"net/http"
	"time"

	identityv1 "github.com/fairway-cloud/fairway/api/identity/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/identity/amendments"
	"github.com/fairway-cloud/fairway/internal/identity/local"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
)

// ProposeFunc makes Amendments of items as the person who asks.
type ProposeFunc func(ctx context.Context, items []identityv1.AmendmentItem, reason, ticket string) ([]*identityv1.Amendment, error)

// proposed answers for an account that a second person has to agree to.
func (r *Room) proposed(w http.ResponseWriter, req *http.Request, act identityv1.AmendmentAct, name, person string, why Why) error {
	if r.Propose == nil {
		return httpapi.NewProblem(httpapi.CodeUnavailable, "could not propose anything about account %q here", name)
	}
	if why.Reason == "" {
		return httpapi.NewProblem(httpapi.CodeInvalid, "could not propose anything about account %q: a second person agrees, say why (reason)", name).
			WithCauses(httpapi.Cause{Field: "reason", Reason: "FieldValueRequired", Message: "why the account is opened or invited again"})
	}
	item, err := amendments.Account(act, name, person)
	if err != nil {
		return err
	}
	made, err := r.Propose(req.Context(), []identityv1.AmendmentItem{item}, why.Reason, why.Ticket)
	if err != nil {
		return err
	}
	answer := map[string]any{"name": name}
	for _, a := range made {
		answer["amendment"], answer["digest"] = a.Name, identity.DigestOfAmendment(a)
		answer["next"] = "another security administrator or an audit administrator agrees: fairway identity agree " + a.Name +
			"; then each of you two hands over one code: fairway identity account code " + name
	}
	return httpapi.WriteJSON(w, http.StatusAccepted, answer)
}

// Why is what a proposal says for itself.
type Why struct {
	// Reason why, and Ticket of the bank's process.
	Reason string `json:"reason,omitempty"`
	Ticket string `json:"ticket,omitempty"`
}

// accountCode shows one of the two who agreed his code of an invitation, this once.
func (r *Room) accountCode(w http.ResponseWriter, req *http.Request) error {
	name, person := req.PathValue("name"), asking(req)
	if r.Accounts == nil || person.Machine != "" || person.Session == "" {
		return httpapi.NewProblem(httpapi.CodeDenied, "could not show a code: it is shown to one of the two who agreed, in his own login")
	}
	code, until, err := r.Accounts.Code(req.Context(), name, person.ID)
	switch {
	case errors.Is(err, local.ErrNotYours):
		return httpapi.NewProblem(httpapi.CodeNotFound, "could not show a code of account %q: none waits for you", name).
			WithNext("It is shown to whoever proposed the account and to whoever agreed, once it was carried out: fairway get amendments.")
	case errors.Is(err, local.ErrShown):
		return httpapi.NewProblem(httpapi.CodeConflict, "could not show your code of account %q: it was shown already", name).
			WithNext("If it is lost, propose to invite the owner again: fairway identity account invite %s --reason WHY.", name)
	case err != nil:
		return away(err)
	}
	return httpapi.WriteJSON(w, http.StatusOK, map[string]any{"name": name, "code": code, "expires": until.UTC().Format(time.RFC3339)})
}
