// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package apiclient

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
)

// Codes that the client itself gives, beside those of the API.
const (
	// CodeUnreachable: no answer came.
	CodeUnreachable = "unreachable"
	// CodeTimeout: the answer did not come in time.
	CodeTimeout = "timeout"
	// CodeNotFairway: something else answered, such as a proxy.
	CodeNotFairway = "not-fairway"
	// CodeNotFound, CodeUnavailable and CodeConflict as the API gives them.
	CodeNotFound    = "not-found"
	CodeUnavailable = "unavailable"
	CodeConflict    = "conflict"
)

// Cause is one of several things that are wrong with a request.
type Cause struct {
	Field   string `json:"field"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

// Failure is an answer that is none: the problem (RFC 9457) as the server told
// it, or why there is no answer.
type Failure struct {
	// Status is the HTTP status; 0 where nothing answered.
	Status int `json:"status"`
	// Code is what scripts branch on.
	Code string `json:"code"`
	// Detail says what went wrong.
	Detail string `json:"detail"`
	// Next says what to do.
	Next string `json:"next"`
	// Trace is how the server's log knows the request.
	Trace string `json:"trace"`
	// Causes are told field by field.
	Causes []Cause `json:"causes"`

	err error
}

// Error implements error.
func (f *Failure) Error() string { return f.Detail }

// Unwrap returns what the client met, if it was not an answer.
func (f *Failure) Unwrap() error { return f.err }

// failureOf reads the problem out of an answer.
func failureOf(status int, contentType string, body []byte) *Failure {
	media, _, _ := mime.ParseMediaType(contentType)
	f := &Failure{}
	if media == "application/problem+json" && json.Unmarshal(body, f) == nil && f.Detail != "" {
		f.Status = status
		return f
	}
	return &Failure{
		Status: status, Code: CodeNotFairway,
		Detail: fmt.Sprintf("the server answered %d %s, not as Fairway does", status, http.StatusText(status)),
		Next:   "Check the server's address, and what stands between here and there.",
	}
}
