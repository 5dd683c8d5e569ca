// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server

import (
	"net/http"
	"strings"

	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
)

// describe says what a write is about to do.
func (h kindHandlers) describe(r *http.Request) (httpapi.Act, error) {
	namespace, name := r.PathValue("namespace"), r.PathValue("name")
	act := httpapi.Act{}
	var object map[string]any
	if raw := httpapi.Body(r); len(raw) > 0 {
		var err error
		if object, err = strictObject(raw); err != nil {
			return act, err
		}
		if namespace == "" {
			namespace = text(lookup(object, []string{"metadata", "namespace"}))
		}
		if name == "" {
			name = text(lookup(object, []string{"metadata", "name"}))
			if name == "" {
				name = text(lookup(object, []string{"metadata", "generateName"})) + "*"
			}
		}
		if h.kind.Kind == "Release" {
			act.WayBack = asksBack(object)
			act.Reason, act.Ticket = text(lookup(object, []string{"spec", "reason"})), text(lookup(object, []string{"spec", "ticket"}))
			if of := text(lookup(object, []string{"spec", "application"})); of != "" {
				act.Application = namespace + "/" + of
			}
		}
	}
	act.Subject = subjectOf(h.kind, namespace, name)
	if h.kind.Kind == "Decision" && object != nil {
		describeDecision(&act, object, namespace)
	}
	if (h.kind.Kind == "Amendment" || h.kind.Kind == "Confirmation") && object != nil {
		describeAmendment(&act, object)
	}
	if h.kind.Namespaced {
		act.Environment = environmentOf(namespace)
	}
	return act, nil
}

// describeAmendment tells why something is proposed, and a Confirmation in the words of
// its verdict, on the Amendment that it is about.
func describeAmendment(act *httpapi.Act, object map[string]any) {
	act.Class = audit.ClassApproval
	if about, verdict := text(lookup(object, []string{"spec", "amendment"})), text(lookup(object, []string{"spec", "verdict"})); about != "" && verdict != "" {
		act.Verb, act.Subject, act.Reason = "identity."+strings.ToLower(verdict), "Amendment/"+about, text(lookup(object, []string{"spec", "comment"}))
		return
	}
	act.Reason, act.Ticket = text(lookup(object, []string{"spec", "reason"})), text(lookup(object, []string{"spec", "ticket"}))
}

// asksBack says whether a Release that is asked for goes back. Asking changes nothing
// yet: whether it is the way that the approved plan names is the Gate's question, and
// asking is not refused because log, database or ticket system are away.
func asksBack(release map[string]any) bool {
	return text(lookup(release, []string{"spec", "kind"})) == "Rollback"
}

// stops says whether a patch does nothing but stop a Release.
func stops(patch map[string]any) bool {
	spec, ok := patch["spec"].(map[string]any)
	return ok && len(patch) == 1 && len(spec) == 1 && spec["desired"] == "Stop"
}

// describeDecision tells a decision in the words of its verdict, and what it is on:
// the request, and the Release that the request's name begins with.
func describeDecision(act *httpapi.Act, decision map[string]any, namespace string) {
	request, verdict := text(lookup(decision, []string{"spec", "request"})), text(lookup(decision, []string{"spec", "verdict"}))
	if request == "" || verdict == "" {
		return
	}
	act.Verb, act.Class = "approval."+strings.ToLower(verdict), audit.ClassApproval
	act.Subject = "ApprovalRequest/" + namespace + "/" + request
	act.Reason, act.Ticket = text(lookup(decision, []string{"spec", "comment"})), text(lookup(decision, []string{"spec", "ticket"}))
	if i := strings.LastIndex(request, "-"); i > 0 {
		act.Release = namespace + "/" + request[:i]
	}
}

func subjectOf(k httpapi.Kind, namespace, name string) string {
	if k.Namespaced {
		return k.Kind + "/" + namespace + "/" + name
	}
	return k.Kind + "/" + name
}
