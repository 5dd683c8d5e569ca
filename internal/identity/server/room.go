// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package server holds the REST handlers of the identity room: the ways in, the
// way out, and what a person and a security administrator may do with sessions,
// tokens and local accounts.
package server

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/identity/local"
	"github.com/fairway-cloud/fairway/internal/identity/lockout"
	"github.com/fairway-cloud/fairway/internal/identity/oidc"
	"github.com/fairway-cloud/fairway/internal/identity/seal"
	"github.com/fairway-cloud/fairway/internal/identity/session"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
)

// Passwords is a way of logging in by name and password. It fails with
// identity.ErrRefused, identity.ErrCodeNeeded or identity.ErrAway.
type Passwords interface {
	Vouch(ctx context.Context, login, password, code string) (identity.Vouched, error)
}

// Provider is a way of logging in: by password, or at an OpenID Connect provider.
type Provider struct {
	// Name in the API, and DisplayName as people read it.
	Name, DisplayName string
	// Passwords or OIDC; the other one is nil.
	Passwords Passwords
	OIDC      *oidc.Provider
}

// Authority says what a person may do with the sessions, tokens and accounts of
// others, by the hub's RBAC: a verb on a resource of identity.fairway.cloud.
type Authority interface {
	MayHere(ctx context.Context, person identity.Person, verb, resource string) (bool, error)
}

// Config is what the room is made of. A room made of nothing has its routes, for
// the document of the API.
type Config struct {
	// Providers in the order in which they are offered.
	Providers []Provider
	// Sessions and tokens.
	Sessions *session.Store
	// Accounts of Fairway's own. Nil: there are none.
	Accounts *local.Accounts
	// Lockout counts failures.
	Lockout *lockout.Counter
	// Directory knows the people of the bank.
	Directory identity.Directory
	// Authority says who administers logins. Nil: security administrators do.
	Authority Authority
	// Propose makes of a wish about an account what a second person agrees to. Nil: only
	// the founder opens accounts.
	Propose ProposeFunc
	// Recorder keeps the evidence.
	Recorder audit.Recorder
	// Key seals what a login under way leaves with the client, and blurs names.
	Key *seal.Key
	// Metrics counts attempts to come in. Nil: nothing is counted.
	Metrics *Metrics
	// Now is the clock. Default: time.Now.
	Now func() time.Time
	// Log gets what clients are not told.
	Log *slog.Logger
}

// Room answers.
type Room struct {
	Config
	mu sync.Mutex
	// trying are the accounts that somebody is trying to get into now.
	trying map[[sha256.Size]byte]bool
}

// New makes the room.
func New(c Config) *Room {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Room{Config: c, trying: map[[sha256.Size]byte]bool{}}
}

func (r *Room) provider(name string) (Provider, bool) {
	for _, p := range r.Providers {
		if p.Name == name {
			return p, true
		}
	}
	return Provider{}, false
}

// Where the routes are.
const (
	base         = "/api/v1/identity"
	smallBody    = 8 << 10
	classOfLogin = audit.ClassLogin
)

// Routes of the room.
func (r *Room) Routes() []httpapi.Route {
	routes := []httpapi.Route{
		{Method: http.MethodGet, Pattern: base + "/providers", Verb: "providers", Effect: httpapi.Reads, Open: true, Handler: r.listProviders,
			Doc: httpapi.Doc{Summary: "Lists the ways to log in.", Response: "identity.ProviderList"}},
		{Method: http.MethodPost, Pattern: base + "/login", Verb: "login", Login: true, Handler: r.login,
			Doc: httpapi.Doc{Summary: "Logs in by name and password, and by the code of a second factor where there is one.", Request: "identity.Login", Response: "identity.LoggedIn"}},
		{Method: http.MethodPost, Pattern: base + "/password", Verb: "setPassword", Login: true, Handler: r.setPassword,
			Doc: httpapi.Doc{Summary: "Sets the password of a local account, by an invitation or by the old password. Its sessions end.", Request: "identity.NewPassword"}},
		{Method: http.MethodPost, Pattern: base + "/oidc/{provider}/start", Verb: "oidcStart", Login: true, Handler: r.oidcStart,
			Doc: httpapi.Doc{Summary: "Begins a login in the browser: says where to go.", Request: "identity.OIDCStart", Response: "identity.OIDCStarted"}},
		{Method: http.MethodGet, Pattern: base + "/oidc/{provider}/callback", Verb: "oidcCallback", Login: true, Handler: r.oidcCallback,
			Doc: httpapi.Doc{Summary: "Ends a login in the browser; the provider sends the browser here.", Media: "text/html", Query: []httpapi.Parameter{
				{Name: "code", Text: "The provider's code."}, {Name: "state", Text: "What the login began with."}, {Name: "error", Text: "The provider's word where it refuses."},
			}}},
		{Method: http.MethodPost, Pattern: base + "/oidc/{provider}/device", Verb: "deviceStart", Login: true, Handler: r.deviceStart,
			Doc: httpapi.Doc{Summary: "Begins a login for a command line: says which code to type where.", Response: "identity.DeviceStarted"}},
		{Method: http.MethodPost, Pattern: base + "/oidc/{provider}/device/poll", Verb: "devicePoll", Login: true, Handler: r.devicePoll,
			Doc: httpapi.Doc{Summary: "Asks whether the login for a command line was agreed to.", Request: "identity.DevicePoll", Response: "identity.LoggedIn"}},
		{Method: http.MethodPost, Pattern: base + "/logout", Verb: "logout", WayBack: true, Describe: r.ownSession, Handler: r.logout,
			Doc: httpapi.Doc{Summary: "Ends the session that asks."}},
		{Method: http.MethodGet, Pattern: base + "/sessions", Verb: "listSessions", Effect: httpapi.Reads, Handler: r.listSessions,
			Doc: httpapi.Doc{Summary: "Lists your sessions; a security administrator may name a person, or * for everybody.", Query: personDoc, Response: "identity.SessionList"}},
		{Method: http.MethodDelete, Pattern: base + "/sessions/{id}", Verb: "endSession", WayBack: true, Describe: about("Session"), Handler: r.endSession,
			Doc: httpapi.Doc{Summary: "Ends a session of yours; a security administrator anybody's. It is dead everywhere within 5 seconds."}},
		{Method: http.MethodDelete, Pattern: base + "/people/{name}/sessions", Verb: "endSessions", WayBack: true, Describe: aboutName("Person"), Handler: r.endSessions,
			Doc: httpapi.Doc{Summary: "Ends every session of a person."}},
		{Method: http.MethodPost, Pattern: base + "/kubectl", Verb: "kubectl", Describe: r.ownSession, Handler: r.kubectl,
			Doc: httpapi.Doc{Summary: "Makes a token for kubectl that holds for 15 minutes, or as long as your session.", Response: "identity.LoggedIn"}},
		{Method: http.MethodGet, Pattern: base + "/tokens", Verb: "listTokens", Effect: httpapi.Reads, Handler: r.listTokens,
			Doc: httpapi.Doc{Summary: "Lists your machines' tokens; a security administrator may name a person, or * for everybody.", Query: personDoc, Response: "identity.TokenList"}},
		{Method: http.MethodPost, Pattern: base + "/tokens", Verb: "createToken", BodyLimit: smallBody, Describe: describeToken, Handler: r.createToken,
			Doc: httpapi.Doc{Summary: "Makes a token for a machine. It is shown once.", Request: "identity.NewToken", Response: "identity.MadeToken"}},
		{Method: http.MethodDelete, Pattern: base + "/tokens/{id}", Verb: "revokeToken", WayBack: true, Describe: about("Token"), Handler: r.revokeToken,
			Doc: httpapi.Doc{Summary: "Revokes a token of yours; a security administrator anybody's."}},
	}
	routes = append(routes, r.accountRoutes()...)
	for i := range routes {
		routes[i].Room = "identity"
		if routes[i].Effect == "" {
			routes[i].Effect = httpapi.Writes
		}
		if routes[i].Login && routes[i].Method == http.MethodPost {
			routes[i].BodyLimit = smallBody
		}
	}
	return routes
}

var personDoc = []httpapi.Parameter{{Name: "person", Text: "The person's id, or * for everybody. Default: you."}}

// about describes an act on what the path's {id} names.
func about(kind string) func(*http.Request) (httpapi.Act, error) { return named(kind, "id") }

func aboutName(kind string) func(*http.Request) (httpapi.Act, error) { return named(kind, "name") }

func named(kind, word string) func(*http.Request) (httpapi.Act, error) {
	return func(req *http.Request) (httpapi.Act, error) {
		name := req.PathValue(word)
		if !identity.PlainName(name) {
			return httpapi.Act{}, httpapi.NewProblem(httpapi.CodeNotFound, "could not find %s %q", kind, identity.Shown(name, 63))
		}
		return httpapi.Act{Subject: kind + "//" + name, Class: classOfLogin, Secret: true}, nil
	}
}

func (r *Room) ownSession(req *http.Request) (httpapi.Act, error) {
	person, _ := identity.FromContext(req.Context())
	return httpapi.Act{Subject: "Session//" + person.Session, Class: classOfLogin}, nil
}

func (r *Room) listProviders(w http.ResponseWriter, _ *http.Request) error {
	items := []map[string]any{}
	for _, p := range r.Providers {
		kind := "password"
		if p.OIDC != nil {
			kind = "oidc"
		}
		items = append(items, map[string]any{"name": p.Name, "displayName": p.DisplayName, "kind": kind})
	}
	return httpapi.WriteJSON(w, http.StatusOK, map[string]any{"items": items})
}

// away answers for what could not be found out.
func away(err error) error {
	var p *httpapi.Problem
	if errors.As(err, &p) {
		return p
	}
	return httpapi.NewProblem(httpapi.CodeUnavailable, "could not answer now: logins and sessions cannot be looked up").Because(err)
}
