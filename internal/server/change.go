// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
)

// mostDepth is how deep a body may nest.
const mostDepth = 64

// readObject reads the body of a write and holds it to its path: the kind, the
// namespace and the name must be those that the path says.
func (h kindHandlers) readObject(r *http.Request, media ...string) (map[string]any, error) {
	if err := contentType(r, media...); err != nil {
		return nil, err
	}
	object, err := strictObject(httpapi.Body(r))
	if err != nil {
		return nil, err
	}
	k := h.kind
	if err := agree(object, "apiVersion", k.APIVersion(), "apiVersion"); err != nil {
		return nil, err
	}
	if err := agree(object, "kind", k.Kind, "kind"); err != nil {
		return nil, err
	}
	meta, ok := object["metadata"].(map[string]any)
	if !ok {
		if object["metadata"] != nil {
			return nil, invalid("metadata", "must be an object")
		}
		meta = map[string]any{}
		object["metadata"] = meta
	}
	if name := r.PathValue("name"); name != "" {
		if err := agree(meta, "name", name, "metadata.name"); err != nil {
			return nil, err
		}
	}
	if k.Namespaced {
		namespace := r.PathValue("namespace")
		if namespace == "" {
			namespace, _ = meta["namespace"].(string)
		}
		if namespace == "" {
			return nil, invalid("metadata.namespace", "must name the namespace, <tenant>-<environment>")
		}
		if err := agree(meta, "namespace", namespace, "metadata.namespace"); err != nil {
			return nil, err
		}
	} else if meta["namespace"] != nil && meta["namespace"] != "" {
		return nil, invalid("metadata.namespace", "must be left out: a %s belongs to no namespace", k.Singular)
	}
	delete(meta, "managedFields")
	return object, nil
}

func invalid(field, format string, args ...any) *httpapi.Problem {
	message := fmt.Sprintf(format, args...)
	return httpapi.NewProblem(httpapi.CodeInvalid, "could not accept the body: %s %s", field, message).
		WithCauses(httpapi.Cause{Field: field, Reason: "FieldValueInvalid", Message: message})
}

// agree fills in a field that is left out and refuses one that says something else.
func agree(in map[string]any, key, want, field string) error {
	switch got := in[key].(type) {
	case nil:
		in[key] = want
		return nil
	case string:
		if got == want {
			return nil
		}
		return invalid(field, "is %q, the path says %q", got, want)
	default:
		return invalid(field, "must be text")
	}
}

func contentType(r *http.Request, allowed ...string) error {
	given, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err == nil {
		for _, a := range allowed {
			if a == given {
				return nil
			}
		}
	}
	return httpapi.NewProblem(httpapi.CodeUnsupportedMedia, "could not read a body of type %q", r.Header.Get("Content-Type")).
		WithNext("Send %s.", strings.Join(allowed, " or "))
}

// strictObject reads one JSON object. Duplicate names, deep nesting and anything
// after the object are refused: two parsers must never read two things.
func strictObject(raw []byte) (map[string]any, error) {
	if len(bytes.TrimSpace(raw)) == 0 {
		return nil, httpapi.NewProblem(httpapi.CodeBadRequest, "could not read the body: it is empty")
	}
	if err := wellFormed(raw); err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	object := map[string]any{}
	if err := decoder.Decode(&object); err != nil {
		return nil, httpapi.NewProblem(httpapi.CodeBadRequest, "could not read the body as one JSON object: %v", err)
	}
	return object, nil
}

// wellFormed walks the tokens of a JSON text.
func wellFormed(raw []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	type level struct {
		object bool
		names  map[string]bool
		wait   bool // a value comes next
	}
	var open []level
	for {
		token, err := decoder.Token()
		if err == io.EOF && len(open) == 0 {
			return nil
		}
		if err != nil {
			return httpapi.NewProblem(httpapi.CodeBadRequest, "could not read the body as JSON: %v", err)
		}
		delim, isDelim := token.(json.Delim)
		if n := len(open); n > 0 && open[n-1].object && !open[n-1].wait && (!isDelim || delim != '}') {
			name, _ := token.(string)
			if open[n-1].names[name] {
				return invalid(name, "is given twice")
			}
			open[n-1].names[name], open[n-1].wait = true, true
			continue
		}
		if n := len(open); n > 0 {
			open[n-1].wait = false
		}
		switch {
		case isDelim && (delim == '{' || delim == '['):
			if len(open) >= mostDepth {
				return httpapi.NewProblem(httpapi.CodeBadRequest, "could not read the body: it nests deeper than %d", mostDepth)
			}
			open = append(open, level{object: delim == '{', names: map[string]bool{}})
		case isDelim:
			open = open[:len(open)-1]
		}
		if len(open) == 0 && decoder.More() {
			return httpapi.NewProblem(httpapi.CodeBadRequest, "could not read the body: something follows the object")
		}
	}
}

func (h kindHandlers) create(w http.ResponseWriter, r *http.Request) error {
	query, err := writeQuery(r)
	if err != nil {
		return err
	}
	object, err := h.readObject(r, "application/json")
	if err != nil {
		return err
	}
	if err := h.server.stamp(h.kind, object, r); err != nil {
		return err
	}
	if err := unproven(h.kind.Kind, object); err != nil {
		return err
	}
	if before := h.server.config.Before; before != nil {
		if err := before(r.Context(), h.kind.Kind, object); err != nil {
			return err
		}
	}
	if err := h.server.prove(r, h.kind.Kind, object); err != nil {
		return err
	}
	namespace, name := text(lookup(object, []string{"metadata", "namespace"})), text(lookup(object, []string{"metadata", "name"}))
	body, err := json.Marshal(object)
	if err != nil {
		return fmt.Errorf("could not write the object: %w", err)
	}
	answer, err := h.server.hub.Do(r.Context(), who(r), Call{
		Method: http.MethodPost, Path: objectPath(h.kind, namespace, ""), Query: query, Media: "application/json", Body: body,
		Subject: h.subject(namespace, name),
	})
	if err != nil {
		return h.hidden(r.Context(), who(r), namespace, name, answer, err)
	}
	if !query.Has("dryRun") {
		made, err := decode(answer.Body)
		if err == nil {
			name = text(lookup(made, []string{"metadata", "name"}))
		}
		w.Header().Set("Location", locationOf(h.kind, namespace, name))
	}
	return relay(w, http.StatusCreated, answer)
}

func locationOf(k httpapi.Kind, namespace, name string) string {
	path := "/api/v1/" + k.Room + "/" + k.Plural
	if k.Namespaced {
		path += "/" + url.PathEscape(namespace)
	}
	return path + "/" + url.PathEscape(name)
}

func (h kindHandlers) update(w http.ResponseWriter, r *http.Request) error {
	query, err := writeQuery(r)
	if err != nil {
		return err
	}
	version, err := ifMatch(r, true)
	if err != nil {
		return err
	}
	object, err := h.readObject(r, "application/json")
	if err != nil {
		return err
	}
	meta := object["metadata"].(map[string]any) //nolint:forcetypeassert // readObject made it so
	if err := agree(meta, "resourceVersion", version, "metadata.resourceVersion"); err != nil {
		return err
	}
	return h.send(w, r, Call{Method: http.MethodPut, Query: query, Media: "application/json"}, object)
}

func (h kindHandlers) apply(w http.ResponseWriter, r *http.Request) error {
	query, err := writeQuery(r, "force")
	if err != nil {
		return err
	}
	switch force := r.URL.Query().Get("force"); force {
	case "", "false":
	case "true":
		query.Set("force", "true")
	default:
		return badQuery("force", "true or false")
	}
	object, err := h.readObject(r, "application/apply-patch+yaml", "application/json")
	if err != nil {
		return err
	}
	if err := h.server.stamp(h.kind, object, r); err != nil {
		return err
	}
	if isProven(h.kind.Kind) {
		if err := h.server.appliedSaid(r, h.kind, object, object["spec"].(map[string]any)); err != nil { //nolint:forcetypeassert // stamp needs it
			return err
		}
	}
	if version, err := ifMatch(r, false); err != nil {
		return err
	} else if version != "" {
		object["metadata"].(map[string]any)["resourceVersion"] = version //nolint:forcetypeassert // readObject made it so
	}
	delete(object, "status")
	return h.send(w, r, Call{Method: http.MethodPatch, Query: query, Media: "application/apply-patch+yaml"}, object)
}

func (h kindHandlers) send(w http.ResponseWriter, r *http.Request, call Call, object map[string]any) error {
	namespace, name := r.PathValue("namespace"), r.PathValue("name")
	body, err := json.Marshal(object)
	if err != nil {
		return fmt.Errorf("could not write the object: %w", err)
	}
	call.Path, call.Body, call.Subject = objectPath(h.kind, namespace, name), body, h.subject(namespace, name)
	answer, err := h.server.hub.Do(r.Context(), who(r), call)
	if err != nil {
		return h.hidden(r.Context(), who(r), namespace, name, answer, err)
	}
	return relay(w, answer.Code, answer)
}

func (h kindHandlers) remove(w http.ResponseWriter, r *http.Request) error {
	if err := noQuery(r, "dryRun"); err != nil {
		return err
	}
	version, err := ifMatch(r, false)
	if err != nil {
		return err
	}
	namespace, name := r.PathValue("namespace"), r.PathValue("name")
	options := map[string]any{"apiVersion": "v1", "kind": "DeleteOptions"}
	if version != "" {
		options["preconditions"] = map[string]any{"resourceVersion": version}
	}
	if r.URL.Query().Has("dryRun") {
		options["dryRun"] = []any{"All"}
	}
	body, err := json.Marshal(options)
	if err != nil {
		return fmt.Errorf("could not write the request: %w", err)
	}
	answer, err := h.server.hub.Do(r.Context(), who(r), Call{
		Method: http.MethodDelete, Path: objectPath(h.kind, namespace, name), Media: "application/json", Body: body,
		Subject: h.subject(namespace, name),
	})
	if err != nil {
		return h.hidden(r.Context(), who(r), namespace, name, answer, err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// ifMatch reads the version that the client read. needed: without it the
// request is refused.
func ifMatch(r *http.Request, needed bool) (string, error) {
	values := r.Header.Values("If-Match")
	if len(values) == 0 {
		if needed {
			return "", httpapi.NewProblem(httpapi.CodePreconditionNeeded, "could not replace the object: the request does not say which version it replaces")
		}
		return "", nil
	}
	version, ok := strings.CutPrefix(values[0], `"`)
	version, end := strings.CutSuffix(version, `"`)
	if len(values) != 1 || !ok || !end || version == "" || strings.ContainsAny(version, `",*`) || len(version) > 64 {
		return "", httpapi.NewProblem(httpapi.CodeBadRequest, "could not read If-Match: give the one ETag of the object as you read it")
	}
	return version, nil
}
