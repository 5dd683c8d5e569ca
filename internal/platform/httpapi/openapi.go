// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
)

var pathWord = regexp.MustCompile(`\{([a-zA-Z]+)\}`)

// OpenAPI makes the OpenAPI 3.1 document of the routes and kinds. extra holds the
// schemas of what is not a kind. The same input gives the same bytes.
func OpenAPI(routes []Route, kinds []Kind, extra map[string]any) ([]byte, error) {
	schemas := map[string]any{"Problem": problemSchema}
	for name, schema := range extra {
		schemas[name] = schema
	}
	for _, k := range kinds {
		schema, err := kindSchema(k)
		if err != nil {
			return nil, err
		}
		schemas[k.SchemaName()] = schema
		schemas[k.SchemaName()+"List"] = ListSchema(k.SchemaName())
	}
	paths := map[string]map[string]any{}
	for _, r := range routes {
		if r.Hub {
			continue // what the hub answers is documented by the hub
		}
		path := r.Pattern
		if paths[path] == nil {
			paths[path] = map[string]any{}
		}
		method := strings.ToLower(r.Method)
		if paths[path][method] != nil {
			return nil, fmt.Errorf("could not document %s %s: it is routed twice", r.Method, path)
		}
		operation, err := operationOf(r, schemas)
		if err != nil {
			return nil, err
		}
		paths[path][method] = operation
	}
	document := map[string]any{
		"openapi": "3.1.0",
		"info": map[string]any{
			"title": "Fairway", "version": "v1",
			"description": "Every function of Fairway: the console and the command line use only this. Errors are RFC 9457 problems that say what to do next.",
			"license":     map[string]any{"name": "Apache-2.0", "identifier": "Apache-2.0"},
		},
		"paths": paths,
		"components": map[string]any{
			"schemas":         schemas,
			"securitySchemes": map[string]any{"token": map[string]any{"type": "http", "scheme": "bearer"}},
		},
		"security": []any{map[string]any{"token": []any{}}},
	}
	out := &bytes.Buffer{}
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	if err := encoder.Encode(document); err != nil {
		return nil, fmt.Errorf("could not write the OpenAPI document: %w", err)
	}
	return out.Bytes(), nil
}

func operationOf(r Route, schemas map[string]any) (map[string]any, error) {
	operation := map[string]any{
		"operationId": r.ID(), "summary": r.Doc.Summary, "tags": []any{r.Room},
		"x-fairway-effect": string(r.Effect),
	}
	if r.Open || r.Login {
		operation["security"] = []any{}
	}
	var parameters []any
	for _, m := range pathWord.FindAllStringSubmatch(r.Pattern, -1) {
		parameters = append(parameters, map[string]any{"name": m[1], "in": "path", "required": true, "schema": map[string]any{"type": "string"}})
	}
	for _, q := range r.Doc.Query {
		schema := q.Schema
		if schema == nil {
			schema = map[string]any{"type": "string"}
		}
		parameters = append(parameters, map[string]any{"name": q.Name, "in": "query", "description": q.Text, "schema": schema})
	}
	if r.Method == http.MethodPut {
		parameters = append(parameters, map[string]any{"name": "If-Match", "in": "header", "required": true,
			"description": "The ETag of the object as it was read.", "schema": map[string]any{"type": "string"}})
	}
	if parameters != nil {
		operation["parameters"] = parameters
	}
	if r.Doc.Request != "" {
		if schemas[r.Doc.Request] == nil {
			return nil, fmt.Errorf("could not document %s: there is no schema %q", r.ID(), r.Doc.Request)
		}
		media := "application/json"
		if r.Method == http.MethodPatch {
			media = "application/apply-patch+yaml"
		}
		operation["requestBody"] = map[string]any{"content": map[string]any{media: map[string]any{"schema": reference(r.Doc.Request)}}}
	}
	good, err := goodAnswer(r, schemas)
	if err != nil {
		return nil, err
	}
	operation["responses"] = map[string]any{
		good.status: good.body,
		"default": map[string]any{
			"description": "A problem, which says what to do next.",
			"content":     map[string]any{"application/problem+json": map[string]any{"schema": reference("Problem")}},
		},
	}
	return operation, nil
}

type answer struct {
	status string
	body   map[string]any
}

func goodAnswer(r Route, schemas map[string]any) (answer, error) {
	good := answer{status: "200", body: map[string]any{"description": "Done."}}
	switch {
	case r.Method == http.MethodDelete:
		good.status = "204"
	case r.Method == http.MethodPost && (strings.HasPrefix(r.Verb, "create") || r.Verb == "join"):
		good.status = "201"
	}
	switch {
	case r.Doc.Response != "":
		if schemas[r.Doc.Response] == nil {
			return good, fmt.Errorf("could not document %s: there is no schema %q", r.ID(), r.Doc.Response)
		}
		good.body["content"] = map[string]any{"application/json": map[string]any{"schema": reference(r.Doc.Response)}}
	case r.Doc.Media != "":
		good.body["content"] = map[string]any{r.Doc.Media: map[string]any{"schema": map[string]any{"type": "string"}}}
	}
	return good, nil
}

func reference(name string) map[string]any {
	return map[string]any{"$ref": "#/components/schemas/" + name}
}

// ListSchema is the schema of a list of the named schema.
func ListSchema(name string) map[string]any {
	return map[string]any{
		"type": "object", "required": []any{"items"},
		"properties": map[string]any{
			"apiVersion": map[string]any{"type": "string"},
			"kind":       map[string]any{"type": "string"},
			"metadata": map[string]any{"type": "object", "properties": map[string]any{
				"continue":           map[string]any{"type": "string", "description": "Where the next page begins. Absent on the last page."},
				"remainingItemCount": map[string]any{"type": "integer", "description": "How many follow this page."},
			}},
			"items": map[string]any{"type": "array", "items": reference(name)},
		},
	}
}

// kindSchema turns a definition's schema into one of OpenAPI 3.1.
func kindSchema(k Kind) (map[string]any, error) {
	raw, err := json.Marshal(k.Schema)
	if err != nil {
		return nil, fmt.Errorf("could not read the schema of %s: %w", k.Kind, err)
	}
	schema := map[string]any{}
	if err := json.Unmarshal(raw, &schema); err != nil {
		return nil, fmt.Errorf("could not read the schema of %s: %w", k.Kind, err)
	}
	modern(schema)
	if properties, ok := schema["properties"].(map[string]any); ok {
		properties["apiVersion"] = map[string]any{"type": "string", "const": k.APIVersion()}
		properties["kind"] = map[string]any{"type": "string", "const": k.Kind}
	}
	return schema, nil
}

// modern rewrites, in place, what OpenAPI 3.0 said differently.
func modern(node any) {
	switch v := node.(type) {
	case map[string]any:
		if v["x-kubernetes-int-or-string"] == true {
			v["type"] = []any{"integer", "string"}
			delete(v, "anyOf")
		}
		if v["nullable"] == true {
			if t, ok := v["type"].(string); ok {
				v["type"] = []any{t, "null"}
			}
		}
		delete(v, "nullable")
		for _, child := range v {
			modern(child)
		}
	case []any:
		for _, child := range v {
			modern(child)
		}
	}
}

var problemSchema = map[string]any{
	"type": "object", "description": "What went wrong and what to do next (RFC 9457).",
	"required": []any{"type", "title", "status", "detail", "code"},
	"properties": map[string]any{
		"type":   map[string]any{"type": "string", "description": "The family of the problem, urn:fairway:problem:<code>."},
		"title":  map[string]any{"type": "string", "description": "The family in words."},
		"status": map[string]any{"type": "integer", "description": "The HTTP status."},
		"detail": map[string]any{"type": "string", "description": "What went wrong this time."},
		"code":   map[string]any{"type": "string", "enum": codes(), "description": "The family's short name."},
		"trace":  map[string]any{"type": "string", "description": "The W3C trace id under which the server knows the request."},
		"next":   map[string]any{"type": "string", "description": "What to do now."},
		"causes": map[string]any{"type": "array", "items": map[string]any{"type": "object", "required": []any{"message"}, "properties": map[string]any{
			"field": map[string]any{"type": "string"}, "reason": map[string]any{"type": "string"}, "message": map[string]any{"type": "string"},
		}}},
	},
}

func codes() []any {
	var list []any
	for _, code := range Codes() {
		list = append(list, string(code))
	}
	return list
}
