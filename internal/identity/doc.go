// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package identity says who is asking: the person behind a request, as the
// hub and the evidence log are to see them.
package identity

import (
	"context"
	"errors"
)

// Person is who a request comes from.
type Person struct {
	// ID names the person for good. It is what evidence holds (R69).
	ID string
	// Groups are the person's groups as the bank's directory names them, never
	// Kubernetes' own "system:" groups.
	Groups []string
	// Session is the login that the request belongs to.
	Session string
	// Provider is the way by which the person came in. Empty: the server's own token file.
	Provider string
	// Machine names the token that acts for the person. Empty: the person acts.
	Machine string
	// Scope narrows what the credential may do. Nil: all that the person may.
	Scope *Scope
}

type contextKey struct{}

// NewContext returns a context that carries the person.
func NewContext(ctx context.Context, p Person) context.Context {
	return context.WithValue(ctx, contextKey{}, p)
}

// FromContext returns the person that the context carries. ok is false where
// nobody was authenticated; callers refuse then.
func FromContext(ctx context.Context) (p Person, ok bool) {
	p, ok = ctx.Value(contextKey{}).(Person)
	return p, ok && p.ID != ""
}

// Claim is what a way of logging in vouches for: who somebody is there.
type Claim struct {
	// Provider is the name of the way of logging in, such as "ldap".
	Provider string
	// Subject names somebody at the provider for good; Login is the name that he types.
	Subject, Login string
	// Name, Mail, StaffNumber and Unit as the provider knows them. May be empty.
	Name, Mail, StaffNumber, Unit string
	// Groups that the provider says he belongs to.
	Groups []string
}

// Directory knows the people of the bank.
type Directory interface {
	// Resolve says which person a claim belongs to, with the groups that hold now:
	// those of the claim and those of the person. It fails with ErrNobody,
	// ErrDisabled or ErrExclusive.
	Resolve(ctx context.Context, claim Claim) (Person, error)
	// Current says whether a person who logged in with those groups of the provider
	// is still who he was: the same errors, and the groups that hold now.
	Current(ctx context.Context, id string, groups []string) (Person, error)
}

// Why nobody gets in.
var (
	// ErrNobody: the bank knows no such person. An administrator adds one.
	ErrNobody = errors.New("no such person")
	// ErrDisabled: the person may not come in any more.
	ErrDisabled = errors.New("the person is disabled")
	// ErrExclusive: the person's groups give two of the platform's three separated
	// duties. A security administrator takes one away.
	ErrExclusive = errors.New("the person's groups give two duties that exclude each other")
)
