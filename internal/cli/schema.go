// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package cli

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// serverSets are required fields that the server fills in itself.
var serverSets = []string{"spec.requester"}

// checkSchemas holds documents to the schemas of the server's OpenAPI document:
// unknown fields, missing ones, wrong types and values that no enum has, each
// with its path. What only the server can know, it says when the object is sent.
func checkSchemas(documents []Document, openAPI Object) []string {
	schemas := within(openAPI, "components", "schemas")
	var problems []string
	for _, d := range documents {
		schema, ok := schemas[d.Kind.Room+"."+d.Kind.Kind].(map[string]any)
		if !ok {
			continue
		}
		c := &checking{}
		c.value("", d.Object, schema)
		for _, p := range c.problems {
			problems = append(problems, d.Where+": "+p)
		}
	}
	return problems
}

func within(value any, path ...string) map[string]any {
	for _, name := range path {
		m, _ := value.(map[string]any)
		value = m[name]
	}
	m, _ := value.(map[string]any)
	return m
}

type checking struct{ problems []string }

func (c *checking) say(path, format string, args ...any) {
	if path == "" {
		path = "object"
	}
	c.problems = append(c.problems, path+": "+fmt.Sprintf(format, args...))
}

func (c *checking) value(path string, value any, schema map[string]any) {
	if len(schema) == 0 || schema["x-kubernetes-preserve-unknown-fields"] == true {
		return
	}
	if value == nil {
		return // the server treats it as left out
	}
	types := typesOf(schema)
	if len(types) > 0 && !slices.ContainsFunc(types, func(t string) bool { return isType(value, t) }) {
		c.say(path, "must be %s, it is %s", strings.Join(types, " or "), sortOf(value))
		return
	}
	switch v := value.(type) {
	case map[string]any:
		c.object(path, v, schema)
	case []any:
		items := within(schema, "items")
		for i, item := range v {
			c.value(fmt.Sprintf("%s[%d]", path, i), item, items)
		}
	default:
		c.enum(path, value, schema)
	}
}

func (c *checking) object(path string, object, schema map[string]any) {
	properties := within(schema, "properties")
	additional, open := schema["additionalProperties"]
	names := make([]string, 0, len(object))
	for name := range object {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		below := strings.TrimPrefix(path+"."+name, ".")
		if property, ok := properties[name].(map[string]any); ok {
			c.value(below, object[name], property)
			continue
		}
		if open {
			if s, ok := additional.(map[string]any); ok {
				c.value(below, object[name], s)
			}
			continue
		}
		if len(properties) > 0 {
			c.unknown(below, name, properties)
		}
	}
	required, _ := schema["required"].([]any)
	for _, r := range required {
		name, _ := r.(string)
		below := strings.TrimPrefix(path+"."+name, ".")
		if _, given := object[name]; given || slices.Contains(serverSets, below) || within(properties, name)["default"] != nil {
			continue
		}
		c.say(below, "it is needed")
	}
}

func (c *checking) unknown(path, name string, properties map[string]any) {
	best, near := "", 3
	for p := range properties {
		if d := distance(strings.ToLower(name), strings.ToLower(p)); d < near || d == near && p < best {
			best, near = p, d
		}
	}
	if best != "" && near < 3 {
		c.say(path, "no such field; do you mean %q?", best)
		return
	}
	c.say(path, "no such field; \"fairway explain\" lists those that there are")
}

func (c *checking) enum(path string, value any, schema map[string]any) {
	values, ok := schema["enum"].([]any)
	if !ok {
		if v, is := schema["const"]; is {
			values = []any{v}
		}
	}
	if len(values) == 0 || slices.Contains(values, value) {
		return
	}
	known := make([]string, 0, len(values))
	for _, v := range values {
		known = append(known, fmt.Sprint(v))
	}
	c.say(path, "%q is not one of %s", fmt.Sprint(value), strings.Join(known, ", "))
}

func typesOf(schema map[string]any) []string {
	switch t := schema["type"].(type) {
	case string:
		return []string{t}
	case []any:
		var types []string
		for _, one := range t {
			if s, ok := one.(string); ok {
				types = append(types, s)
			}
		}
		return types
	}
	return nil
}

func isType(value any, t string) bool {
	switch v := value.(type) {
	case map[string]any:
		return t == "object"
	case []any:
		return t == "array"
	case string:
		return t == "string"
	case bool:
		return t == "boolean"
	case json.Number:
		return t == "number" || t == "integer" && !strings.ContainsAny(v.String(), ".eE")
	}
	return t == "null"
}

func sortOf(value any) string {
	switch v := value.(type) {
	case map[string]any:
		return "an object"
	case []any:
		return "a list"
	case string:
		return fmt.Sprintf("the text %q", v)
	case bool:
		return fmt.Sprintf("%t; quote it to make it text", v)
	case json.Number:
		return fmt.Sprintf("the number %s", v)
	}
	return "nothing"
}

// distance counts the letters to change between two words (Levenshtein).
func distance(a, b string) int {
	previous := make([]int, len(b)+1)
	for j := range previous {
		previous[j] = j
	}
	for i := range len(a) {
		current := make([]int, len(b)+1)
		current[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			current[j+1] = min(previous[j]+cost, previous[j+1]+1, current[j]+1)
		}
		previous = current
	}
	return previous[len(b)]
}
