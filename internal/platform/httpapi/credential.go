// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package httpapi

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"

	"github.com/fairway-cloud/fairway/internal/identity"
)

// The console keeps its session in a cookie that no script reads and no other
// site sends. What changes something carries the word of CSRF besides.
const (
	SessionCookie = "__Host-fairway"
	CSRFHeader    = "X-Fairway-Csrf"
)

// CSRF is the word that goes with a session's credential. It can be made from the
// credential, and the credential not from it.
func CSRF(credential string) string {
	sum := sha256.Sum256([]byte("fairway csrf\x00" + credential))
	return hex.EncodeToString(sum[:16])
}

// Front is the bank's system in front of Fairway that vouches for people.
type Front interface {
	// Person says for whom the request is vouched. ok is false where it does not come
	// by the front and claims nothing. A claim that is not pinned is an error. What
	// the front sent is taken off the request.
	Person(r *http.Request) (person identity.Person, again func(context.Context) error, ok bool, err error)
}

// Remembering is an Authenticator that still knows a credential which it checked
// shortly before its store went away. Only the way back is taken on it.
type Remembering interface {
	Remembered(credential string) (identity.Person, bool)
}

type recheckKey struct{}

// IsRecheck says that a credential is looked at again for an answer that goes on
// by itself: nobody has done anything meanwhile.
func IsRecheck(ctx context.Context) bool {
	is, _ := ctx.Value(recheckKey{}).(bool)
	return is
}

// Rechecking returns the context of such a look.
func Rechecking(ctx context.Context) context.Context {
	return context.WithValue(ctx, recheckKey{}, true)
}

// asker is who asks, and how that is found out again.
type asker struct {
	person identity.Person
	again  func(context.Context) error
}

// who authenticates the request. Credentials are dropped from the request, so that
// nothing behind can pass them on.
func (c *Chain) who(route Route, r *http.Request) (asker, error) {
	bearer := r.Header.Values("Authorization")
	cookie := cookieOf(r)
	csrf := r.Header.Get(CSRFHeader)
	r.Header.Del("Authorization")
	r.Header.Del("Cookie")
	r.Header.Del(CSRFHeader)
	if c.Front != nil {
		person, again, ok, err := c.Front.Person(r)
		if err != nil {
			return asker{}, unauthenticated(err)
		}
		if ok {
			return asker{person, again}, nil
		}
	}
	credential := cookie
	switch {
	case len(bearer) > 0:
		scheme, given, ok := strings.Cut(bearer[0], " ")
		if len(bearer) != 1 || !ok || !strings.EqualFold(scheme, "Bearer") || given == "" || len(given) > 4096 {
			return asker{}, NewProblem(CodeUnauthenticated, "could not tell who asks: the credential is not a bearer token")
		}
		credential = given
	case cookie == "":
		return asker{}, NewProblem(CodeUnauthenticated, "could not tell who asks: the request carries no credential")
	case (route.Effect == Writes || !isRead(r.Method)) && !(route.Hub && isRead(r.Method)) &&
		subtle.ConstantTimeCompare([]byte(csrf), []byte(CSRF(cookie))) != 1:
		return asker{}, NewProblem(CodeDenied, "could not accept the request: it comes with the console's cookie but without its header %s", CSRFHeader).
			WithNext("Use the console that this server serves, or send a token.")
	}
	person, err := c.Identity.Authenticate(r.Context(), credential)
	if err != nil && !errors.Is(err, ErrUnknownCredential) && route.WayBack {
		if known, ok := c.Identity.(Remembering); ok {
			if remembered, ok := known.Remembered(credential); ok {
				c.Log.Error("the way back is taken on a session that cannot be checked now", "request", Trace(r.Context()),
					"route", route.ID(), "actor", remembered.ID, "cause", err.Error())
				person, err = remembered, nil
			}
		}
	}
	if err != nil {
		return asker{}, unauthenticated(err)
	}
	if person.ID == "" {
		return asker{}, NewProblem(CodeUnauthenticated, "could not tell who asks: the token names nobody")
	}
	return asker{person, func(ctx context.Context) error {
		_, err := c.Identity.Authenticate(Rechecking(ctx), credential)
		return err
	}}, nil
}

// unauthenticated answers for a credential that does not do. What it is about the
// person that keeps him out, he may know; nothing else.
func unauthenticated(err error) *Problem {
	var p *Problem
	switch {
	case errors.As(err, &p):
		return p
	case errors.Is(err, ErrUnknownCredential):
		return NewProblem(CodeUnauthenticated, "could not tell who asks: the token is not known or no longer valid")
	case errors.Is(err, identity.ErrNobody), errors.Is(err, identity.ErrDisabled):
		return NewProblem(CodeUnauthenticated, "could not let you in: the bank's people do not hold you, or no longer").
			WithNext("Ask a security administrator.").Because(err)
	case errors.Is(err, identity.ErrExclusive):
		return NewProblem(CodeUnauthenticated, "could not let you in: your groups give two duties that exclude each other").
			WithNext("Have a security administrator take one of them away.").Because(err)
	}
	return NewProblem(CodeUnavailable, "could not check the token now").Because(err)
}

func cookieOf(r *http.Request) string {
	var found []string
	for _, cookie := range r.Cookies() {
		if cookie.Name == SessionCookie {
			found = append(found, cookie.Value)
		}
	}
	// Two of one name mean that somebody planted one: neither counts.
	if len(found) != 1 || len(found[0]) > 4096 {
		return ""
	}
	return found[0]
}

type validKey struct{}

// keepValid lets a long answer ask again whether its credential still holds.
func keepValid(ctx context.Context, again func(context.Context) error) context.Context {
	return context.WithValue(ctx, validKey{}, again)
}

// StillValid says whether the credential of a streaming request still holds.
func StillValid(ctx context.Context) error {
	if check, ok := ctx.Value(validKey{}).(func(context.Context) error); ok {
		return check(ctx)
	}
	return nil
}

// inScope refuses what a machine's token is not for.
func inScope(route Route, person identity.Person, r *http.Request) error {
	if person.Scope == nil {
		return nil
	}
	asked := identity.Request{
		Room: route.Room, Changes: route.Effect == Writes, Namespace: r.PathValue("namespace"),
		About: !route.Hub && (route.Room == "server" && route.Verb != "metrics" || route.Verb == "whoami"),
	}
	if (route.Kind != "" && route.Verb == "list") || (route.Room == "server" && route.Verb == "events") {
		asked.Namespace = r.URL.Query().Get("namespace") // these alone go by it
		asked.About = false
	}
	if route.Hub {
		asked.Path, asked.Changes = strings.TrimPrefix(r.URL.Path, "/hub"), !isRead(r.Method)
		asked.Namespace = namespaceIn(asked.Path)
		asked.About = onlyDescribes(asked.Path)
	}
	if why := person.Scope.Refuses(asked); why != "" {
		return NewProblem(CodeDenied, "could not accept the token here: %s", why).
			WithNext("Use a token with another scope, or log in yourself.")
	}
	return nil
}

// namespaceIn is the namespace that a path of the hub names: /api/v1/namespaces/x/…
// or /apis/<group>/<version>/namespaces/x/…, and nothing that only looks alike.
func namespaceIn(path string) string {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	at := 2
	if len(parts) > 0 && parts[0] == "apis" {
		at = 3
	}
	if len(parts) > at+2 && parts[at] == "namespaces" {
		return parts[at+1]
	}
	return ""
}

// onlyDescribes says whether a path of the hub says what the hub offers, and nothing
// of what it holds.
func onlyDescribes(path string) bool {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	switch parts[0] {
	case "api":
		return len(parts) <= 2
	case "apis":
		return len(parts) <= 3
	case "version":
		return len(parts) == 1
	}
	return parts[0] == "openapi"
}
