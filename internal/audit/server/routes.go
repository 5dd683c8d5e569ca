// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/audit/crosscheck"
	"github.com/fairway-cloud/fairway/internal/audit/export"
	"github.com/fairway-cloud/fairway/internal/audit/index"
	"github.com/fairway-cloud/fairway/internal/audit/retention"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
	"github.com/fairway-cloud/fairway/internal/server"
)

// The resource that RBAC speaks of.
const (
	Group    = "audit.fairway.cloud"
	Resource = "records"
)

// Index finds evidence. index.Store implements it.
type Index interface {
	Search(ctx context.Context, q index.Query) (index.Page, error)
	History(ctx context.Context, h index.History) (index.Page, error)
	Get(ctx context.Context, number uint64) (index.Act, bool, error)
	Scopes(ctx context.Context) ([]string, error)
	Covers(ctx context.Context) (uint64, error)
	Rebuild(ctx context.Context, log audit.Log) (read int, err error)
}

// Key signs exports. sealing.Key implements it.
type Key interface {
	Signer() note.Signer
}

// Deps are what the routes are made of. Without Index and Log every route
// answers that it is not available.
type Deps struct {
	// Index that is asked.
	Index Index
	// Log that the index is made from.
	Log audit.Log
	// Receipts proves records. Nil: this server gives no receipts.
	Receipts httpapi.Receipts
	// Checkpoint returns the log's newest one, signed. Nil: exports name none.
	Checkpoint func(ctx context.Context) ([]byte, error)
	// Authority says who may read.
	Authority server.Authority
	// Recorder keeps who exported what.
	Recorder audit.Recorder
	// Kin lists what belongs to an object as the hub says now. Nil: only the records
	// themselves say so.
	Kin func(ctx context.Context, subject index.Subject) []index.Subject
	// Kinds whose names and plurals a history may be asked by.
	Kinds []httpapi.Kind
	// Policy says how long records are kept. Default: retention's defaults.
	Policy retention.Policy
	// Crosscheck says how the audit logs of the API servers compare with evidence. Nil:
	// nobody compares them.
	Crosscheck func() []crosscheck.Status
	// Key signs exports, and PublicKey is its public half. Nil: nothing is exported.
	Key       Key
	PublicKey string
	// Log for what nobody waits for.
	Logger *slog.Logger
	// Background is the life of the server, for what goes on after the answer.
	// Default: context.Background.
	Background context.Context //nolint:containedctx // it is the server's, not a request's
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

type handlers struct {
	Deps
	rebuilding atomic.Bool
}

// Routes are the audit room's part of the API.
func Routes(deps Deps) []httpapi.Route {
	h := &handlers{Deps: deps}
	if h.Now == nil {
		h.Now = time.Now
	}
	if h.Policy.Terms == nil {
		h.Policy.Terms = retention.Defaults()
	}
	if h.Background == nil {
		h.Background = context.Background()
	}
	routes := []httpapi.Route{
		{Method: http.MethodGet, Pattern: "/api/v1/audit/records", Kind: "Record", Verb: "list", Handler: h.available(h.search),
			Doc: httpapi.Doc{Summary: "Searches evidence that you may read, newest first.", Query: searchDoc(true), Response: "audit.RecordList"}},
		{Method: http.MethodGet, Pattern: "/api/v1/audit/records/{index}", Kind: "Record", Verb: "get", Handler: h.available(h.get),
			Doc: httpapi.Doc{Summary: "Shows the act that a record of the log belongs to.", Response: "audit.Record"}},
		{Method: http.MethodGet, Pattern: "/api/v1/audit/receipts/{index}", Kind: "Record", Verb: "receipt", Handler: h.available(h.receipt),
			Doc: httpapi.Doc{Summary: "Proves that a record stands in the log, for whoever holds the public keys of the log and of the witness (C2SP tlog-proof).", Media: "text/plain"}},
		{Method: http.MethodGet, Pattern: "/api/v1/audit/history/{kind}/{name}", Kind: "Record", Verb: "history", Handler: h.available(h.history),
			Doc: httpapi.Doc{Summary: "Tells everything that happened to an object that lives in no namespace, in order.", Query: pageDoc, Response: "audit.RecordList"}},
		{Method: http.MethodGet, Pattern: "/api/v1/audit/history/{kind}/{namespace}/{name}", Kind: "Record", Verb: "historyIn", Handler: h.available(h.history),
			Doc: httpapi.Doc{Summary: "Tells everything that happened to an object and to what belongs to it, in order.", Query: pageDoc, Response: "audit.RecordList"}},
		{Method: http.MethodGet, Pattern: "/api/v1/audit/export", Kind: "Record", Verb: "export", Streams: true, Handler: h.available(h.export),
			Doc: httpapi.Doc{Summary: "Exports evidence with a signed statement, as two parts; that it was exported is recorded.",
				Query: append(searchDoc(false), httpapi.Parameter{Name: "format", Text: "How: " + strings.Join(export.Formats(), ", ") + ". Default: csv."}), Media: "multipart/mixed"}},
		{Method: http.MethodGet, Pattern: "/api/v1/audit/retention", Verb: "retention", Handler: h.available(h.retention),
			Doc: httpapi.Doc{Summary: "Says which years' logs are kept, until when, and why.", Response: "audit.Retention"}},
		{Method: http.MethodGet, Pattern: "/api/v1/audit/crosscheck", Verb: "crosscheck", Handler: h.available(h.crosscheck),
			Doc: httpapi.Doc{Summary: "Says how the audit logs of the hub and of each cluster compare with evidence.", Response: "audit.Crosscheck"}},
		{Method: http.MethodGet, Pattern: "/api/v1/audit/key", Verb: "key", Handler: h.key,
			Doc: httpapi.Doc{Summary: "Shows the public key of exports.", Media: "text/plain"}},
		{Method: http.MethodPost, Pattern: "/api/v1/audit/rebuild", Verb: "rebuild", Effect: httpapi.Writes, Handler: h.available(h.rebuild),
			Describe: func(*http.Request) (httpapi.Act, error) { return httpapi.Act{Subject: "Index/evidence"}, nil },
			Doc:      httpapi.Doc{Summary: "Makes the index anew from the log; searches find less until it has caught up.", Response: "audit.Rebuild"}},
	}
	for i := range routes {
		routes[i].Room = "audit"
		if routes[i].Effect == "" {
			routes[i].Effect = httpapi.Reads
		}
	}
	return routes
}

// available keeps a server without an index from answering.
func (h *handlers) available(next httpapi.Handler) httpapi.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if h.Index == nil || h.Log == nil || h.Authority == nil {
			return httpapi.NewProblem(httpapi.CodeUnavailable, "this server has no index of evidence")
		}
		return next(w, r)
	}
}

var pageDoc = []httpapi.Parameter{
	{Name: "limit", Text: "Most acts per page, up to 1000. Default: 100.", Schema: map[string]any{"type": "integer", "minimum": 1, "maximum": mostLimit}},
	{Name: "continue", Text: "Where the next page begins: metadata.continue of the one before."},
}

// searchDoc documents the parameters of a search.
func searchDoc(paged bool) []httpapi.Parameter {
	texts := map[string]string{
		"trace": "The request's trace id.", "ticket": "The ticket that was given.", "approval": "The approval that covered it, <namespace>/<name>.",
		"release": "The Release that it happened for, <namespace>/<name>.", "name": "The name of what was acted on.",
		"application": "The application that it was about, <namespace>/<name>.", "person": "The person id of who acted.",
		"address": "Where the request came from.", "namespace": "The namespace that it belongs to.", "cluster": "The cluster that was written to.",
		"verb": "What was done, such as release.step.", "result": "Done, Refused, Failed, Unknown, or Open where there is no outcome yet.",
		"kind": "The kind of what was acted on, such as release.", "environment": "The environment that was acted in.", "room": "The room, such as approval.",
		"class": "How long it is kept: system, login, change, approval or crosscheck.",
	}
	var doc []httpapi.Parameter
	for _, name := range index.Fields() {
		doc = append(doc, httpapi.Parameter{Name: name, Text: texts[name]})
	}
	moment := map[string]any{"type": "string", "format": "date-time"}
	doc = append(doc,
		httpapi.Parameter{Name: "text", Text: "Words that it speaks of, or their beginnings; in Chinese any characters in a row."},
		httpapi.Parameter{Name: "since", Text: "It began then or later, RFC 3339.", Schema: moment},
		httpapi.Parameter{Name: "until", Text: "It began before, RFC 3339.", Schema: moment},
		httpapi.Parameter{Name: "order", Text: "newest or oldest first. Default: newest; of exports oldest.", Schema: map[string]any{"type": "string", "enum": []any{"newest", "oldest"}}},
	)
	if paged {
		doc = append(doc, pageDoc...)
	}
	return doc
}

// Schemas are what the routes' documents name.
func Schemas() map[string]any {
	text := func(description string) map[string]any {
		return map[string]any{"type": "string", "description": description}
	}
	moment := func(description string) map[string]any {
		return map[string]any{"type": "string", "format": "date-time", "description": description}
	}
	whole := func(description string) map[string]any {
		return map[string]any{"type": "integer", "description": description}
	}
	record := map[string]any{
		"index": whole("Number of its intent in the log, from 0."), "outcomeIndex": whole("Number of its outcome; left out while there is none."),
		"source": text("Who numbered the intent."), "sequence": whole("The number it was given."),
		"time": moment("When it was about to begin."), "ended": moment("When its outcome was recorded."), "namespace": text("The namespace whose people may read it."),
		"verb": text("What was done, <room>.<act>."), "person": text("Person id of who acted, also behind controllers."), "subject": text("What was acted on, <Kind>/<namespace>/<name>."),
		"cluster": text("The cluster that was written to."), "environment": text("The environment that was acted in."), "from": text("Where the request came from."),
		"class": text("How long it is kept: system, login, change, approval or crosscheck."), "application": text("The application that it was about."),
		"release": text("The Release that it happened for."), "approval": text("The approval that covered it."), "verdict": text("The gate's reason."),
		"reason": text("The requester's reason."), "ticket": text("The requester's ticket."), "before": text("Digest of what was there."), "after": text("Digest of what came."),
		"details": map[string]any{"type": "array", "items": map[string]any{"type": "string"}, "description": "The single acts of a step."},
		"trace":   text("The request's trace id."), "result": text("Done, Refused, Failed, Unknown, or Open where there is no outcome yet."),
		"message": text("What went wrong, or what was done."), "says": text("All of it in a sentence."),
	}
	one := map[string]any{"type": "object", "required": []any{"index", "source", "sequence", "time", "verb", "person", "subject", "result", "says"}, "properties": record}
	return map[string]any{
		"audit.Record": one,
		"audit.RecordList": map[string]any{"type": "object", "required": []any{"items", "metadata"}, "properties": map[string]any{
			"items": map[string]any{"type": "array", "items": map[string]any{"$ref": "#/components/schemas/audit.Record"}},
			"metadata": map[string]any{"type": "object", "properties": map[string]any{
				"continue": text("Where the next page begins; left out on the last one."),
				"covers":   whole("How many records of the log the index has read."), "size": whole("How many there are."),
			}},
		}},
		"audit.Retention": map[string]any{"type": "object", "required": []any{"items"}, "properties": map[string]any{
			"terms": map[string]any{"type": "object", "additionalProperties": map[string]any{"type": "integer"}, "description": "Years that each class is kept, from the end of the year."},
			"holds": map[string]any{"type": "array", "items": map[string]any{"type": "object"}, "description": "Legal holds."},
			"items": map[string]any{"type": "array", "items": map[string]any{"type": "object", "required": []any{"year", "keptUntil", "may", "why"}, "properties": map[string]any{
				"year": whole("The year."), "classes": map[string]any{"type": "array", "items": map[string]any{"type": "string"}}, "keptUntil": moment("When its longest term ends."),
				"holds": map[string]any{"type": "array", "items": map[string]any{"type": "string"}}, "may": text("go, or not go."), "why": text("In a sentence."),
			}}},
		}},
		"audit.Crosscheck": map[string]any{"type": "object", "required": []any{"items"}, "properties": map[string]any{
			"items": map[string]any{"type": "array", "items": map[string]any{"type": "object", "required": []any{"cluster", "state", "message", "compared", "unaccounted"}, "properties": map[string]any{
				"cluster": text("The cluster, or hub."), "state": text("Audited, Unaudited, Unaccounted, Incomplete, ClockApart, Stale or Waiting."),
				"message": text("What that means, and what to do."), "since": moment("Since when its log is compared."), "newest": moment("Time of the newest line that was read."),
				"compared": whole("Writes that were compared."), "unaccounted": whole("Writes within 7 days that no record accounts for."),
				"found": map[string]any{"type": "array", "items": text("One of them."), "description": "The newest of them."},
			}}},
		}},
		"audit.Rebuild": map[string]any{"type": "object", "properties": map[string]any{"records": whole("How many records there are to read.")}},
	}
}
