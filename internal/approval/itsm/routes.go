// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package itsm

import (
	"errors"
	"net/http"

	"github.com/fairway-cloud/fairway/internal/app"
	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
	"github.com/fairway-cloud/fairway/internal/platform/webhook"
)

// mostVerdict is the most bytes of a verdict that are read.
const mostVerdict = 16 << 10

// Routes is the way in for verdicts. A nil receiver answers that no system is
// connected.
func Routes(r *Receiver) []httpapi.Route {
	return []httpapi.Route{{
		Method: http.MethodPost, Pattern: "/api/v1/approval/verdicts", Room: "approval", Verb: "verdict",
		Effect: httpapi.Writes, BodyLimit: mostVerdict, Describe: describe,
		Handler: func(w http.ResponseWriter, request *http.Request) error { return handle(r, w, request) },
		Doc: httpapi.Doc{
			Summary: "Takes a signed verdict of a system of the bank, such as its ITSM, about an ApprovalRequest that asks it.",
			Request: "approval.Verdict", Response: "approval.VerdictReceipt",
		},
	}}
}

// describe says for gate and evidence what the message is about, as far as it can
// be read. Whether it may be believed is found out when it is taken.
func describe(r *http.Request) (httpapi.Act, error) {
	v, err := readVerdict(httpapi.Body(r))
	if err != nil {
		return httpapi.Act{Subject: "ApprovalRequest"}, nil //nolint:nilerr // it is refused, and recorded, when it is taken
	}
	_, environment, _ := app.SplitNamespace(v.Namespace)
	return httpapi.Act{Subject: "ApprovalRequest/" + v.Namespace + "/" + v.Request, Environment: environment, Ticket: v.Ticket}, nil
}

func handle(r *Receiver, w http.ResponseWriter, request *http.Request) error {
	if r == nil {
		return httpapi.NewProblem(httpapi.CodeUnavailable, "could not take the verdict: no system of the bank is connected").
			WithNext("Start the server with --itsm-config; see docs/howto/connect-itsm.md.")
	}
	person, _ := identity.FromContext(request.Context())
	receipt, err := r.Take(request.Context(), person, request.Header, httpapi.Body(request))
	if err != nil {
		return problem(err)
	}
	status := http.StatusCreated
	if receipt.Duplicate {
		status = http.StatusOK
	}
	body, err := httpapi.JSON(receipt)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body)
	return nil
}

// problem says what the sender did wrong. What fails inside stays inside.
func problem(err error) error {
	for _, c := range []struct {
		is   error
		code httpapi.Code
		next string
	}{
		{ErrStranger, httpapi.CodeDenied, "Send verdicts under the account that the server's configuration names for the system."},
		{webhook.ErrUnsigned, httpapi.CodeDenied, "Sign the message as docs/howto/connect-itsm.md says."},
		{webhook.ErrSignature, httpapi.CodeDenied, "Sign the bytes that are sent, with the key that the message names."},
		{webhook.ErrTime, httpapi.CodeDenied, "Set the clocks of both systems, and sign when the message is sent."},
		{ErrReplay, httpapi.CodeDenied, "Sign each message with a nonce of its own."},
		{ErrUnreadable, httpapi.CodeInvalid, "Correct what the message names, and sign it again."},
		{ErrNoRequest, httpapi.CodeNotFound, "Name the request as it was sent: namespace and name."},
		{ErrOtherPlan, httpapi.CodeConflict, "Have the plan looked at again that the newest request states."},
		{ErrClosed, httpapi.CodeConflict, "A verdict changes nothing any more: wait for the next request."},
		{ErrNotCounted, httpapi.CodeDenied, "Have somebody decide who may: the request names the parties."},
		{ErrOtherVerdict, httpapi.CodeConflict, "Give each verdict an id of its own."},
	} {
		if errors.Is(err, c.is) {
			return httpapi.NewProblem(c.code, "could not take the verdict: %v", err).WithNext("%s", c.next).Because(err)
		}
	}
	return httpapi.NewProblem(httpapi.CodeUnavailable, "could not take the verdict now").WithNext("Send the same message again.").Because(err)
}

// Schemas are what the document says of the messages.
func Schemas() map[string]any {
	text := func(description string, most int) map[string]any {
		return map[string]any{"type": "string", "minLength": 1, "maxLength": most, "description": description}
	}
	return map[string]any{
		"approval.Verdict": map[string]any{
			"type": "object", "additionalProperties": false, "description": "A system's verdict. Signed as docs/howto/connect-itsm.md says.",
			"required": []any{"id", "system", "namespace", "request", "digest", "verdict", "actor", "ticket"},
			"properties": map[string]any{
				"id":        text("The system's own id of this verdict, the same each time it is sent.", 128),
				"system":    text("The system, by the name that approval policies call it.", 63),
				"namespace": text("The request's namespace, as it was sent.", 63),
				"request":   text("The request's name, as it was sent.", 253),
				"digest":    text("The digest of the plan that was decided on, as the request stated it.", 80),
				"verdict":   map[string]any{"type": "string", "enum": []any{"Approve", "Reject"}, "description": "What was decided."},
				"actor":     text("The person of the bank who decided: person id, login or alias.", 128),
				"ticket":    text("The system's ticket.", 64),
				"comment":   text("What the person says about it.", 1024),
			},
		},
		"approval.VerdictReceipt": map[string]any{
			"type": "object", "required": []any{"decision", "duplicate"},
			"properties": map[string]any{
				"decision":  map[string]any{"type": "string", "description": "The Decision that the verdict became."},
				"duplicate": map[string]any{"type": "boolean", "description": "Whether it had become that before: nothing was done."},
			},
		},
	}
}
