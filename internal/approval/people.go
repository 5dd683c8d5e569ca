// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package approval

import "time"

// People knows who is who: whoever comes under several names is one person, so
// that nobody agrees to his own work through an alias or a machine account (R73).
type People interface {
	// Of returns the person behind a user name, an alias or a machine account.
	// known is false for a name that belongs to nobody.
	Of(userName string) (id string, known bool)
	// Same says whether one person may stand behind two names. What is not certain
	// counts as the same.
	Same(a, b string) bool
	// Active says whether the person may act now.
	Active(id string, now time.Time) bool
}

// Login is one session of a person, as the server remembers it.
type Login struct {
	// Person who logged in.
	Person string
	// From and Until bound the time in which it held; Until is when it was revoked
	// or ran out. Zero: it holds.
	From, Until time.Time
}

func (l Login) held(at time.Time) bool {
	// The hub stamps decisions to the second, and its clock is not the server's.
	return !at.Before(l.From.Add(-clockSkew)) && (l.Until.IsZero() || at.Before(l.Until.Add(clockSkew)))
}

// clockSkew is how far the clocks of hub and server may lie apart.
const clockSkew = 5 * time.Second
