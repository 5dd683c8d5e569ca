// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package cli

import (
	"errors"
	"fmt"
	"strings"
)

// Exit codes, as docs/reference/exit-codes.md lists them.
const (
	ExitOK          = 0
	ExitError       = 1
	ExitDiffers     = 1
	ExitUsage       = 2
	ExitDenied      = 3
	ExitPending     = 4
	ExitConflict    = 5
	ExitNotFound    = 6
	ExitTimeout     = 7
	ExitInvalid     = 8
	ExitUnavailable = 9
	ExitInterrupted = 130
)

// exits maps the API's problem codes to exit codes.
var exits = map[string]int{
	"unauthenticated": ExitDenied, "denied": ExitDenied, "approval-pending": ExitPending,
	"conflict": ExitConflict, "already-exists": ExitConflict, "precondition-required": ExitConflict,
	"not-found": ExitNotFound, "timeout": ExitTimeout,
	"invalid": ExitInvalid, "bad-request": ExitInvalid, "too-large": ExitInvalid, "unsupported-media-type": ExitInvalid,
	"unavailable": ExitUnavailable, "cluster-not-connected": ExitUnavailable, "evidence-away": ExitUnavailable, "too-many-requests": ExitUnavailable,
}

// Failure is what ends a command: a one-line cause, what to do next, and the
// exit code.
type Failure struct {
	// Exit is the exit code.
	Exit int
	// Cause in one line.
	Cause string
	// Details, one line each.
	Details []string
	// Next says what to do.
	Next string
	// Code and Trace are the server's.
	Code, Trace string
	// Reasons are the machine's words for what is wrong, such as "CodeNeeded".
	Reasons []string
}

// Error implements error. The first line is the cause.
func (f *Failure) Error() string {
	b := &strings.Builder{}
	b.WriteString(f.Cause)
	for _, d := range f.Details {
		fmt.Fprintf(b, "\n  - %s", d)
	}
	if f.Next != "" {
		fmt.Fprintf(b, "\n  next: %s", f.Next)
	}
	if f.Code != "" {
		fmt.Fprintf(b, "\n  code: %s", f.Code)
	}
	if f.Trace != "" {
		fmt.Fprintf(b, "  trace: %s", f.Trace)
	}
	return b.String()
}

// Usage is a failure of the command line itself.
func Usage(format string, args ...any) *Failure {
	return &Failure{Exit: ExitUsage, Cause: fmt.Sprintf(format, args...), Next: "see --help"}
}

// ExitOf returns the exit code of an error.
func ExitOf(err error) int {
	if err == nil {
		return ExitOK
	}
	var f *Failure
	if errors.As(err, &f) {
		return f.Exit
	}
	return ExitError
}

// problem is what the server answers (RFC 9457).
type problem struct {
	Detail string `json:"detail"`
	Title  string `json:"title"`
	Code   string `json:"code"`
	Trace  string `json:"trace"`
	Next   string `json:"next"`
	Causes []struct {
		Field   string `json:"field"`
		Reason  string `json:"reason"`
		Message string `json:"message"`
	} `json:"causes"`
}

func (p problem) failure() *Failure {
	f := &Failure{Exit: ExitError, Cause: p.Detail, Next: p.Next, Code: p.Code, Trace: p.Trace}
	if f.Cause == "" {
		f.Cause = p.Title
	}
	if exit, ok := exits[p.Code]; ok {
		f.Exit = exit
	}
	for _, c := range p.Causes {
		if c.Reason != "" {
			f.Reasons = append(f.Reasons, c.Reason)
		}
		if c.Field != "" {
			f.Details = append(f.Details, c.Field+": "+c.Message)
		} else {
			f.Details = append(f.Details, c.Message)
		}
	}
	return f
}
