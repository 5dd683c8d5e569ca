// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/placement/inventory"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
	"github.com/fairway-cloud/fairway/internal/server"
)

// mostInstances is the most instances of one page; inventory.MostBytes bounds it, too.
const mostInstances = 500

func (d *Desk) inventoryRoutes() []httpapi.Route {
	return []httpapi.Route{
		{Method: http.MethodGet, Pattern: "/api/v1/placement/inventory", Room: "placement", Verb: "inventory", Effect: httpapi.Reads, Handler: d.inventory,
			Doc: httpapi.Doc{
				Summary: "Lists instances seat by seat, on containers and on virtual machines, or what changed of them since a number of the sequence.", Response: "placement.Inventory",
				Query: []httpapi.Parameter{
					{Name: "since", Text: "Only what changed after this number of the sequence, what is gone included, in the order of the sequence. Default: what there is, in the order of names.", Schema: map[string]any{"type": "integer", "minimum": 0}},
					{Name: "epoch", Text: "The list that since is from. Where it was begun anew meanwhile, the answer is a conflict: list it all. Default: not asked."},
					{Name: "namespace", Text: "Only this namespace. Default: all that you may see."},
					{Name: "application", Text: "Only applications of this name. Default: all."},
					{Name: "component", Text: "Only components of this name. Default: all."},
					{Name: "dcn", Text: "Only this DCN. Default: all."},
					{Name: "limit", Text: "Most instances per page; a page has at most 200 KB. Default: 100.", Schema: map[string]any{"type": "integer", "minimum": 1, "maximum": mostInstances}},
					{Name: "continue", Text: "continue of the previous page."},
				},
			}},
		{Method: http.MethodPost, Pattern: "/api/v1/placement/inventory/replay", Room: "placement", Verb: "replayInventory", Effect: httpapi.Writes, BodyLimit: bodyLimit, Describe: describeReplay, Handler: d.replay,
			Doc: httpapi.Doc{Summary: "Has a receiver of the inventory, such as the CMDB, told anew what changed after a number of the sequence.", Request: "placement.Replay", Response: "placement.Replay"}},
	}
}

// Inventory is one page.
type Inventory struct {
	// Epoch names the list.
	Epoch string `json:"epoch"`
	// Sequence that whoever has read to the end asks from next time (since).
	Sequence int64 `json:"sequence"`
	// Continue is where the next page begins. Empty: this is the last one.
	Continue string `json:"continue"`
	// Items of the page.
	Items []inventory.Instance `json:"items"`
}

func (d *Desk) inventory(w http.ResponseWriter, r *http.Request) error {
	if d == nil || d.Inventory == nil {
		return httpapi.NewProblem(httpapi.CodeUnavailable, "could not read the inventory now")
	}
	values := r.URL.Query()
	if err := known(values, "since", "epoch", "namespace", "application", "component", "dcn", "limit", "continue"); err != nil {
		return err
	}
	q := inventory.Query{Application: values.Get("application"), Component: values.Get("component"), DCN: values.Get("dcn"), Limit: 100}
	if given := values.Get("limit"); given != "" {
		var err error
		if q.Limit, err = strconv.Atoi(given); err != nil || q.Limit < 1 || q.Limit > mostInstances {
			return httpapi.NewProblem(httpapi.CodeBadRequest, "could not read limit: it is a number from 1 to %d", mostInstances)
		}
	}
	if given := values.Get("epoch"); given != "" && given != d.Inventory.Epoch() {
		return httpapi.NewProblem(httpapi.CodeConflict, "could not go on: the inventory was begun anew").WithNext("Forget what is known, list it all, and go on from there.")
	}
	var err error
	if q.Namespaces, err = d.mayList(r, values.Get("namespace")); err != nil {
		return err
	}
	// How far the list is, before it is read: what is written meanwhile comes next time.
	head, err := d.Inventory.Head(r.Context())
	if err != nil {
		return unavailable(err)
	}
	if values.Has("since") {
		return d.changes(w, r, q, head)
	}
	return d.listed(w, r, q, head)
}

// changes answers what changed since a number of the sequence.
func (d *Desk) changes(w http.ResponseWriter, r *http.Request, q inventory.Query, head int64) error {
	values := r.URL.Query()
	since, err := sequence(values, "since")
	if err != nil {
		return err
	}
	if values.Has("continue") {
		if since, err = sequence(values, "continue"); err != nil {
			return err
		}
	}
	if since > head {
		return httpapi.NewProblem(httpapi.CodeConflict, "could not go on: the sequence ends at %d, and what came after %d was asked for", head, since).
			WithNext("Name the epoch that the number is from: the inventory may have been begun anew, or restored.")
	}
	found, more, err := d.Inventory.Changes(r.Context(), q, since)
	if err != nil {
		return unavailable(err)
	}
	page := Inventory{Epoch: d.Inventory.Epoch(), Sequence: head, Items: nonNil(found)}
	if n := len(found); n > 0 {
		page.Sequence = max(head, found[n-1].Sequence)
		if more {
			page.Sequence = found[n-1].Sequence
			page.Continue = strconv.FormatInt(page.Sequence, 10)
		}
	}
	return httpapi.WriteJSON(w, http.StatusOK, page)
}

func sequence(values url.Values, name string) (int64, error) {
	n, err := strconv.ParseInt(values.Get(name), 10, 64)
	if err != nil || n < 0 {
		return 0, httpapi.NewProblem(httpapi.CodeBadRequest, "could not read %s: it is a number from 0 on", name)
	}
	return n, nil
}

// listed answers what there is.
func (d *Desk) listed(w http.ResponseWriter, r *http.Request, q inventory.Query, head int64) error {
	if text := r.URL.Query().Get("continue"); text != "" {
		var err error
		if q.After, head, err = readPlace(text); err != nil {
			return err
		}
	}
	found, more, err := d.Inventory.List(r.Context(), q)
	if err != nil {
		return unavailable(err)
	}
	page := Inventory{Epoch: d.Inventory.Epoch(), Sequence: head, Items: nonNil(found)}
	if more {
		page.Continue = place(found[len(found)-1].Position(), head)
	}
	return httpapi.WriteJSON(w, http.StatusOK, page)
}

func nonNil(found []inventory.Instance) []inventory.Instance {
	return append([]inventory.Instance{}, found...)
}

// place is where a page ended, and how far the list was when the first one began: whoever
// has read all pages asks for changes from there.
func place(p inventory.Position, head int64) string {
	return strings.Join([]string{p.Namespace, p.Application, p.Component, strconv.Itoa(int(p.Number)), strconv.FormatInt(head, 10)}, "/")
}

func readPlace(text string) (p inventory.Position, head int64, err error) {
	parts := strings.Split(text, "/")
	if len(parts) == 5 {
		number, bad := strconv.ParseInt(parts[3], 10, 32)
		if head, err = strconv.ParseInt(parts[4], 10, 64); err == nil && bad == nil && parts[0] != "" {
			return inventory.Position{Namespace: parts[0], Application: parts[1], Component: parts[2], Number: int32(number)}, head, nil
		}
	}
	return p, 0, httpapi.NewProblem(httpapi.CodeBadRequest, "could not read continue: pass on what the previous page said")
}

// mayList are the namespaces of which the person may list Placements; nil: all.
func (d *Desk) mayList(r *http.Request, namespace string) ([]string, error) {
	person, _ := identity.FromContext(r.Context())
	may := func(namespace string) (bool, error) {
		return d.Authority.May(r.Context(), person, server.Question{Verb: "list", Group: placementv1.GroupVersion.Group, Resource: "placements", Namespace: namespace})
	}
	if namespace == "" {
		all, err := may("")
		if err != nil {
			return nil, unavailable(err)
		}
		if all {
			return nil, nil
		}
	}
	candidates := []string{namespace}
	if namespace == "" {
		var err error
		if candidates, err = d.Inventory.Namespaces(r.Context()); err != nil {
			return nil, unavailable(err)
		}
	}
	allowed := []string{}
	for _, n := range candidates {
		shown, err := may(n)
		if err != nil {
			return nil, unavailable(err)
		}
		if shown {
			allowed = append(allowed, n)
		}
	}
	return allowed, nil
}

// Replay names a receiver, and after which number it is told anew.
type Replay struct {
	Receiver string `json:"receiver"`
	After    int64  `json:"after"`
}

// describeReplay says for Gate and evidence what is to be told anew.
func describeReplay(r *http.Request) (httpapi.Act, error) {
	asked := Replay{}
	if json.Unmarshal(httpapi.Body(r), &asked) != nil {
		return httpapi.Act{Subject: "Inventory"}, nil // it is refused, and recorded, when it is taken
	}
	return httpapi.Act{Subject: "Inventory/" + asked.Receiver, Reason: "told anew after " + strconv.FormatInt(asked.After, 10)}, nil
}

func (d *Desk) replay(w http.ResponseWriter, r *http.Request) error {
	if d == nil || d.Authority == nil {
		return httpapi.NewProblem(httpapi.CodeUnavailable, "could not have anybody told anew now")
	}
	person, _ := identity.FromContext(r.Context())
	may, err := d.Authority.May(r.Context(), person, server.Question{Verb: "replay", Group: placementv1.GroupVersion.Group, Resource: "inventory"})
	if err != nil {
		return unavailable(err)
	}
	if !may {
		return httpapi.NewProblem(httpapi.CodeDenied, "could not have a receiver told anew: a system administrator does it")
	}
	var asked Replay
	if err := httpapi.Strict(r, &asked); err != nil {
		return err
	}
	if asked.After < 0 || asked.Receiver == "" {
		return httpapi.NewProblem(httpapi.CodeInvalid, "could not read what is asked: name the receiver, and after which number, from 0 on")
	}
	if d.Replay == nil {
		return httpapi.NewProblem(httpapi.CodeNotFound, "could not find receiver %q: none is configured", asked.Receiver).WithNext("Start the server with --cmdb-config; see docs/howto/connect-cmdb.md.")
	}
	if err := d.Replay(r.Context(), asked.Receiver, asked.After); err != nil {
		if errors.Is(err, inventory.ErrNoReceiver) {
			return httpapi.NewProblem(httpapi.CodeNotFound, "could not find receiver %q: the configuration names none of that name", asked.Receiver)
		}
		return unavailable(err)
	}
	return httpapi.WriteJSON(w, http.StatusOK, asked)
}

// Replayer has a receiver told anew.
type Replayer func(ctx context.Context, receiver string, after int64) error

// inventorySchemas say what these routes answer, and what receivers are sent.
func inventorySchemas() map[string]any {
	text := func(description string) map[string]any {
		return map[string]any{"type": "string", "description": description}
	}
	number := func(description string) map[string]any {
		return map[string]any{"type": "integer", "minimum": 0, "description": description}
	}
	enum := func(description string, values ...any) map[string]any {
		return map[string]any{"type": "string", "enum": values, "description": description}
	}
	at := func(description string) map[string]any {
		return map[string]any{"type": "string", "format": "date-time", "description": description}
	}
	instances := map[string]any{"type": "array", "maxItems": mostInstances, "items": map[string]any{"$ref": "#/components/schemas/placement.InventoryInstance"}}
	return map[string]any{
		"placement.InventoryInstance": map[string]any{
			"type": "object", "additionalProperties": false, "description": "One seat of an application.",
			"required": []any{"namespace", "tenant", "environment", "system", "code", "application", "component", "seat", "on", "hosts", "state", "dcn", "dataCenter", "rack", "since", "changedAt", "sequence"},
			"properties": map[string]any{
				"namespace": text("Namespace on the hub, <tenant>-<environment>."), "tenant": text("Tenant."), "environment": text("Environment."),
				"system": text("The application system's code in the CMDB (spec.identity.system)."), "code": text("The application's own number in the CMDB (spec.identity.code)."),
				"application": text("Application."), "component": text("Component."), "seat": text("<component>-<number>: the instance's name for good."),
				"on": enum("What it runs on.", "Container", "VirtualMachine"), "hosts": enum("Whether its hosts are real.", "Real", "Simulated"),
				"state": enum("Reserved: nothing has been seen on the seat yet. Running: an instance has. Gone: the seat is no instance's any more.", "Reserved", "Running", "Gone"),
				"dcn":   text("DCN that it serves."), "dataCenter": text("Data centre."), "rack": text("Rack."),
				"cluster": text("Member cluster. Left out: a virtual machine."), "pool": text("Pool."), "zone": text("Network zone."),
				"host": text("Host that it was last seen on. Left out: never."), "address": text("Address that it last had. Left out: never one."),
				"revision": text("Revision that it was last seen to run, or is to run."), "placement": text("Placement that gave the seat away."), "release": text("Release that the Placement was made for."),
				"source": text("Who told of the virtual machine."), "since": at("When the seat came to be in the list."), "changedAt": at("When it last changed."),
				"sequence": number("Number of its last change. Of two that name one seat the higher is true."),
			},
		},
		"placement.Inventory": map[string]any{"type": "object", "required": []any{"epoch", "sequence", "continue", "items"}, "properties": map[string]any{
			"epoch": text("Names the list: with another one than before, forget what is known."), "sequence": number("Pass it as since next time, once the last page was read."),
			"continue": text("Where the next page begins. Empty: this is the last one."), "items": instances,
		}},
		"placement.InventoryMessage": map[string]any{
			"type": "object", "additionalProperties": false, "description": "What a receiver, such as the CMDB, is sent. Signed as docs/howto/connect-cmdb.md says.",
			"required": []any{"version", "receiver", "id", "epoch", "namespace", "application", "after", "through", "instances"},
			"properties": map[string]any{
				"version": map[string]any{"type": "integer", "enum": []any{1}, "description": "Of the protocol."}, "receiver": text("Whom it is for, as the server's configuration names it."),
				"id": text("The message's own through all repetitions; the header Idempotency-Key has it, too."), "epoch": text("Names the list: with another one than before, forget what is known."),
				"namespace": text("Namespace of the application."), "application": text("Application that it is about."),
				"after": number("What through was in the application's message before. Higher than what is known: ask for what is missing."), "through": number("How far this one goes."),
				"instances": instances,
			},
		},
		"placement.Replay": map[string]any{"type": "object", "additionalProperties": false, "required": []any{"receiver", "after"}, "properties": map[string]any{
			"receiver": text("Receiver, as the server's configuration names it."), "after": number("Number of the sequence; 0: everything."),
		}},
	}
}
