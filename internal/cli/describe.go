// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package cli

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Describe shows one object to a person: who it is, what is wanted, and what
// the platform says of it.
func Describe(w io.Writer, k Kind, o Object, now time.Time) error {
	b := &bytes.Buffer{}
	meta, _ := o["metadata"].(map[string]any)
	fmt.Fprintf(b, "%s %s\n", k.Kind, NameOf(o))
	if k.Namespaced {
		fmt.Fprintf(b, "Namespace:  %s\n", NamespaceOf(o))
	}
	fmt.Fprintf(b, "Created:    %s\n", orNone(atAndAge(str(meta["creationTimestamp"]), now)))
	labels, _ := meta["labels"].(map[string]any)
	for i, k := range keysOf(labels) {
		title := "Labels:   "
		if i > 0 {
			title = "          "
		}
		fmt.Fprintf(b, "%s  %s=%s\n", title, Plain(k), Plain(str(labels[k])))
	}
	section(b, "Wanted", o["spec"], now)
	status, _ := o["status"].(map[string]any)
	rest := map[string]any{}
	for key, v := range status {
		if key != "conditions" && key != "observedGeneration" {
			rest[key] = v
		}
	}
	section(b, "Status", rest, now)
	if conditions := Conditions(o); len(conditions) > 0 {
		fmt.Fprintln(b, "Conditions:")
		rows := [][]string{{"TYPE", "STATUS", "REASON", "SINCE", "MESSAGE"}}
		for _, c := range conditions {
			rows = append(rows, []string{Plain(c.Type), Plain(c.Status), Plain(c.Reason), Age(c.LastTransitionTime, now), Plain(c.Message)})
		}
		if err := writeRows(b, "  ", rows); err != nil {
			return err
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

func section(b *bytes.Buffer, title string, value any, now time.Time) {
	if m, _ := value.(map[string]any); len(m) > 0 {
		fmt.Fprintf(b, "%s:\n", title)
		tree(b, "  ", m, now)
	}
}

// DescribeInstance shows the card of an instance.
func DescribeInstance(w io.Writer, card Object, now time.Time) error {
	b := &bytes.Buffer{}
	image, _ := card["image"].(map[string]any)
	rows := [][]string{}
	for _, line := range [][2]string{
		{"Seat", "seat"}, {"Namespace", "namespace"}, {"Application", "application"}, {"Component", "component"},
		{"IP", "ip"}, {"DCN", "dcn"}, {"Data centre", "dataCenter"}, {"Zone", "zone"}, {"Rack", "rack"}, {"Host", "host"},
		{"Cluster", "cluster"}, {"Pool", "pool"}, {"Revision", "revision"}, {"State", "state"}, {"Why", "message"},
		{"Restarts", "restarts"}, {"Pod", "pod"}, {"Simulated", "simulated"}, {"Note", "note"},
	} {
		if value := card[line[1]]; value != nil && value != "" {
			rows = append(rows, []string{line[0] + ":", Plain(fmt.Sprint(value))})
		}
	}
	rows = append(rows,
		[]string{"Image:", Plain(str(image["name"]))}, []string{"Digest:", Plain(str(image["digest"]))},
		[]string{"Age:", Age(str(card["createdAt"]), now)}, []string{"Last seen:", Age(str(card["lastSeen"]), now) + " ago"})
	if err := WriteTable(b, rows); err != nil {
		return err
	}
	for _, part := range []struct {
		title, key string
		columns    []string
	}{
		{"Ports", "ports", []string{"name", "port", "protocol"}},
		{"Mounts", "mounts", []string{"path", "kind", "volume", "readOnly"}},
		{"Conditions", "conditions", []string{"type", "status", "reason", "message"}},
		{"Events", "events", []string{"time", "type", "reason", "count", "message"}},
	} {
		if err := cardTable(b, part.title, card[part.key], part.columns, now); err != nil {
			return err
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

func cardTable(b *bytes.Buffer, title string, list any, columns []string, now time.Time) error {
	items, _ := list.([]any)
	if len(items) == 0 {
		return nil
	}
	fmt.Fprintf(b, "%s:\n", title)
	heading := []string{}
	for _, c := range columns {
		c = strings.ToUpper(words(c))
		if c == "TIME" {
			c = "AGE"
		}
		heading = append(heading, c)
	}
	rows := [][]string{heading}
	for _, item := range items {
		m, _ := item.(map[string]any)
		row := []string{}
		for _, c := range columns {
			value := ""
			if v := m[c]; v != nil {
				value = Plain(fmt.Sprint(v))
			}
			if c == "time" {
				value = Age(value, now)
			}
			row = append(row, value)
		}
		rows = append(rows, row)
	}
	return writeRows(b, "  ", rows)
}

// ExplainKinds lists the kinds and the words that mean them.
func ExplainKinds(w io.Writer, kinds Kinds) error {
	rows := [][]string{{"KIND", "WORD", "SHORT", "GROUP", "NAMESPACED", "WRITTEN BY"}}
	for _, k := range kinds {
		rows = append(rows, []string{k.Kind, k.Plural, strings.Join(k.ShortNames, ","), k.Group, fmt.Sprint(k.Namespaced), k.Written})
	}
	return WriteTable(w, rows)
}

// Explain shows what a field of a kind means, from the server's schemas. path is
// "spec.components.image"; empty means the kind itself.
func Explain(w io.Writer, document Object, k Kind, path []string) error {
	components, _ := document["components"].(map[string]any)
	schemas, _ := components["schemas"].(map[string]any)
	schema, ok := schemas[k.Room+"."+k.Kind].(map[string]any)
	if !ok {
		return &Failure{Exit: ExitNotFound, Cause: fmt.Sprintf("could not explain %s: the server describes no fields of it", k.Singular)}
	}
	for i, name := range path {
		properties, _ := items(schema)["properties"].(map[string]any)
		next, ok := properties[name].(map[string]any)
		if !ok {
			return &Failure{Exit: ExitNotFound, Cause: fmt.Sprintf("could not find field %q of %s", strings.Join(path[:i+1], "."), k.Singular),
				Next: "there are " + strings.Join(keysOf(properties), ", ")}
		}
		schema = next
	}
	b := &bytes.Buffer{}
	fmt.Fprintf(b, "KIND:     %s (%s/%s)\n", k.Kind, k.Group, k.Version)
	if len(path) > 0 {
		fmt.Fprintf(b, "FIELD:    %s <%s>\n", strings.Join(path, "."), typeOf(schema))
	}
	if text := str(schema["description"]); text != "" {
		fmt.Fprintf(b, "\n%s\n", wrap(text, "  "))
	}
	bounds(b, schema)
	explainFields(b, items(schema))
	_, err := w.Write(b.Bytes())
	return err
}

// items is the schema whose fields are meant: that of a list's entries.
func items(schema map[string]any) map[string]any {
	for {
		inner, ok := schema["items"].(map[string]any)
		if !ok {
			return schema
		}
		schema = inner
	}
}

func explainFields(b *bytes.Buffer, schema map[string]any) {
	properties, _ := schema["properties"].(map[string]any)
	if len(properties) == 0 {
		return
	}
	required, _ := schema["required"].([]any)
	fmt.Fprintln(b, "\nFIELDS:")
	for _, name := range keysOf(properties) {
		field, _ := properties[name].(map[string]any)
		note := ""
		if slices.Contains(required, any(name)) {
			note = " (required)"
		}
		fmt.Fprintf(b, "  %s <%s>%s\n%s\n", name, typeOf(field), note, wrap(str(field["description"]), "      "))
	}
}

func typeOf(schema map[string]any) string {
	switch t := schema["type"].(type) {
	case string:
		if t == "array" {
			inner, _ := schema["items"].(map[string]any)
			return "[]" + typeOf(inner)
		}
		return t
	case []any:
		var names []string
		for _, n := range t {
			names = append(names, str(n))
		}
		return strings.Join(names, " or ")
	}
	return "any"
}

func bounds(b *bytes.Buffer, schema map[string]any) {
	for _, bound := range [][2]string{
		{"default", "Default"}, {"enum", "One of"}, {"minimum", "At least"}, {"maximum", "At most"}, {"maxLength", "Characters, at most"},
		{"maxItems", "Entries, at most"}, {"pattern", "Looks like"},
	} {
		if v, ok := schema[bound[0]]; ok {
			fmt.Fprintf(b, "  %s: %s\n", bound[1], brief(v))
		}
	}
}

// wrap breaks text into lines of about 90 characters.
func wrap(text, indent string) string {
	var lines []string
	line := indent
	for word := range strings.FieldsSeq(text) {
		if len(line)+len(word) > 90 && line != indent {
			lines = append(lines, line)
			line = indent
		}
		if line != indent {
			line += " "
		}
		line += word
	}
	return strings.Join(append(lines, line), "\n")
}
