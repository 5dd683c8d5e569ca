// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
)

// Code names a family of problems. The CLI's exit codes hang on it.
type Code string

// The codes that the API answers with.
const (
	CodeBadRequest         Code = "bad-request"
	CodeUnauthenticated    Code = "unauthenticated"
	CodeDenied             Code = "denied"
	CodeApprovalPending    Code = "approval-pending"
	CodeNotFound           Code = "not-found"
	CodeMethodNotAllowed   Code = "method-not-allowed"
	CodeConflict           Code = "conflict"
	CodeAlreadyExists      Code = "already-exists"
	CodeGone               Code = "cursor-expired"
	CodeTooLarge           Code = "too-large"
	CodeUnsupportedMedia   Code = "unsupported-media-type"
	CodeInvalid            Code = "invalid"
	CodePreconditionNeeded Code = "precondition-required"
	CodeTooManyRequests    Code = "too-many-requests"
	CodeInternal           Code = "internal"
	CodeUnavailable        Code = "unavailable"
	CodeNotConnected       Code = "cluster-not-connected"
	CodeEvidenceAway       Code = "evidence-away"
	CodeTimeout            Code = "timeout"
)

// Cause is one of several things that are wrong with a request.
type Cause struct {
	// Field is the path of the field, such as "spec.components[0].image".
	Field string `json:"field,omitempty"`
	// Reason is the machine's word, such as "FieldValueInvalid".
	Reason string `json:"reason,omitempty"`
	// Message says what is wrong and what to write instead.
	Message string `json:"message"`
}

// Problem is an answer that says what went wrong and what to do next (RFC 9457).
type Problem struct {
	// Type identifies the family, "urn:fairway:problem:<code>".
	Type string `json:"type"`
	// Title is the family in words. It is the same for every problem of the family.
	Title string `json:"title"`
	// Status is the HTTP status.
	Status int `json:"status"`
	// Detail says what went wrong this time.
	Detail string `json:"detail"`
	// Code is the family's short name; scripts branch on it.
	Code Code `json:"code"`
	// Trace is the W3C trace id, under which the server's log knows the request.
	Trace string `json:"trace,omitempty"`
	// Next says what to do now.
	Next string `json:"next,omitempty"`
	// Causes lists what is wrong field by field.
	Causes []Cause `json:"causes,omitempty"`

	// cause is what happened inside. It is logged and never sent.
	cause error
}

// family is what all problems of one code have in common.
type family struct {
	status int
	title  string
	next   string
}

var families = map[Code]family{
	CodeBadRequest:         {http.StatusBadRequest, "The request cannot be read", "Correct the request and send it again."},
	CodeUnauthenticated:    {http.StatusUnauthorized, "Nobody is logged in", "Send a valid token: Authorization: Bearer <token>."},
	CodeDenied:             {http.StatusForbidden, "Not allowed", "Ask an administrator of the tenant for the role that allows it."},
	CodeApprovalPending:    {http.StatusForbidden, "An approval is needed first", "Have the request approved, then try again."},
	CodeNotFound:           {http.StatusNotFound, "Not found", "Check the name and the namespace; list what there is with a GET of the collection."},
	CodeMethodNotAllowed:   {http.StatusMethodNotAllowed, "This cannot be done here", "See GET /openapi.json for what the API offers."},
	CodeConflict:           {http.StatusConflict, "Somebody else changed it meanwhile", "Read the object again, make your change on what you read, and send it with its ETag."},
	CodeAlreadyExists:      {http.StatusConflict, "It exists already", "Choose another name, or change the existing object with PUT or PATCH."},
	CodeGone:               {http.StatusGone, "The list position no longer holds", "Start the list again without continue."},
	CodeTooLarge:           {http.StatusRequestEntityTooLarge, "The request is too large", "Send less at once."},
	CodeUnsupportedMedia:   {http.StatusUnsupportedMediaType, "This kind of body is not understood", "Send application/json."},
	CodeInvalid:            {http.StatusUnprocessableEntity, "The content is not valid", "Correct the fields named in causes and send it again."},
	CodePreconditionNeeded: {http.StatusPreconditionRequired, "The request must say which version it changes", "Send If-Match with the ETag of the object as you read it."},
	CodeTooManyRequests:    {http.StatusTooManyRequests, "Too many requests", "Wait a moment, then try again."},
	CodeInternal:           {http.StatusInternalServerError, "Something went wrong inside", "Try again; if it stays, give the trace to whoever runs Fairway."},
	CodeUnavailable:        {http.StatusServiceUnavailable, "Not available now", "Try again in a few seconds."},
	CodeNotConnected:       {http.StatusServiceUnavailable, "The cluster is not connected", "What runs there goes on. Try again when the cluster is connected: fairway get clusters."},
	CodeEvidenceAway:       {http.StatusServiceUnavailable, "The act cannot be recorded now", "Nothing was changed. Try again when the evidence log is back."},
	CodeTimeout:            {http.StatusGatewayTimeout, "It took too long", "Try again; look at the object first, since the change may have happened."},
}

// Codes lists every code, in order.
func Codes() []Code { return slices.Sorted(maps.Keys(families)) }

// NewProblem returns a problem of the code's family. The detail is a sentence
// that names what was asked and why it failed; it never holds a secret.
func NewProblem(code Code, format string, args ...any) *Problem {
	f, ok := families[code]
	if !ok {
		code, f = CodeInternal, families[CodeInternal]
	}
	return &Problem{
		Type:   "urn:fairway:problem:" + string(code),
		Title:  f.title,
		Status: f.status,
		Detail: fmt.Sprintf(format, args...),
		Code:   code,
		Next:   f.next,
	}
}

// WithNext replaces what to do next.
func (p *Problem) WithNext(format string, args ...any) *Problem {
	p.Next = fmt.Sprintf(format, args...)
	return p
}

// WithCauses adds what is wrong field by field.
func (p *Problem) WithCauses(causes ...Cause) *Problem {
	p.Causes = append(p.Causes, causes...)
	return p
}

// WithList adds a cause for each of a list, as its text says, up to a number. How many are
// left out, and more besides that the list does not hold, is said in a last one.
func WithList[T fmt.Stringer](p *Problem, list []T, most, more int) *Problem {
	if left := len(list) - most; left > 0 {
		list, more = list[:most], more+left
	}
	for _, one := range list {
		p.Causes = append(p.Causes, Cause{Message: one.String()})
	}
	if more > 0 {
		p.Causes = append(p.Causes, Cause{Message: fmt.Sprintf("and %d more", more)})
	}
	return p
}

// Because keeps the inner error for the log. It is not sent.
func (p *Problem) Because(err error) *Problem {
	p.cause = err
	return p
}

// Error implements error.
func (p *Problem) Error() string { return p.Detail }

// Unwrap returns the inner error.
func (p *Problem) Unwrap() error { return p.cause }

// AsProblem returns the problem that err is. An error that is none becomes an
// internal one, whose text stays in the log.
func AsProblem(err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	return NewProblem(CodeInternal, "could not answer the request: something failed inside").Because(err)
}

// write sends the problem.
func (p *Problem) write(w http.ResponseWriter, trace string) {
	answer := *p
	answer.Trace = trace
	body, err := JSON(answer)
	if err != nil {
		http.Error(w, "could not write the problem", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	if p.Code == CodeUnauthenticated {
		h.Set("WWW-Authenticate", `Bearer realm="fairway"`)
	}
	w.WriteHeader(p.Status)
	_, _ = w.Write(body)
}

// JSON writes a value as a line of JSON, with < and > left readable: the answers
// are never a page's script.
func JSON(value any) ([]byte, error) {
	out := &bytes.Buffer{}
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return out.Bytes(), err
}

// WriteJSON answers with a value as JSON, which nobody keeps.
func WriteJSON(w http.ResponseWriter, status int, value any) error {
	body, err := JSON(value)
	if err != nil {
		return fmt.Errorf("could not write the answer: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body)
	return nil
}
