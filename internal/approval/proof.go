// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package approval

import "time"

// Proof is what came of checking the proof that an object of the hub carries: that the
// server itself made it, as it is, for the person whom it names. The zero value holds
// for nothing.
type Proof struct {
	// Holds says that it was.
	Holds bool
	// Why it does not hold, for people. Empty: nobody has checked it.
	Why string
	// Said is when the person said it, to the millisecond: the hub stamps seconds only.
	// Zero: what the hub stamped counts.
	Said time.Time
}

// Unproven says why an object without a proof does not count, and what to do.
const Unproven = "it carries no proof of the server: it was made past it, or before there were proofs, and is made again through it"

// flaw says why a proof does not hold; "" where it does.
func (p Proof) flaw() string {
	switch {
	case p.Holds:
		return ""
	case p.Why == "":
		return Unproven
	}
	return p.Why
}
