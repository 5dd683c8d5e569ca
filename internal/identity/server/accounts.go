// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server

import (
	"context"
	"errors"
	"net/http"
	"time"

	identityv1 "github.com/fairway-cloud/fairway/api/identity/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/identity/local"
	"github.com/fairway-cloud/fairway/internal/identity/lockout"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
)

func (r *Room) accountRoutes() []httpapi.Route {
	one := base + "/accounts/{name}"
	return []httpapi.Route{
		{Method: http.MethodGet, Pattern: base + "/accounts", Verb: "listAccounts", Effect: httpapi.Reads, Handler: r.administers("list", r.listAccounts),
			Doc: httpapi.Doc{Summary: "Lists the local accounts, for security administrators.", Response: "identity.AccountList"}},
		{Method: http.MethodPost, Pattern: base + "/accounts", Verb: "createAccount", BodyLimit: smallBody, Describe: describeAccount, Handler: r.administers("create", r.createAccount),
			Doc: httpapi.Doc{Summary: "Opens a local account for a person. The founder gets its invitation; a security administrator's wish becomes an amendment, to which another person agrees.", Request: "identity.NewAccount", Response: "identity.Invitation"}},
		{Method: http.MethodPost, Pattern: one + "/invite", Verb: "inviteAccount", BodyLimit: smallBody, Describe: aboutName("Account"), Handler: r.administers("update", r.inviteAccount),
			Doc: httpapi.Doc{Summary: "Invites the owner of an account to choose a new password. The old one, the second factor and its sessions end: at once for the founder, else when another person has agreed.", Request: "identity.Why", Response: "identity.Invitation"}},
		{Method: http.MethodPost, Pattern: one + "/code", Verb: "accountCode", Describe: aboutName("Account"), Handler: r.accountCode,
			Doc: httpapi.Doc{Summary: "Shows you your code of an account's invitation, if you are one of the two who agreed to it. It is shown once, and with one of the two codes nobody gets in.", Response: "identity.AccountCode"}},
		{Method: http.MethodPost, Pattern: one + "/unlock", Verb: "unlockAccount", Describe: aboutName("Account"), Handler: r.administers("update", r.unlockAccount),
			Doc: httpapi.Doc{Summary: "Forgets the failed attempts at an account."}},
		{Method: http.MethodDelete, Pattern: one, Verb: "closeAccount", WayBack: true, Describe: aboutName("Account"), Handler: r.administers("delete", r.closeAccount),
			Doc: httpapi.Doc{Summary: "Closes a local account. Its sessions end."}},
		{Method: http.MethodPost, Pattern: base + "/second-factor", Verb: "enrolFactor", Describe: r.ownSession, Handler: r.enrolFactor,
			Doc: httpapi.Doc{Summary: "Begins a second factor for the local account that you are logged in with.", Response: "identity.Enrolment"}},
		{Method: http.MethodPost, Pattern: base + "/second-factor/confirm", Verb: "confirmFactor", BodyLimit: smallBody, Describe: r.ownSecret, Handler: r.confirmFactor,
			Doc: httpapi.Doc{Summary: "Turns the second factor on with a code of it.", Request: "identity.Code"}},
		{Method: http.MethodPost, Pattern: base + "/second-factor/remove", Verb: "removeFactor", BodyLimit: smallBody, Describe: r.ownSecret, Handler: r.removeFactor,
			Doc: httpapi.Doc{Summary: "Turns the second factor off with a code of it.", Request: "identity.Code"}},
	}
}

// ownSecret is ownSession for a body that is secret.
func (r *Room) ownSecret(req *http.Request) (httpapi.Act, error) {
	act, err := r.ownSession(req)
	act.Secret = true
	return act, err
}

// administers lets those to a handler who may do that with accounts: security administrators.
func (r *Room) administers(verb string, handler httpapi.Handler) httpapi.Handler {
	return func(w http.ResponseWriter, req *http.Request) error {
		if may, err := r.may(req, verb, "accounts"); err != nil {
			return away(err)
		} else if !may {
			return httpapi.NewProblem(httpapi.CodeDenied, "could not do that with local accounts: a security administrator does it").
				WithNext("Ask a security administrator.")
		}
		if r.Accounts == nil {
			return httpapi.NewProblem(httpapi.CodeUnavailable, "there are no local accounts here").WithNext("Log in by one of GET %s/providers.", base)
		}
		return handler(w, req)
	}
}

// NewAccount is the body that opens an account.
type NewAccount struct {
	// Name to log in with, and Person that the account belongs to.
	Name   string `json:"name"`
	Person string `json:"person"`
	// Why it is opened: where a second person agrees a reason is needed.
	Why
}

func describeAccount(req *http.Request) (httpapi.Act, error) {
	in := NewAccount{}
	if err := httpapi.Strict(req, &in); err != nil {
		return httpapi.Act{}, err
	}
	if !identity.PlainName(in.Name) {
		return httpapi.Act{}, invalid("name", `a name has 1 to 63 letters, digits, "-", "_" and "."`)
	}
	return httpapi.Act{Subject: "Account//" + in.Name, Class: classOfLogin, Reason: in.Reason, Ticket: in.Ticket}, nil
}

func (r *Room) listAccounts(w http.ResponseWriter, req *http.Request) error {
	found, err := r.Accounts.List(req.Context())
	if err != nil {
		return away(err)
	}
	return httpapi.WriteJSON(w, http.StatusOK, map[string]any{"items": found})
}

func (r *Room) createAccount(w http.ResponseWriter, req *http.Request) error {
	in := NewAccount{}
	if err := httpapi.Strict(req, &in); err != nil {
		return err
	}
	if _, err := r.Directory.Current(req.Context(), in.Person, nil); errors.Is(err, identity.ErrNobody) || errors.Is(err, identity.ErrDisabled) || errors.Is(err, identity.ErrExclusive) {
		return httpapi.NewProblem(httpapi.CodeInvalid, "could not open account %q: the bank's people hold no %q who may come in", in.Name, identity.Shown(in.Person, 63)).
			WithNext("Make the Person first.").Because(err)
	} else if err != nil {
		return away(err)
	}
	if !identity.Alone(asking(req).Groups) {
		if _, err := r.Accounts.Get(req.Context(), in.Name); err == nil {
			return r.invited(w, 0, in.Name, "", time.Time{}, local.ErrTaken)
		} else if !errors.Is(err, local.ErrNone) {
			return away(err)
		}
		return r.proposed(w, req, identityv1.ActOpen, in.Name, in.Person, in.Why)
	}
	invite, until, err := r.Accounts.Add(req.Context(), in.Name, in.Person)
	return r.invited(w, http.StatusCreated, in.Name, invite, until, err)
}

func (r *Room) inviteAccount(w http.ResponseWriter, req *http.Request) error {
	name, why := req.PathValue("name"), Why{}
	if len(httpapi.Body(req)) > 0 {
		if err := httpapi.Strict(req, &why); err != nil {
			return err
		}
	}
	if !identity.Alone(asking(req).Groups) {
		account, err := r.Accounts.Get(req.Context(), name)
		if errors.Is(err, local.ErrNone) {
			return none("account", name)
		}
		if err != nil {
			return away(err)
		}
		return r.proposed(w, req, identityv1.ActInvite, name, account.Person, why)
	}
	invite, until, err := r.Accounts.Invite(req.Context(), name)
	if err == nil {
		err = r.endOf(req, name)
	}
	return r.invited(w, http.StatusOK, name, invite, until, err)
}

func (r *Room) invited(w http.ResponseWriter, status int, name, invite string, until time.Time, err error) error {
	var bad *local.Invalid
	switch {
	case errors.Is(err, local.ErrTaken):
		return httpapi.NewProblem(httpapi.CodeAlreadyExists, "could not open account %q: there is one of that name", name)
	case errors.Is(err, local.ErrNone):
		return none("account", name)
	case errors.As(err, &bad):
		return invalid(bad.Field, bad.Why)
	case err != nil:
		return away(err)
	}
	return httpapi.WriteJSON(w, status, map[string]any{"name": name, "invitation": invite, "expires": until.UTC().Format(time.RFC3339)})
}

// endOf ends the sessions of an account's person: what it was logged in by is gone.
func (r *Room) endOf(req *http.Request, name string) error {
	account, err := r.Accounts.Get(req.Context(), name)
	if err != nil {
		return err
	}
	_, err = r.Sessions.EndAll(req.Context(), account.Person, "")
	return err
}

func (r *Room) unlockAccount(w http.ResponseWriter, req *http.Request) error {
	name := req.PathValue("name")
	if _, err := r.Accounts.Get(req.Context(), name); errors.Is(err, local.ErrNone) {
		return none("account", name)
	} else if err != nil {
		return away(err)
	}
	if err := r.Lockout.Unlock(req.Context(), identity.Local, name); err != nil {
		return away(err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (r *Room) closeAccount(w http.ResponseWriter, req *http.Request) error {
	name := req.PathValue("name")
	err := r.Accounts.Close(req.Context(), name)
	if err == nil {
		err = r.endOf(req, name)
	}
	if errors.Is(err, local.ErrNone) {
		return none("account", name)
	}
	if err != nil {
		return away(err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// NewPassword is the body that sets a password: with an invitation, or with the old
// password.
type NewPassword struct {
	// Invitation is one, or the two codes of one, parted by space.
	Invitation  string `json:"invitation,omitempty"`
	Login       string `json:"login,omitempty"`
	Password    string `json:"password,omitempty"`
	Code        string `json:"code,omitempty"`
	NewPassword string `json:"newPassword"`
}

func (r *Room) setPassword(w http.ResponseWriter, req *http.Request) error {
	in := NewPassword{}
	if err := httpapi.Strict(req, &in); err != nil {
		return err
	}
	if r.Accounts == nil {
		return httpapi.NewProblem(httpapi.CodeUnavailable, "there are no local accounts here").WithNext("Passwords of the bank's directory are changed there.")
	}
	if (in.Invitation == "") == (in.Login == "") {
		return httpapi.NewProblem(httpapi.CodeInvalid, "could not set a password: give an invitation, or a login with its old password")
	}
	account, err := r.newPassword(req, in)
	var bad *local.Invalid
	switch {
	case errors.As(err, &bad):
		return invalid("newPassword", bad.Why)
	case err != nil:
		return err
	}
	how := "by the old password"
	if in.Invitation != "" {
		how = "by an invitation"
	}
	r.record(req.Context(), audit.Act{Verb: "identity.setPassword", Person: account.Person, Subject: "Account//" + account.Name, Details: []string{how}}, audit.Outcome{Result: audit.Done})
	if _, err := r.Sessions.EndAll(req.Context(), account.Person, ""); err != nil {
		return away(err)
	}
	return httpapi.WriteJSON(w, http.StatusOK, map[string]any{"login": account.Name, "person": account.Person})
}

// newPassword sets it. Attempts are counted as those to log in are.
func (r *Room) newPassword(req *http.Request, in NewPassword) (local.Account, error) {
	ctx := req.Context()
	p, ok := r.provider(identity.Local)
	if !ok {
		p = Provider{Name: identity.Local, DisplayName: "Fairway", Passwords: r.Accounts}
	}
	if in.Invitation == "" {
		if _, err := r.vouch(req, p, Login{Provider: identity.Local, Login: in.Login, Password: in.Password, Code: in.Code}); err != nil {
			return local.Account{}, err
		}
		account, err := r.Accounts.Replace(ctx, in.Login, in.Password, in.NewPassword)
		return account, orAway(err)
	}
	who := lockout.Who{Provider: "invitation", Login: in.Invitation, Address: httpapi.Address(ctx)}
	until, err := r.Lockout.Until(ctx, who)
	if err != nil {
		return local.Account{}, away(err)
	}
	if !until.IsZero() {
		return local.Account{}, httpapi.NewProblem(httpapi.CodeTooManyRequests, "could not set a password: too many attempts failed").WithNext("Wait a few minutes.")
	}
	account, err := r.Accounts.Accept(ctx, in.Invitation, in.NewPassword)
	if errors.Is(err, local.ErrInvite) {
		if _, err := r.Lockout.Failed(ctx, who); err != nil {
			return local.Account{}, away(err)
		}
		r.record(ctx, audit.Act{Verb: "identity.setPassword", Subject: "Account//unknown"}, audit.Outcome{Result: audit.Refused, Message: "the invitation is not known or no longer good"})
		return local.Account{}, httpapi.NewProblem(httpapi.CodeUnauthenticated, "could not set a password: the invitation is not known or no longer good").
			WithNext("Ask a security administrator for another.")
	}
	return account, orAway(err)
}

// orAway leaves what the client did wrong as it is.
func orAway(err error) error {
	var bad *local.Invalid
	if err == nil || errors.As(err, &bad) {
		return err
	}
	return away(err)
}

// ownAccount is the local account that the session was opened with.
func (r *Room) ownAccount(req *http.Request) (string, error) {
	person := asking(req)
	if r.Accounts == nil || person.Provider != identity.Local || person.Machine != "" {
		return "", httpapi.NewProblem(httpapi.CodeInvalid, "could not change the second factor: you are not logged in with a local account").
			WithNext("A second factor of the bank's directory is changed there.")
	}
	current, err := r.Sessions.Get(req.Context(), person.Session)
	if err != nil {
		return "", away(err)
	}
	return current.Login, nil
}

func (r *Room) enrolFactor(w http.ResponseWriter, req *http.Request) error {
	name, err := r.ownAccount(req)
	if err != nil {
		return err
	}
	enrolment, err := r.Accounts.Enrol(req.Context(), name)
	var bad *local.Invalid
	if errors.As(err, &bad) {
		return invalid(bad.Field, bad.Why)
	}
	if err != nil {
		return away(err)
	}
	return httpapi.WriteJSON(w, http.StatusOK, enrolment)
}

func (r *Room) confirmFactor(w http.ResponseWriter, req *http.Request) error {
	return r.withCode(w, req, func(ctx context.Context, name, code string) error { return r.Accounts.Confirm(ctx, name, code) })
}

func (r *Room) removeFactor(w http.ResponseWriter, req *http.Request) error {
	return r.withCode(w, req, func(ctx context.Context, name, code string) error { return r.Accounts.Remove(ctx, name, code) })
}

// withCode does something that a code of the second factor allows. Wrong codes
// count as failed attempts to log in: a session that was stolen guesses no more.
func (r *Room) withCode(w http.ResponseWriter, req *http.Request, do func(ctx context.Context, name, code string) error) error {
	in := struct {
		Code string `json:"code"`
	}{}
	if err := httpapi.Strict(req, &in); err != nil {
		return err
	}
	name, err := r.ownAccount(req)
	if err != nil {
		return err
	}
	who := lockout.Who{Provider: identity.Local, Login: name, Address: httpapi.Address(req.Context())}
	release, alone := r.tryAlone(who)
	if !alone {
		return httpapi.NewProblem(httpapi.CodeTooManyRequests, "could not take the code: another attempt at this account is under way")
	}
	defer release()
	until, err := r.Lockout.Until(req.Context(), who)
	if err != nil {
		return away(err)
	}
	if !until.IsZero() {
		return httpapi.NewProblem(httpapi.CodeTooManyRequests, "could not take the code: too many attempts failed").
			WithNext("Wait for %s, then try again.", until.Sub(r.Now()).Round(time.Second))
	}
	err = do(req.Context(), name, in.Code)
	if errors.Is(err, identity.ErrRefused) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(req.Context()), 10*time.Second)
		defer cancel()
		if _, err := r.Lockout.Failed(ctx, who); err != nil {
			return away(err)
		}
		return invalid("code", "it is not the code of now, or it was used")
	}
	if err != nil {
		return away(err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
