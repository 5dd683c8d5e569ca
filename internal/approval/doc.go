// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package approval decides whether an act may happen now. The Gate is asked at
// the moment of use and again before each destructive step (architecture,
// section 7, rule 3); its answer is never read from a status.
package approval

import "context"

// Act is what somebody is about to do.
type Act struct {
	// Verb is the room and the act, for example "delivery.prune".
	Verb string
	// Subject is the object acted on, "<kind>/<namespace>/<name>".
	Subject string
	// Cluster is the member that is written to. Empty: only the hub.
	Cluster string
	// Environment is the environment acted in. Empty: none.
	Environment string
	// Release on whose behalf the act happens, "<namespace>/<name>". Empty: none.
	Release string
	// Digest is the digest of the plan that the act belongs to. An approval
	// covers exactly this digest.
	Digest string
	// Person who acts.
	Person string
	// WayBack marks stop, pause, drain and rollback to the revision named in the
	// approved plan. The way back is never refused because log, hub or ticket
	// system is away.
	WayBack bool
}

// Verdict is the Gate's answer.
type Verdict struct {
	// Allowed says whether the act may happen now.
	Allowed bool
	// Reason says why, in a sentence that a person can act on.
	Reason string
	// Approval names the request whose decisions cover the act. Empty: none was needed.
	Approval string
}

// Gate says whether an act may happen now. An error means that the Gate could
// not find out: callers then do not act, the way back excepted.
type Gate interface {
	Check(ctx context.Context, act Act) (Verdict, error)
}

// Unrestricted is the Gate of an installation without approval policies. It
// allows every act and says so.
type Unrestricted struct{}

// Check implements Gate.
func (Unrestricted) Check(_ context.Context, act Act) (Verdict, error) {
	return Verdict{Allowed: true, Reason: "no approval policy covers " + act.Verb}, nil
}
