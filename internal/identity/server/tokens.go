// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server

import (
	"errors"
	"net/http"
	"time"

	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/identity/session"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
)

// NewToken is the body that asks for a token.
type NewToken struct {
	// Name of the machine.
	Name string `json:"name"`
	// Scope that narrows what it may do.
	Scope identity.Scope `json:"scope"`
	// Expires when. At most a year from now.
	Expires time.Time `json:"expires"`
}

func (r *Room) listTokens(w http.ResponseWriter, req *http.Request) error {
	person, err := r.whose(req, "tokens")
	if err != nil {
		return err
	}
	found, err := r.Sessions.Tokens(req.Context(), person)
	if err != nil {
		return away(err)
	}
	return httpapi.WriteJSON(w, http.StatusOK, map[string]any{"items": found})
}

func describeToken(req *http.Request) (httpapi.Act, error) {
	in := NewToken{}
	if err := httpapi.Strict(req, &in); err != nil {
		return httpapi.Act{}, err
	}
	if !identity.PlainName(in.Name) {
		return httpapi.Act{}, invalid("name", `the name has 1 to 63 letters, digits, "-", "_" and "."`)
	}
	return httpapi.Act{Subject: "Token/" + asking(req).ID + "/" + in.Name, Class: classOfLogin}, nil
}

func invalid(field, why string) error {
	return httpapi.NewProblem(httpapi.CodeInvalid, "could not accept %s: %s", field, why).
		WithCauses(httpapi.Cause{Field: field, Reason: "FieldValueInvalid", Message: why})
}

func (r *Room) createToken(w http.ResponseWriter, req *http.Request) error {
	in := NewToken{}
	if err := httpapi.Strict(req, &in); err != nil {
		return err
	}
	person := asking(req)
	holds := in.Expires.Sub(r.Now())
	if why := identity.CheckToken(in.Name, in.Scope, holds); why != "" {
		return invalid("token", why)
	}
	claim, err := r.Sessions.Claimed(req.Context(), person.Session)
	if errors.Is(err, session.ErrNone) {
		// The founder's token, a machine's, or the word of a front: none of them is a login.
		return httpapi.NewProblem(httpapi.CodeDenied, "could not make a token: only a person who is logged in makes one").WithNext("Log in with \"fairway login\".")
	}
	if err != nil {
		return away(err)
	}
	credential, made, err := r.Sessions.Make(req.Context(), session.Login{Person: person.ID, Claim: claim, Address: httpapi.AddressText(req.Context())}, in.Name, in.Scope, holds)
	switch {
	case errors.Is(err, session.ErrTaken):
		return httpapi.NewProblem(httpapi.CodeAlreadyExists, "could not make token %q: you have one of that name", in.Name).WithNext("Revoke it first, or choose another name.")
	case errors.Is(err, session.ErrMost):
		return httpapi.NewProblem(httpapi.CodeInvalid, "could not make token %q: you have as many as one person may have", in.Name).WithNext("Revoke those that are not used.")
	case err != nil:
		return away(err)
	}
	return httpapi.WriteJSON(w, http.StatusCreated, map[string]any{"token": credential, "metadata": made})
}

func (r *Room) revokeToken(w http.ResponseWriter, req *http.Request) error {
	err := r.Sessions.Revoke(req.Context(), req.PathValue("id"), r.reach(req, "tokens"))
	if errors.Is(err, session.ErrNone) {
		return none("token", req.PathValue("id"))
	}
	if err != nil {
		return away(err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
