// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server

import (
	"errors"
	"net/http"
	"slices"
	"strconv"

	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
)

const (
	defaultLimit = 50
	mostLimit    = 500
)

var tabs = []Tab{ToDo, Done, Mine, Copied, All}

// Routes of the approval room. desk may be nil where only the document is made.
func Routes(desk *Desk) []httpapi.Route {
	return []httpapi.Route{
		{Method: http.MethodGet, Pattern: "/api/v1/approval/inbox", Room: "approval", Verb: "inbox", Effect: httpapi.Reads, Handler: desk.inbox,
			Doc: httpapi.Doc{
				Summary: "Lists approval requests as they concern you, newest first.", Response: "approval.Inbox",
				Query: []httpapi.Parameter{
					{Name: "tab", Text: "todo: waits for you; done: you decided; mine: you asked or made it; copied: your group is told; all: everything you may see. Default: todo."},
					{Name: "namespace", Text: "Only requests of this hub namespace. Default: all that you may see."},
					{Name: "limit", Text: "At most so many. Default: 50, at most 500.", Schema: map[string]any{"type": "integer"}},
				},
			}},
		{Method: http.MethodGet, Pattern: "/api/v1/approval/approvalrequests/{namespace}/{name}/view", Room: "approval", Kind: "ApprovalRequest", Verb: "view",
			Effect: httpapi.Reads, Handler: desk.view,
			Doc: httpapi.Doc{Summary: "Shows one request in plain words: what will happen, where, what differs, who has agreed, and what you may say.", Response: "approval.Item"}},
	}
}

// Schemas of what the routes answer.
func Schemas() map[string]any {
	text := func(description string) map[string]any {
		return map[string]any{"type": "string", "description": description}
	}
	list := func(of map[string]any) map[string]any { return map[string]any{"type": "array", "items": of} }
	item := map[string]any{"type": "object", "properties": map[string]any{
		"namespace": text("The hub namespace, <tenant>-<environment>."), "name": text("The request."), "act": text("What is asked for, such as release.Deploy."),
		"subject": map[string]any{"type": "object"}, "requester": text("Who asks, by person id."), "makers": list(text("Who made it.")),
		"scope": map[string]any{"type": "object"}, "changeClass": text("Standard, Normal, Important, Major or Emergency."), "risk": text("Low, Medium or High."),
		"reason": text("Why, in the requester's words."), "ticket": text("The ticket."), "digest": text("The digest of the plan."), "policy": text("The policy that holds."),
		"blastRadius": map[string]any{"type": "object"}, "createdAt": text("When it was asked."), "decideBy": text("When it expires undecided."),
		"state": text("Waiting, Approved, Rejected, Void or Expired."), "message": text("The state in a sentence."), "next": text("What an approved act waits for."),
		"parties": list(map[string]any{"type": "object"}), "may": list(text("What you may say now.")), "summary": list(text("What will happen, in plain words.")),
		"changes": list(text("What differs from what runs.")), "attachments": list(map[string]any{"type": "object"}),
		"decisions": list(map[string]any{"type": "object"}), "owed": list(text("What is still to be done after the act.")), "uncounted": list(map[string]any{"type": "object"}),
	}}
	return map[string]any{
		"approval.Item": item,
		"approval.Inbox": map[string]any{"type": "object", "required": []any{"items"}, "properties": map[string]any{
			"items": list(map[string]any{"$ref": "#/components/schemas/approval.Item"}),
			"more":  map[string]any{"type": "integer", "description": "How many were left out."},
		}},
	}
}

func (d *Desk) inbox(w http.ResponseWriter, r *http.Request) error {
	values := r.URL.Query()
	for name := range values {
		if !slices.Contains([]string{"tab", "namespace", "limit"}, name) {
			return httpapi.NewProblem(httpapi.CodeBadRequest, "could not read the query: no such parameter %q", name)
		}
	}
	tab := Tab(values.Get("tab"))
	if tab == "" {
		tab = ToDo
	}
	if !slices.Contains(tabs, tab) {
		return httpapi.NewProblem(httpapi.CodeBadRequest, "could not show tab %q: there are todo, done, mine, copied and all", tab)
	}
	limit := defaultLimit
	if text := values.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > mostLimit {
			return httpapi.NewProblem(httpapi.CodeBadRequest, "could not read limit=%q: give a number from 1 to %d", text, mostLimit)
		}
		limit = n
	}
	person, _ := identity.FromContext(r.Context())
	items, more, err := d.Inbox(r.Context(), person, tab, values.Get("namespace"), limit)
	if err != nil {
		return unavailable("the inbox", err)
	}
	return httpapi.WriteJSON(w, http.StatusOK, map[string]any{"items": items, "more": more})
}

func (d *Desk) view(w http.ResponseWriter, r *http.Request) error {
	if len(r.URL.Query()) > 0 {
		return httpapi.NewProblem(httpapi.CodeBadRequest, "could not read the query: this takes no parameters")
	}
	person, _ := identity.FromContext(r.Context())
	namespace, name := r.PathValue("namespace"), r.PathValue("name")
	item, err := d.View(r.Context(), person, namespace, name)
	if errors.Is(err, errHidden) {
		return httpapi.NewProblem(httpapi.CodeNotFound, "could not find approval request %q in %q", name, namespace)
	}
	if err != nil {
		return unavailable("approval request "+strconv.Quote(name), err)
	}
	return httpapi.WriteJSON(w, http.StatusOK, item)
}

func unavailable(what string, err error) error {
	var p *httpapi.Problem
	if errors.As(err, &p) {
		return p
	}
	return httpapi.NewProblem(httpapi.CodeUnavailable, "could not show %s now", what).Because(err)
}
