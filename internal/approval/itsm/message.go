// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package itsm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"k8s.io/apimachinery/pkg/util/validation"

	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
)

// What signatures are for. A signature for one does not hold for the other.
const (
	PurposeRequest = "fairway.request.v1"
	PurposeVerdict = "fairway.verdict.v1"
)

// Event is what happened to a request.
type Event string

// The events that a system is told of.
const (
	// Asked: the system is asked for its verdict.
	Asked Event = "Asked"
	// Closed: the request was approved or not, used, void, rejected or expired; a
	// verdict changes nothing any more.
	Closed Event = "Closed"
)

// Notice is the message that goes out.
type Notice struct {
	// ID is the same each time that the message is sent.
	ID string `json:"id"`
	// Event says what happened.
	Event Event `json:"event"`
	// System that is told, by the name that Fairway has for it.
	System string `json:"system"`
	// Outcome says how a closed request ended.
	Outcome string `json:"outcome,omitempty"`
	// Request that it is about.
	Request Request `json:"request"`
}

// Request is an ApprovalRequest as the system gets to see it.
type Request struct {
	Namespace   string                 `json:"namespace"`
	Name        string                 `json:"name"`
	UID         string                 `json:"uid"`
	Digest      string                 `json:"digest"`
	Act         string                 `json:"act"`
	Subject     string                 `json:"subject"`
	Tenant      string                 `json:"tenant"`
	Environment string                 `json:"environment"`
	Application string                 `json:"application,omitempty"`
	Clusters    []string               `json:"clusters,omitempty"`
	Instances   int32                  `json:"instances"`
	ChangeClass releasev1.ChangeClass  `json:"changeClass"`
	Risk        releasev1.Risk         `json:"risk"`
	Requester   string                 `json:"requester"`
	Makers      []string               `json:"makers,omitempty"`
	Reason      string                 `json:"reason,omitempty"`
	Ticket      string                 `json:"ticket,omitempty"`
	Summary     []string               `json:"summary,omitempty"`
	Changes     []string               `json:"changes,omitempty"`
	Attachments []releasev1.Attachment `json:"attachments,omitempty"`
	DecideBy    time.Time              `json:"decideBy"`
}

func noticeOf(system string, event Event, outcome string, r *approvalv1.ApprovalRequest) Notice {
	s := &r.Spec
	return Notice{
		ID: messageID(r, event), Event: event, System: system, Outcome: outcome,
		Request: Request{
			Namespace: r.Namespace, Name: r.Name, UID: string(r.UID), Digest: s.Digest, Act: s.Act, Subject: s.Subject.Kind + "/" + s.Subject.Name,
			Tenant: s.Scope.Tenant, Environment: s.Scope.Environment, Application: s.Scope.Application, Clusters: s.Scope.Clusters,
			Instances: s.BlastRadius.Instances, ChangeClass: s.ChangeClass, Risk: s.Risk, Requester: s.Requester, Makers: s.Makers,
			Reason: s.Reason, Ticket: s.Ticket, Summary: s.Summary, Changes: s.Changes, Attachments: s.Attachments, DecideBy: s.DecideBy.UTC(),
		},
	}
}

// messageID names a message for good: there is one of each event of a request.
func messageID(r *approvalv1.ApprovalRequest, event Event) string {
	return strings.ToLower(string(event)) + "-" + string(r.UID)
}

// Answer is what the system may answer to a message.
type Answer struct {
	// Ticket under which the system has the request.
	Ticket string `json:"ticket"`
}

// ticketOf reads the ticket out of an answer; what is none is left out.
func ticketOf(answer []byte) string {
	a := Answer{}
	if json.Unmarshal(answer, &a) != nil || !printable(a.Ticket, 64) {
		return ""
	}
	return a.Ticket
}

// Verdict is the message that comes in.
type Verdict struct {
	// ID is the system's own for this verdict, the same each time it is sent.
	ID string `json:"id"`
	// System by the name that Fairway has for it.
	System string `json:"system"`
	// Namespace and Request name the ApprovalRequest.
	Namespace string `json:"namespace"`
	Request   string `json:"request"`
	// Digest of the plan that was decided on, as the request stated it.
	Digest string `json:"digest"`
	// Verdict is Approve or Reject.
	Verdict approvalv1.VerdictKind `json:"verdict"`
	// Actor is the person of the bank who decided: person id, login or alias.
	Actor string `json:"actor"`
	// Ticket of the system.
	Ticket string `json:"ticket"`
	// Comment of the person. Optional.
	Comment string `json:"comment,omitempty"`
}

// readVerdict reads a verdict and refuses what it does not understand.
func readVerdict(body []byte) (Verdict, error) {
	v := Verdict{}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&v); err != nil {
		return Verdict{}, fmt.Errorf("could not read the verdict: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return Verdict{}, errors.New("could not read the verdict: something follows it")
	}
	for name, c := range map[string]struct {
		text string
		most int
	}{"id": {v.ID, 128}, "digest": {v.Digest, 80}, "actor": {v.Actor, 128}, "ticket": {v.Ticket, 64}} {
		if !printable(c.text, c.most) {
			return Verdict{}, fmt.Errorf("could not read the verdict: %s has 1 to %d characters of text on one line", name, c.most)
		}
	}
	switch {
	case len(validation.IsDNS1123Label(v.Namespace)) > 0 || len(validation.IsDNS1123Subdomain(v.Request)) > 0:
		return Verdict{}, errors.New("could not read the verdict: namespace and request name the request, as it was sent")
	case v.Verdict != approvalv1.VerdictApprove && v.Verdict != approvalv1.VerdictReject:
		return Verdict{}, errors.New("could not read the verdict: verdict is Approve or Reject")
	case v.Comment != "" && !printable(v.Comment, 1024):
		return Verdict{}, errors.New("could not read the verdict: comment has up to 1024 characters of text on one line")
	}
	return v, nil
}

// printable says whether the text is one line that shows as what it is.
func printable(text string, most int) bool {
	if text == "" || len(text) > most || strings.TrimSpace(text) != text {
		return false
	}
	return !strings.ContainsFunc(text, func(r rune) bool {
		return r == unicode.ReplacementChar || !unicode.IsPrint(r) // neither control nor bidi marks
	})
}
