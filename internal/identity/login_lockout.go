// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package identity

import "time"

// Attempts that failed one after the other, at one account or from one address.
type Attempts struct {
	// Failures in a row.
	Failures int
	// Last is when the last one failed.
	Last time.Time
}

// Lock says how failures lock.
type Lock struct {
	// Free failures lock nothing. People mistype.
	Free int
	// First is how long the first failure after the free ones locks; each further
	// one locks twice as long.
	First time.Duration
	// Longest that is locked for.
	Longest time.Duration
}

// The locks of Fairway: an account after 5 failures, an address (behind which many
// people may sit) after 20. Both for at most 15 minutes, so that nobody is kept
// out for good by somebody else's guessing.
var (
	AccountLock = Lock{Free: 4, First: 30 * time.Second, Longest: 15 * time.Minute}
	AddressLock = Lock{Free: 19, First: 5 * time.Second, Longest: 15 * time.Minute}
)

// Forgotten is how long after the last failure failures are forgotten.
const Forgotten = 24 * time.Hour

// Until says until when attempts are refused without being looked at. The zero
// time: they are not. Where the clock was put back behind the last failure, one
// attempt is looked at; if it fails, it locks from then on.
func (l Lock) Until(a Attempts, now time.Time) time.Time {
	over := a.Failures - l.Free
	if over <= 0 || now.Sub(a.Last) >= Forgotten {
		return time.Time{}
	}
	locked := l.Longest
	if over < 20 {
		locked = min(l.First<<(over-1), l.Longest)
	}
	until := a.Last.Add(locked)
	if a.Last.After(now) || !until.After(now) {
		return time.Time{}
	}
	return until
}

// Failed adds a failure.
func (a Attempts) Failed(now time.Time) Attempts {
	if now.Sub(a.Last) >= Forgotten {
		a.Failures = 0
	}
	return Attempts{Failures: a.Failures + 1, Last: now}
}
