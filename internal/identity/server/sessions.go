// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/identity/session"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
)

func asking(req *http.Request) identity.Person {
	person, _ := identity.FromContext(req.Context())
	return person
}

// may says whether the person acts on what belongs to others. A machine never does.
func (r *Room) may(req *http.Request, verb, resource string) (bool, error) {
	person := asking(req)
	if r.Authority == nil || person.Machine != "" {
		return identity.MayManageLogins(person), nil
	}
	return r.Authority.MayHere(req.Context(), person, verb, resource)
}

// reach says whose things the person may end: his own, or anybody's (""). Where the
// hub does not tell, he ends his own in any case.
func (r *Room) reach(req *http.Request, resource string) string {
	all, err := r.may(req, "delete", resource)
	if err != nil {
		r.Log.Error("could not find out whether somebody may end what belongs to others", "request", httpapi.Trace(req.Context()), "cause", err.Error())
	}
	if err == nil && all {
		return ""
	}
	return asking(req).ID
}

// whose reads the query: which person's things are listed. "" is everybody's.
func (r *Room) whose(req *http.Request, resource string) (string, error) {
	person := asking(req)
	for name := range req.URL.Query() {
		if name != "person" {
			return "", httpapi.NewProblem(httpapi.CodeBadRequest, "could not read the query: there is no parameter %q", identity.Shown(name, 63))
		}
	}
	wanted := req.URL.Query().Get("person")
	if wanted == "" || wanted == person.ID {
		return person.ID, nil
	}
	all, err := r.may(req, "list", resource)
	switch {
	case err != nil:
		return "", away(err)
	case !all:
		return "", httpapi.NewProblem(httpapi.CodeDenied, "could not list what belongs to others: a security administrator does that")
	case wanted == "*":
		return "", nil
	case !identity.PlainName(wanted):
		return "", httpapi.NewProblem(httpapi.CodeBadRequest, "could not read the query: person is the id of one")
	}
	return wanted, nil
}

func none(kind, name string) error {
	return httpapi.NewProblem(httpapi.CodeNotFound, "could not find %s %q", kind, name)
}

func (r *Room) listSessions(w http.ResponseWriter, req *http.Request) error {
	person, err := r.whose(req, "sessions")
	if err != nil {
		return err
	}
	found, err := r.Sessions.List(req.Context(), person)
	if err != nil {
		return away(err)
	}
	return httpapi.WriteJSON(w, http.StatusOK, map[string]any{"items": found, "current": asking(req).Session})
}

func (r *Room) logout(w http.ResponseWriter, req *http.Request) error {
	person := asking(req)
	if person.Machine != "" || person.Provider == identity.Bootstrap || person.Session == "" {
		return httpapi.NewProblem(httpapi.CodeInvalid, "could not log out: what asks is a token and no session").WithNext("Revoke the token: DELETE %s/tokens/<id>.", base)
	}
	if err := r.Sessions.End(req.Context(), person.Session, person.ID); err != nil && !errors.Is(err, session.ErrNone) {
		return away(err)
	}
	dropCookies(w)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (r *Room) endSession(w http.ResponseWriter, req *http.Request) error {
	err := r.Sessions.End(req.Context(), req.PathValue("id"), r.reach(req, "sessions"))
	if errors.Is(err, session.ErrNone) {
		return none("session", req.PathValue("id"))
	}
	if err != nil {
		return away(err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (r *Room) endSessions(w http.ResponseWriter, req *http.Request) error {
	id := req.PathValue("name")
	if whose := r.reach(req, "sessions"); whose != "" && whose != id {
		return httpapi.NewProblem(httpapi.CodeDenied, "could not end sessions of others: a security administrator does that")
	}
	ended, err := r.Sessions.EndAll(req.Context(), id, "")
	if err != nil {
		return away(err)
	}
	return httpapi.WriteJSON(w, http.StatusOK, map[string]any{"ended": ended})
}

func (r *Room) kubectl(w http.ResponseWriter, req *http.Request) error {
	person := asking(req)
	credential, opened, err := r.Sessions.Kubectl(req.Context(), person.Session, httpapi.AddressText(req.Context()), req.UserAgent())
	if errors.Is(err, session.ErrNone) {
		return httpapi.NewProblem(httpapi.CodeInvalid, "could not make a token for kubectl: only a person's own login gives one").WithNext("Log in with \"fairway login\".")
	}
	if err != nil {
		return away(err)
	}
	return httpapi.WriteJSON(w, http.StatusOK, map[string]any{"token": credential, "session": opened, "person": person.ID})
}

// About says more about who asks than the request itself does: since when and until
// when he is logged in, and when before that.
func (r *Room) About(ctx context.Context, person identity.Person) map[string]any {
	if r.Sessions == nil || person.Session == "" || person.Machine != "" {
		return nil
	}
	current, err := r.Sessions.Get(ctx, person.Session)
	if err != nil {
		return nil
	}
	about := map[string]any{"login": current.Login, "since": current.Created.Format(time.RFC3339), "expires": current.Expires.Format(time.RFC3339)}
	if before, err := r.Sessions.Before(ctx, current); err == nil {
		about["lastLogin"] = map[string]any{"time": before.Created.Format(time.RFC3339), "address": before.Address}
	}
	return about
}
