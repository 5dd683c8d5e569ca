// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package httpapi

import (
	"net/http"
	"strings"

	"github.com/fairway-cloud/fairway/internal/audit"
)

// Effect says whether a route changes anything.
type Effect string

const (
	// Reads changes nothing. POST routes that only compute are Reads too.
	Reads Effect = "reads"
	// Writes changes something. The chain asks the Gate before it and records an
	// intent before and an outcome after it.
	Writes Effect = "writes"
)

// Handler answers a request. An error becomes a problem; the handler has then
// written nothing.
type Handler func(w http.ResponseWriter, r *http.Request) error

// Act is what a writing request is about to do, for the Gate and the evidence.
type Act struct {
	// Verb, where what is done has a word of its own. Default: "<room>.<verb>" of the
	// route.
	Verb string
	// Subject is the object acted on, "<Kind>/<namespace>/<name>".
	Subject string
	// Application that the act is about, "<namespace>/<name>", where the subject is
	// something else, such as a Release.
	Application string
	// Release on whose behalf it is, "<namespace>/<name>". Empty: none.
	Release string
	// Environment that is acted in. Empty: none.
	Environment string
	// WayBack says that this request, of a route that takes others too, asks for the
	// way back, and so is not refused because the Gate or the evidence is away.
	WayBack bool
	// Reason and Ticket are the requester's, where the request names them.
	Reason, Ticket string
	// Secret says that the body is secret: not even its digest is recorded.
	Secret bool
	// Class of the record. Empty: audit.ClassSystem.
	Class audit.Class
}

// Route is one row of the API. The table of all routes is the whole API: the
// router, the OpenAPI document and the test of authority are made from it.
type Route struct {
	// Method and Pattern as net/http's ServeMux takes them.
	Method, Pattern string
	// Room that the route belongs to, one of the words of the architecture.
	Room string
	// Verb is the act within the room; "<room>.<verb>" is what evidence calls it.
	Verb string
	// Kind that the route is about. Empty: none.
	Kind string
	// Effect says whether anything is changed.
	Effect Effect
	// Open routes answer anybody. Only the probes are open, and the list of the ways
	// to log in.
	Open bool
	// Login routes let people in: nobody is known yet, so that they take little, are
	// counted by address, and keep the evidence themselves. They pass no Gate.
	Login bool
	// WayBack marks what must work even when the Gate or the evidence is away:
	// stop, pause, drain, rollback (architecture, section 3).
	WayBack bool
	// DryRun says that with dryRun=All the route changes nothing, so that it
	// needs neither Gate nor evidence then.
	DryRun bool
	// BodyLimit is the most bytes of body that are read. 0: the route takes none.
	BodyLimit int64
	// Streams says that the answer goes on for as long as the client listens.
	Streams bool
	// Hub marks the proxy, which passes many methods to the hub.
	Hub bool
	// Describe says what a writing request is about to do. The body has been read.
	Describe func(r *http.Request) (Act, error)
	// Handler answers.
	Handler Handler
	// Doc is what the OpenAPI document says.
	Doc Doc
}

// Doc is a route's part of the OpenAPI document.
type Doc struct {
	// Summary is one line.
	Summary string
	// Query lists the query parameters.
	Query []Parameter
	// Request and Response name schemas among the components, such as
	// "app.Application". Empty: none.
	Request, Response string
	// Media is the answer's type. Default: application/json.
	Media string
}

// Parameter is one query parameter.
type Parameter struct {
	// Name in the query.
	Name string
	// Text says what it does, with unit and default.
	Text string
	// Schema of its value. Default: a string.
	Schema map[string]any
}

// ID names the route in the document and in tests.
func (r Route) ID() string {
	id := r.Room + "." + r.Verb
	if r.Kind != "" {
		id = r.Room + "." + lowerFirst(r.Kind) + "." + r.Verb
	}
	return id
}

func lowerFirst(s string) string {
	if s == "" || strings.ToUpper(s) == s {
		return strings.ToLower(s)
	}
	return strings.ToLower(s[:1]) + s[1:]
}
