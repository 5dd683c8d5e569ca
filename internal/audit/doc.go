// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package audit is the evidence of who did what, on whose approval, with which
// result (R69). Every act has two records: an intent that is durable before the
// act, and an outcome after it.
package audit

import (
	"context"
	"errors"
	"fmt"
)

// Act is what an intent says. It holds no secrets and no personal data beyond
// the person's id.
type Act struct {
	// Verb is the room and the act, for example "release.step".
	Verb string `json:"verb"`
	// Person who acts, also behind controllers.
	Person string `json:"person"`
	// Subject is the object acted on, "<kind>/<namespace>/<name>".
	Subject string `json:"subject"`
	// Cluster is the member that is written to.
	Cluster string `json:"cluster,omitempty"`
	// Environment that is acted in. Empty: none.
	Environment string `json:"environment,omitempty"`
	// From is where the request came from: an address, or the part of Fairway that
	// acts by itself.
	From string `json:"from,omitempty"`
	// Class says how long the record is kept. Empty: ClassSystem.
	Class Class `json:"class,omitempty"`
	// Application that the act is about, "<namespace>/<name>", where the subject is
	// something else: by it an application's history finds its releases.
	Application string `json:"application,omitempty"`
	// Release on whose behalf the act happens.
	Release string `json:"release,omitempty"`
	// Approval that covers the act.
	Approval string `json:"approval,omitempty"`
	// Verdict is the Gate's reason.
	Verdict string `json:"verdict,omitempty"`
	// Reason and Ticket are the requester's.
	Reason string `json:"reason,omitempty"`
	Ticket string `json:"ticket,omitempty"`
	// Before and After are the digests of what is changed.
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
	// Details lists the single acts of a step, each in a few words.
	Details []string `json:"details,omitempty"`
	// Trace is the W3C trace id of the request.
	Trace string `json:"trace,omitempty"`
}

// Class of a record, for how long it is kept (R69).
type Class string

// The classes. Their terms are set where the log is opened.
const (
	// ClassSystem is everything that is nothing else.
	ClassSystem Class = "system"
	// ClassLogin is about who came in, who did not, and what was taken from whom.
	ClassLogin Class = "login"
	// ClassChange is about what changes what runs.
	ClassChange Class = "change"
	// ClassApproval is about who agreed to what.
	ClassApproval Class = "approval"
	// ClassCrosscheck is about writes that an API server noted and no record accounts for.
	ClassCrosscheck Class = "crosscheck"
)

// Result is how an act ended.
type Result string

// The ways an act ends. Unknown is written by the sweep after a crash.
const (
	Done    Result = "Done"
	Refused Result = "Refused"
	Failed  Result = "Failed"
	Unknown Result = "Unknown"
)

// Outcome is what the second record says.
type Outcome struct {
	// Result of the act.
	Result Result `json:"result"`
	// Message says what went wrong, or what was done.
	Message string `json:"message,omitempty"`
	// After is the digest of what came out, where it was not known before.
	After string `json:"after,omitempty"`
}

// Made begins the message of an outcome that names what was made, where the
// intent could not know the whole name: "made Release/retail-prod/mobile-bank-x7k2p".
const Made = "made "

// Recorder writes evidence.
type Recorder interface {
	// Intent records that an act is about to happen and returns the number that
	// its outcome names. It returns only once the record is durable.
	Intent(ctx context.Context, act Act) (id string, err error)
	// Outcome records how the act of that number ended.
	Outcome(ctx context.Context, id string, outcome Outcome) error
}

// WhenAway says what happens to an act whose intent cannot be recorded.
type WhenAway int

const (
	// FailClosed refuses the act. It is the rule.
	FailClosed WhenAway = iota
	// FailOpen lets the act happen: only the way back (stop, pause, drain,
	// rollback to the approved revision) uses it.
	FailOpen
)

// ErrAway says that an act did not happen because it could not be recorded.
// Callers try again later; the act was not begun.
var ErrAway = errors.New("the evidence log is away")

// ErrAltered says that what the log holds is not as it was written. Nothing is
// written to it until somebody has restored it.
var ErrAltered = errors.New("the evidence log is not as it was written")

// Spooler is a Recorder that can keep the records of the way back elsewhere while
// the log is away. They reach the log afterwards, with their own times.
type Spooler interface {
	// Spool records an intent as Intent does, but not in the log.
	Spool(ctx context.Context, act Act) (id string, err error)
}

type wayBackKey struct{}

// IsWayBack says that an intent is of the way back: a Recorder does not make it
// wait for anything but its own disk, and not long for that.
func IsWayBack(ctx context.Context) bool {
	back, _ := ctx.Value(wayBackKey{}).(bool)
	return back
}

// Ended records how an act ended, once.
type Ended func(ctx context.Context, outcome Outcome) error

// Begin records the intent of an act. The act may happen where the error is nil;
// its end goes to the returned function. Where the log is away, FailClosed says
// ErrAway, and FailOpen keeps the record in the spool; lost then says that even
// that was impossible.
func Begin(ctx context.Context, r Recorder, away WhenAway, act Act) (end Ended, lost, err error) {
	if away == FailOpen {
		ctx = context.WithValue(ctx, wayBackKey{}, true)
	}
	id, err := r.Intent(ctx, act)
	if err != nil && away == FailClosed {
		return nil, nil, fmt.Errorf("could not begin %s on %q: %w: %w", act.Verb, act.Subject, ErrAway, err)
	}
	if spooler, ok := r.(Spooler); ok && err != nil {
		// The caller's deadline may be what has run out.
		id, err = spooler.Spool(context.WithoutCancel(ctx), act)
	}
	if err != nil {
		return func(context.Context, Outcome) error { return nil }, err, nil
	}
	return func(ctx context.Context, outcome Outcome) error { return r.Outcome(ctx, id, outcome) }, nil, nil
}

// Do records the intent, carries the act out and records its outcome. The
// act's own error comes back unchanged.
func Do(ctx context.Context, r Recorder, away WhenAway, act Act, do func(context.Context) error) error {
	end, _, err := Begin(ctx, r, away, act)
	if err != nil {
		return err
	}
	result := do(ctx)
	outcome := Outcome{Result: Done}
	if result != nil {
		outcome = Outcome{Result: Failed, Message: result.Error()}
	}
	// The act has happened: a record that fails now leaves an intent without an
	// outcome, which the sweep after a restart marks Unknown.
	return errors.Join(result, end(context.WithoutCancel(ctx), outcome))
}
