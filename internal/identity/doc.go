// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package identity says who is asking: the person behind a request, as the
// hub and the evidence log are to see them.
package identity

import "context"

// Person is who a request comes from.
type Person struct {
	// ID names the person for good. It is what evidence holds (R69).
	ID string
	// Groups are the person's groups as the bank's directory names them, never
	// Kubernetes' own "system:" groups.
	Groups []string
	// Session is the login that the request belongs to.
	Session string
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
