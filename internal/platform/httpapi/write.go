// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package httpapi

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/fairway-cloud/fairway/internal/approval"
	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/identity"
)

// write carries out what changes something: ask the Gate, record the intent,
// act, record the outcome, answer. The answer leaves only after the outcome.
func (c *Chain) write(route Route, person identity.Person, w http.ResponseWriter, r *http.Request) error {
	about, err := route.Describe(r)
	if err != nil {
		return err
	}
	back := route.WayBack || about.WayBack
	verb := cmp.Or(about.Verb, route.Room+"."+route.Verb)
	verdict, err := c.ask(route, approval.Act{
		Verb: verb, Subject: about.Subject, Environment: about.Environment, Person: person.ID, WayBack: back,
	}, r)
	if err != nil {
		return err
	}
	act := audit.Act{
		Verb: verb, Person: person.ID, Subject: about.Subject, Application: about.Application, Release: about.Release, Environment: about.Environment, Approval: verdict.Approval, Verdict: verdict.Reason,
		Reason: about.Reason, Ticket: about.Ticket, Trace: Trace(r.Context()), From: from(r.Context(), person), Class: about.Class,
	}
	if body := Body(r); len(body) > 0 && !about.Secret {
		sum := sha256.Sum256(body)
		act.After = "sha256:" + hex.EncodeToString(sum[:])
	}
	away := audit.FailClosed
	if back {
		away = audit.FailOpen
	}
	noted, place := audit.WithPlace(r.Context())
	end, lost, err := audit.Begin(noted, c.Recorder, away, act)
	if errors.Is(err, audit.ErrAltered) {
		return NewProblem(CodeEvidenceAway, "could not begin %s on %s: the evidence log was altered, and takes no record until it is restored", verb, about.Subject).
			WithNext("Nothing was changed. Tell whoever runs Fairway and the audit department: on the server's machine \"fairway audit verify\" names the first wrong record, and the second copy restores it.").Because(err)
	}
	if err != nil {
		return NewProblem(CodeEvidenceAway, "could not begin %s on %s: the evidence log does not take the record", verb, about.Subject).Because(err)
	}
	if lost != nil {
		c.Log.Error("the way back is taken without a record: the evidence log is away",
			"request", act.Trace, "verb", verb, "subject", act.Subject, "actor", person.ID, "cause", lost.Error())
	}
	held, said := &heldWriter{header: http.Header{}, status: http.StatusOK}, ""
	result := route.Handler(held, r.WithContext(context.WithValue(r.Context(), saidKey{}, &said)))
	// The act has happened or was refused by the hub; a client that went away changes nothing of that.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), 10*time.Second)
	defer cancel()
	outcome := named(outcomeOf(result, held.status), act.Subject, held.header.Get("Location"))
	if outcome.Message == "" {
		outcome.Message = said
	}
	if err := end(ctx, outcome); err != nil {
		c.Log.Error("the outcome of an act was not recorded; the next start marks it unknown",
			"request", act.Trace, "verb", verb, "subject", act.Subject, "cause", err.Error())
	}
	c.evidence(ctx, *place, w.Header())
	if result != nil {
		return result
	}
	return held.release(w)
}

type saidKey struct{}

// Say puts into the evidence of the act under way, in a sentence, what is particular
// about its outcome. Of a request that writes nothing it keeps nothing.
func Say(ctx context.Context, sentence string) {
	if said, ok := ctx.Value(saidKey{}).(*string); ok {
		*said = sentence
	}
}

const (
	// EvidenceHeader names the record of a write by its number in the log, with the
	// parameter "witnessed" where the witness has confirmed it: "1234;witnessed".
	EvidenceHeader = "Fairway-Evidence"
	// ReceiptHeader carries the receipt of a write that the witness has confirmed, without
	// the record itself, in base64url without padding (C2SP tlog-proof).
	ReceiptHeader = "Fairway-Receipt"
)

// evidence says where the record of a write stands, and proves it where the act had to
// wait for the witness.
func (c *Chain) evidence(ctx context.Context, place audit.Place, header http.Header) {
	if !place.Known {
		return
	}
	value := strconv.FormatUint(place.Index, 10)
	if place.Witnessed {
		value += ";witnessed"
	}
	header.Set(EvidenceHeader, value)
	if !place.Witnessed || c.Receipts == nil {
		return
	}
	receipt, leaf, err := c.Receipts.Receipt(ctx, place.Index)
	if err != nil {
		// The record stands all the same, and its receipt can be asked for.
		c.Log.Error("an act was confirmed by the witness, and its receipt could not be made", "record", place.Index, "cause", err.Error())
		return
	}
	header.Set(ReceiptHeader, base64.RawURLEncoding.EncodeToString([]byte(receipt.Short(leaf).Text())))
}

// named adds the whole name to the outcome of an act that made an object whose
// name the hub completed: the intent could not know it.
func named(outcome audit.Outcome, subject, location string) audit.Outcome {
	if begin := strings.LastIndex(subject, "/"); outcome.Result == audit.Done && outcome.Message == "" && begin >= 0 && strings.HasSuffix(subject, "*") && location != "" {
		outcome.Message = audit.Made + subject[:begin+1] + path.Base(location)
	}
	return outcome
}

// from says where an act came from: the address, and the machine that acts for the person.
func from(ctx context.Context, person identity.Person) string {
	if person.Machine != "" {
		return strings.TrimSpace(AddressText(ctx) + " machine:" + person.Machine)
	}
	return AddressText(ctx)
}

// ask puts the act before the Gate. A Gate that cannot find out means no,
// except for the way back.
func (c *Chain) ask(route Route, act approval.Act, r *http.Request) (approval.Verdict, error) {
	verdict, err := c.Gate.Check(r.Context(), act)
	switch {
	case err != nil && act.WayBack:
		c.Log.Error("the way back is taken without the gate", "request", Trace(r.Context()), "route", route.ID(), "cause", err.Error())
		return approval.Verdict{Allowed: true, Reason: "the gate is away; the way back is never refused"}, nil
	case err != nil:
		return verdict, NewProblem(CodeUnavailable, "could not find out whether %s on %s is allowed now", act.Verb, act.Subject).Because(err)
	case !verdict.Allowed && verdict.Approval != "":
		return verdict, NewProblem(CodeApprovalPending, "could not begin %s on %s: %s", act.Verb, act.Subject, verdict.Reason).
			WithNext("Follow the request %q; try again once it is approved.", verdict.Approval)
	case !verdict.Allowed:
		return verdict, NewProblem(CodeDenied, "could not begin %s on %s: %s", act.Verb, act.Subject, verdict.Reason)
	}
	return verdict, nil
}

func outcomeOf(result error, status int) audit.Outcome {
	if result == nil {
		if status >= http.StatusInternalServerError {
			return audit.Outcome{Result: audit.Failed, Message: http.StatusText(status)}
		}
		if status >= http.StatusBadRequest {
			return audit.Outcome{Result: audit.Refused, Message: http.StatusText(status)}
		}
		return audit.Outcome{Result: audit.Done}
	}
	p := AsProblem(result)
	outcome := audit.Outcome{Result: audit.Failed, Message: p.Detail}
	switch {
	case p.Code == CodeTimeout || errors.Is(p.cause, context.DeadlineExceeded) || errors.Is(p.cause, context.Canceled):
		// Nobody knows whether the hub still did it.
		outcome.Result = audit.Unknown
	case p.Status < http.StatusInternalServerError:
		outcome.Result = audit.Refused
	}
	return outcome
}

// heldWriter keeps an answer back until its outcome is recorded.
type heldWriter struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (h *heldWriter) Header() http.Header         { return h.header }
func (h *heldWriter) WriteHeader(status int)      { h.status = status }
func (h *heldWriter) Write(b []byte) (int, error) { return h.body.Write(b) }

func (h *heldWriter) release(w http.ResponseWriter) error {
	for name, values := range h.header {
		w.Header()[name] = values
	}
	w.WriteHeader(h.status)
	if h.body.Len() == 0 {
		return nil
	}
	if _, err := w.Write(h.body.Bytes()); err != nil {
		return NewProblem(CodeInternal, "the client went away before the answer").Because(err)
	}
	return nil
}
