// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
)

// Bounds of a body. etcd takes 1.5 MiB; an object of ours is far smaller.
const (
	objectLimit = 1 << 20
)

// kindRoutes are the routes of one kind: the generic handlers.
func (s *Server) kindRoutes(k httpapi.Kind) []httpapi.Route {
	h := kindHandlers{server: s, kind: k}
	base := "/api/v1/" + k.Room + "/" + k.Plural
	one := base + "/{name}"
	if k.Namespaced {
		one = base + "/{namespace}/{name}"
	}
	name := k.SchemaName()
	routes := []httpapi.Route{
		{Method: http.MethodGet, Pattern: base, Verb: "list", Effect: httpapi.Reads, Handler: h.list,
			Doc: httpapi.Doc{Summary: "Lists " + k.Plural + " that you may see.", Query: listDoc(k), Response: name + "List"}},
		{Method: http.MethodGet, Pattern: one, Verb: "get", Effect: httpapi.Reads, Handler: h.get,
			Doc: httpapi.Doc{Summary: "Reads one " + k.Singular + ". The ETag is what If-Match of an update takes.", Response: name}},
	}
	if k.Namespaced {
		routes = append(routes, httpapi.Route{Method: http.MethodGet, Pattern: base + "/{namespace}", Verb: "listIn", Effect: httpapi.Reads, Handler: h.list,
			Doc: httpapi.Doc{Summary: "Lists " + k.Plural + " of one namespace.", Query: listDoc(k), Response: name + "List"}})
	}
	if k.Written == httpapi.People {
		routes = append(routes, h.writeRoutes(base, one, name)...)
	}
	for i := range routes {
		routes[i].Room, routes[i].Kind = k.Room, k.Kind
	}
	return routes
}

func (h kindHandlers) writeRoutes(base, one, name string) []httpapi.Route {
	k := h.kind
	routes := []httpapi.Route{
		{Method: http.MethodPost, Pattern: base, Verb: "create", Handler: h.create,
			Doc: httpapi.Doc{Summary: "Makes a " + k.Singular + ".", Query: writeDoc, Request: name, Response: name}},
		{Method: http.MethodPut, Pattern: one, Verb: "update", Handler: h.update,
			Doc: httpapi.Doc{Summary: "Replaces a " + k.Singular + ". If-Match names the version that was read.", Query: writeDoc, Request: name, Response: name}},
		{Method: http.MethodPatch, Pattern: one, Verb: "apply", Handler: h.apply,
			Doc: httpapi.Doc{Summary: "Applies a " + k.Singular + " (server-side apply): makes it, or changes the fields that are given.", Query: applyDoc, Request: name, Response: name}},
		{Method: http.MethodDelete, Pattern: one, Verb: "delete", Handler: h.remove,
			Doc: httpapi.Doc{Summary: "Deletes a " + k.Singular + ". Nothing that runs is deleted with it.", Query: writeDoc[:1]}},
	}
	if k.Namespaced {
		routes = append(routes, httpapi.Route{Method: http.MethodPost, Pattern: base + "/{namespace}", Verb: "createIn", Handler: h.create,
			Doc: httpapi.Doc{Summary: "Makes a " + k.Singular + " in the namespace.", Query: writeDoc, Request: name, Response: name}})
	}
	for i := range routes {
		routes[i].Effect, routes[i].DryRun, routes[i].Describe = httpapi.Writes, true, h.describe
		if routes[i].Method != http.MethodDelete {
			routes[i].BodyLimit = objectLimit
		}
	}
	return routes
}

func listDoc(k httpapi.Kind) []httpapi.Parameter {
	doc := []httpapi.Parameter{
		{Name: "limit", Text: "Most objects per page. Default: 100.", Schema: map[string]any{"type": "integer", "minimum": 1, "maximum": mostLimit}},
		{Name: "continue", Text: "metadata.continue of the previous page."},
		{Name: "labelSelector", Text: "Only objects with these labels, as Kubernetes writes them: a=b,c!=d,e in (f,g)."},
		{Name: "fieldSelector", Text: "Only objects with these values: spec.application=pay,status.conditions.Ready.status!=True."},
		{Name: "sort", Text: "Fields to sort by, the first one first; a minus sign turns the order round. Default: namespace and name."},
	}
	if k.Namespaced {
		doc = append(doc, httpapi.Parameter{Name: "namespace", Text: "Only objects of this namespace."})
	}
	return doc
}

var writeDoc = []httpapi.Parameter{
	{Name: "dryRun", Text: "All: check everything, change nothing.", Schema: map[string]any{"type": "string", "enum": []any{"All"}}},
	{Name: "fieldManager", Text: "Who manages the fields that are set. Default: fairway-api."},
}

var applyDoc = append(writeDoc[:2:2], httpapi.Parameter{
	Name: "force", Text: "true: take fields over that another manager set. Default: false.", Schema: map[string]any{"type": "boolean"},
})

type kindHandlers struct {
	server *Server
	kind   httpapi.Kind
}

func (h kindHandlers) subject(namespace, name string) string {
	if h.kind.Namespaced {
		return fmt.Sprintf("%s %q in %q", h.kind.Singular, name, namespace)
	}
	return fmt.Sprintf("%s %q", h.kind.Singular, name)
}

func (h kindHandlers) question(verb, namespace, name string) Question {
	return Question{Verb: verb, Group: h.kind.Group, Resource: h.kind.Plural, Namespace: namespace, Name: name}
}

func who(r *http.Request) identity.Person {
	person, _ := identity.FromContext(r.Context())
	return person
}

// list answers from the server's cache what the person may list on the hub.
func (h kindHandlers) list(w http.ResponseWriter, r *http.Request) error {
	values := r.URL.Query()
	if namespace := r.PathValue("namespace"); namespace != "" {
		if values.Has("namespace") {
			return badQuery("namespace", "the path names the namespace already")
		}
		values.Set("namespace", namespace)
	}
	q, err := parseQuery(values)
	if err != nil {
		return err
	}
	objects, err := h.visible(r.Context(), who(r), q.namespace)
	if err != nil {
		return err
	}
	items, next, remaining := page(objects, q)
	return writeList(w, h.kind.APIVersion(), h.kind.Kind, items, next, remaining)
}

// visible returns the objects that the person may list.
func (h kindHandlers) visible(ctx context.Context, person identity.Person, namespace string) ([]map[string]any, error) {
	found := &unstructured.UnstructuredList{}
	gvk := h.kind.GVK()
	gvk.Kind += "List"
	found.SetGroupVersionKind(gvk)
	if namespace != "" && h.kind.Namespaced {
		allowed, err := h.server.authority.May(ctx, person, h.question("list", namespace, ""))
		if err != nil || !allowed {
			return nil, err
		}
	}
	var opts []client.ListOption
	if namespace != "" {
		opts = append(opts, client.InNamespace(namespace))
	}
	lister := h.server.lister
	if h.kind.Large {
		lister = h.server.config.Direct
	}
	if err := lister.List(ctx, found, opts...); err != nil {
		return nil, httpapi.NewProblem(httpapi.CodeUnavailable, "could not list %s now", h.kind.Plural).Because(err)
	}
	sees, err := scopeOf(ctx, h.server.authority, person, h.question("list", namespace, ""))
	if err != nil {
		return nil, err
	}
	objects := make([]map[string]any, 0, len(found.Items))
	for i := range found.Items {
		item := found.Items[i].Object
		if h.kind.Namespaced {
			if shown, err := sees.sees(found.Items[i].GetNamespace()); err != nil || !shown {
				if err != nil {
					return nil, err
				}
				continue
			}
		} else if !sees.all {
			continue
		}
		objects = append(objects, withoutManagers(item))
	}
	return objects, nil
}

// withoutManagers returns the object without managedFields, which fill pages and
// tell a reader nothing. The object itself may be the cache's and stays as it is.
func withoutManagers(object map[string]any) map[string]any {
	meta, ok := object["metadata"].(map[string]any)
	if !ok || meta["managedFields"] == nil {
		return object
	}
	slim := make(map[string]any, len(object))
	for k, v := range object {
		slim[k] = v
	}
	fields := make(map[string]any, len(meta))
	for k, v := range meta {
		if k != "managedFields" {
			fields[k] = v
		}
	}
	slim["metadata"] = fields
	return slim
}

func writeList(w http.ResponseWriter, apiVersion, kind string, items []map[string]any, next string, remaining int) error {
	meta := map[string]any{}
	if next != "" {
		meta["continue"], meta["remainingItemCount"] = next, remaining
	}
	if items == nil {
		items = []map[string]any{}
	}
	return httpapi.WriteJSON(w, http.StatusOK, map[string]any{
		"apiVersion": apiVersion, "kind": kind + "List", "metadata": meta, "items": items,
	})
}

// get reads from the hub itself, so that what was just written is seen.
func (h kindHandlers) get(w http.ResponseWriter, r *http.Request) error {
	if err := noQuery(r); err != nil {
		return err
	}
	namespace, name := r.PathValue("namespace"), r.PathValue("name")
	answer, err := h.read(r.Context(), who(r), namespace, name)
	if err != nil {
		return err
	}
	return relay(w, http.StatusOK, answer)
}

func noQuery(r *http.Request, allowed ...string) error {
next:
	for name := range r.URL.Query() {
		for _, a := range allowed {
			if a == name {
				continue next
			}
		}
		return badQuery(name, "no such parameter")
	}
	return nil
}

func (h kindHandlers) read(ctx context.Context, person identity.Person, namespace, name string) (Answer, error) {
	subject := h.subject(namespace, name)
	answer, err := h.server.hub.Do(ctx, person, Call{
		Method: http.MethodGet, Path: objectPath(h.kind, namespace, name), Subject: subject,
	})
	if err != nil && answer.Code == http.StatusForbidden {
		return answer, httpapi.Missing(subject)
	}
	return answer, err
}

// relay passes the hub's object on, with its version as ETag.
func relay(w http.ResponseWriter, status int, answer Answer) error {
	object, err := decode(answer.Body)
	if err != nil {
		return httpapi.NewProblem(httpapi.CodeUnavailable, "the hub's answer cannot be read").Because(err)
	}
	object = withoutManagers(object)
	if version := text(lookup(object, []string{"metadata", "resourceVersion"})); version != "" {
		w.Header().Set("ETag", `"`+version+`"`)
	}
	for _, warning := range answer.Warnings {
		w.Header().Add("Warning", warning)
	}
	return httpapi.WriteJSON(w, status, object)
}

// hidden answers for a refused write: who may not even see the object learns
// nothing of it.
func (h kindHandlers) hidden(ctx context.Context, person identity.Person, namespace, name string, answer Answer, err error) error {
	if answer.Code != http.StatusForbidden || name == "" {
		return err
	}
	if allowed, mayErr := h.server.authority.May(ctx, person, h.question("get", namespace, name)); mayErr != nil || !allowed {
		return httpapi.Missing(h.subject(namespace, name))
	}
	return err
}

func (s *Server) kind(name string) (httpapi.Kind, bool) {
	for _, k := range s.kinds {
		if k.Kind == name {
			return k, true
		}
	}
	return httpapi.Kind{}, false
}

// environmentOf takes the environment out of a hub namespace "<tenant>-<environment>".
func environmentOf(namespace string) string {
	i := strings.LastIndexByte(namespace, '-')
	if i < 0 {
		return ""
	}
	return namespace[i+1:]
}

// writeQuery checks the parameters of a write and builds those of the hub's call.
// Strictness is forced: unknown fields are refused, never dropped.
func writeQuery(r *http.Request, allowed ...string) (url.Values, error) {
	if err := noQuery(r, append(allowed, "dryRun", "fieldManager")...); err != nil {
		return nil, err
	}
	given := r.URL.Query()
	manager := given.Get("fieldManager")
	if manager == "" {
		manager = "fairway-api"
	}
	if len(manager) > 64 || strings.HasPrefix(manager, "fairway-controller") {
		return nil, badQuery("fieldManager", "at most 64 characters, and not one of Fairway's own")
	}
	query := url.Values{"fieldValidation": {"Strict"}, "fieldManager": {manager}}
	if given.Has("dryRun") {
		query.Set("dryRun", "All")
	}
	return query, nil
}
