// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"unicode/utf8"

	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
	"github.com/fairway-cloud/fairway/internal/release"
)

// resumeLimit bounds what somebody says who lets a Release go on.
const resumeLimit = 8 << 10

// resumption is why somebody lets a Release go on. It is kept as evidence; the
// Release's own reason and ticket stay those of whoever asked for it.
type resumption struct {
	// Reason in the person's words, at most 512 characters. Default: none.
	Reason string `json:"reason,omitempty"`
	// Ticket of the change process, at most 64 characters. Default: none.
	Ticket string `json:"ticket,omitempty"`
}

func readResumption(r *http.Request) (resumption, error) {
	var out resumption
	raw := httpapi.Body(r)
	if len(bytes.TrimSpace(raw)) == 0 {
		return out, nil
	}
	if err := contentType(r, "application/json"); err != nil {
		return out, err
	}
	if err := wellFormed(raw); err != nil {
		return out, err
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&out); err != nil {
		return out, httpapi.NewProblem(httpapi.CodeBadRequest, "could not read the body: it holds reason and ticket, and nothing else")
	}
	if utf8.RuneCountInString(out.Reason) > 512 {
		return out, invalid("reason", "must have at most 512 characters")
	}
	if utf8.RuneCountInString(out.Ticket) > 64 {
		return out, invalid("ticket", "must have at most 64 characters")
	}
	return out, nil
}

func (s *Server) describeResume(r *http.Request) (httpapi.Act, error) {
	act, err := s.describePath("Release")(r)
	if err != nil {
		return act, err
	}
	said, err := readResumption(r)
	act.Release = r.PathValue("namespace") + "/" + r.PathValue("name")
	act.Reason, act.Ticket = said.Reason, said.Ticket
	return act, err
}

// resumeRelease lets a stopped Release go on, if it can.
func (s *Server) resumeRelease(w http.ResponseWriter, r *http.Request) error {
	if err := noQuery(r); err != nil {
		return err
	}
	k, ok := s.kind("Release")
	if !ok {
		return httpapi.NewProblem(httpapi.CodeUnavailable, "this server knows no releases")
	}
	h := kindHandlers{server: s, kind: k}
	namespace, name := r.PathValue("namespace"), r.PathValue("name")
	answer, err := h.read(r.Context(), who(r), namespace, name)
	if err != nil {
		return err
	}
	found := &releasev1.Release{}
	if err := json.Unmarshal(answer.Body, found); err != nil {
		return httpapi.NewProblem(httpapi.CodeUnavailable, "the hub's answer cannot be read").Because(err)
	}
	// The hub asks the same (config/admission/release.yaml), of what is stopped.
	allowed, err := s.authority.May(r.Context(), who(r), h.question(strings.ToLower(string(found.Spec.Kind)), namespace, name))
	if err != nil {
		return err
	}
	if !allowed {
		return httpapi.NewProblem(httpapi.CodeDenied, "could not resume release %q: your roles do not let one of kind %s go on here", name, found.Spec.Kind)
	}
	why := standing(found)
	answer, err = h.desire(r, "Run", why != "")
	switch {
	case err != nil: // whoever may not let it go on learns this first
		return err
	case why != "":
		return httpapi.NewProblem(httpapi.CodeConflict, "could not resume release %q: %s", name, why).
			WithNext("See how far it is: fairway release status %s -n %s.", name, namespace)
	}
	return relay(w, http.StatusOK, answer)
}

// standing says why a Release cannot be let go on, or "".
func standing(r *releasev1.Release) string {
	switch {
	case release.Finished(r):
		return "it is complete"
	case release.Over(r):
		return "another release took its application over; start one anew if it is still wanted"
	case r.Spec.Desired != "Stop":
		return "it is not stopped"
	}
	return ""
}
