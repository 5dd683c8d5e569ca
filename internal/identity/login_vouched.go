// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package identity

import (
	"errors"
	"slices"
)

// Bootstrap is the provider of the server's own token file, with which an
// installation begins.
const Bootstrap = "bootstrap"

// Vouched is what a way of logging in says after it has looked at a password or a
// token.
type Vouched struct {
	// Claim about somebody.
	Claim Claim
	// Person that a local account names itself. Empty: the Directory says who the
	// claim belongs to.
	Person string
}

// Why a way of logging in does not vouch.
var (
	// ErrRefused: the name, the password or the code is wrong. Nothing says which.
	// The claim's login is set where the name is known, for the evidence.
	ErrRefused = errors.New("the name, the password or the code is wrong")
	// ErrCodeNeeded: the password is right; a code of the second factor is needed.
	ErrCodeNeeded = errors.New("a code of the second factor is needed")
	// ErrAway: the way of logging in does not answer. Callers try again later.
	ErrAway = errors.New("the way of logging in does not answer")
	// ErrPending: somebody has yet to agree in his browser. Callers ask again.
	ErrPending = errors.New("the login was not yet agreed to")
)

// MayManageLogins says whether the person sees and ends the sessions of others and
// opens and closes local accounts: a security administrator, and the one with whom
// the installation begins. A machine never does.
func MayManageLogins(p Person) bool {
	return p.Machine == "" && (slices.Contains(p.Groups, GroupSecurity) || p.Provider == Bootstrap)
}
