// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package identity

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Local is the provider of the accounts that Fairway keeps itself.
const Local = "local"

// Scope narrows what a machine's token may do. It only takes away: what the
// person himself may not do, no scope gives.
type Scope struct {
	// ReadOnly lets the token change nothing.
	ReadOnly bool `json:"readOnly,omitempty"`
	// Namespaces that the token is good for; a request has to name one of them.
	// Empty: all that the person may enter.
	Namespaces []string `json:"namespaces,omitempty"`
}

// Request is what a scope is asked about.
type Request struct {
	// Room of the route, such as "release".
	Room string
	// Changes says whether the request changes anything.
	Changes bool
	// Namespace that the request names. Empty: none.
	Namespace string
	// Path on the hub, for what kubectl asks. Empty: it is no request to the hub.
	Path string
	// About says that the request only reads about the API itself or about who asks.
	About bool
}

// personal are the rooms in which a person acts himself and never by a machine:
// who agrees to something, and who may come in.
var personal = []string{"approval", "identity"}

// Refuses says why a request is outside the scope. Empty: it is within it.
// A machine never agrees to anything and lets nobody in, whatever its scope.
func (s *Scope) Refuses(r Request) string {
	if s == nil {
		return ""
	}
	if r.Changes {
		for _, room := range personal {
			if r.Room == room || strings.HasPrefix(r.Path, "/apis/"+room+".fairway.cloud/") {
				return "a machine's token does not act in the room " + room + "; a person logs in for that"
			}
		}
		if s.ReadOnly {
			return "the token is for reading only"
		}
	}
	if len(s.Namespaces) == 0 || (r.About && !r.Changes) {
		return ""
	}
	if r.Namespace == "" {
		return fmt.Sprintf("the token is for %s; the request has to name the namespace in its path", strings.Join(s.Namespaces, ", "))
	}
	if !slices.Contains(s.Namespaces, r.Namespace) {
		return fmt.Sprintf("the token is for %s only", strings.Join(s.Namespaces, ", "))
	}
	return ""
}

// Bounds of a token of a machine.
const (
	// LongestToken is how long a token may hold: a year, and a day for leap years.
	LongestToken = 366 * 24 * time.Hour
	// MostNamespaces that a scope may name.
	MostNamespaces = 64
)

// CheckToken says what is wrong with a token that somebody wants. Empty: nothing.
func CheckToken(name string, scope Scope, holds time.Duration) string {
	switch {
	case !PlainName(name):
		return `the name has 1 to 63 letters, digits, "-", "_" or "."`
	case holds <= 0 || holds > LongestToken:
		return "a token ends after at most a year: say when"
	case len(scope.Namespaces) > MostNamespaces:
		return fmt.Sprintf("a scope names at most %d namespaces", MostNamespaces)
	}
	for _, n := range scope.Namespaces {
		if !PlainName(n) {
			return fmt.Sprintf("%q is no namespace", n)
		}
	}
	return ""
}

// PlainName says whether a name consists of 1 to 63 ASCII letters, digits, "-",
// "_" and ".", and begins with a letter or a digit: nothing that looks like
// something else, and nothing that a terminal obeys.
func PlainName(name string) bool {
	if len(name) == 0 || len(name) > 63 {
		return false
	}
	for i, c := range []byte(name) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && (i == 0 || (c != '-' && c != '_' && c != '.')) {
			return false
		}
	}
	return true
}
