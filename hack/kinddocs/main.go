// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Command kinddocs writes the reference of all kinds, docs/reference/kinds/, from
// the comments that the CRDs carry: one page per room.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	apiextv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: kinddocs CRD_FOLDER OUTPUT_FOLDER")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "kinddocs:", err)
		os.Exit(1)
	}
}

func run(from, to string) error {
	files, err := filepath.Glob(filepath.Join(from, "*.yaml"))
	if err != nil {
		return err
	}
	slices.Sort(files)
	pages := map[string]*strings.Builder{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		var crd apiextv1.CustomResourceDefinition
		if err := yaml.UnmarshalStrict(text, &crd); err != nil {
			return fmt.Errorf("could not read %q: %w", file, err)
		}
		room, _, _ := strings.Cut(crd.Spec.Group, ".")
		if pages[room] == nil {
			pages[room] = &strings.Builder{}
			fmt.Fprintf(pages[room], "# Kinds of the room `%s`\n\nWritten by `make generate` from the types in `api/%s`; `fairway explain` shows the same.\n", room, room)
		}
		kind(pages[room], crd)
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	for room, page := range pages {
		if err := os.WriteFile(filepath.Join(to, room+".md"), []byte(page.String()), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func kind(page *strings.Builder, crd apiextv1.CustomResourceDefinition) {
	version := crd.Spec.Versions[0]
	schema := version.Schema.OpenAPIV3Schema
	scope := "one for the whole hub"
	if crd.Spec.Scope == apiextv1.NamespaceScoped {
		scope = "in a namespace"
	}
	fmt.Fprintf(page, "\n## %s\n\n`%s/%s`, %s.\n\n%s\n", crd.Spec.Names.Kind, crd.Spec.Group, version.Name, scope, sentence(schema.Description))
	for _, part := range []string{"spec", "status"} {
		if s, ok := schema.Properties[part]; ok {
			fmt.Fprintf(page, "\n### %s %s\n\n| Field | Type | Meaning |\n|---|---|---|\n", crd.Spec.Names.Kind, part)
			fields(page, part, s)
		}
	}
}

func fields(page *strings.Builder, path string, s apiextv1.JSONSchemaProps) {
	names := make([]string, 0, len(s.Properties))
	for name := range s.Properties {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		p := s.Properties[name]
		inner := p
		where := path + "." + name
		if p.Type == "array" && p.Items != nil && p.Items.Schema != nil {
			inner = *p.Items.Schema
			where += "[]"
		}
		required := ""
		if slices.Contains(s.Required, name) {
			required = ", required"
		}
		fmt.Fprintf(page, "| `%s` | %s%s | %s%s |\n", strings.TrimPrefix(strings.TrimPrefix(where, "spec."), "status."), typeOf(p), required, sentence(p.Description), rules(p, inner))
		if name == "conditions" {
			continue // every kind has the same ones; Kubernetes documents their fields
		}
		fields(page, where, inner)
	}
}

func typeOf(p apiextv1.JSONSchemaProps) string {
	switch {
	case p.XIntOrString:
		return "quantity"
	case p.Type == "array" && p.Items != nil && p.Items.Schema != nil:
		return "list of " + typeOf(*p.Items.Schema)
	case len(p.Enum) > 0:
		values := make([]string, 0, len(p.Enum))
		for _, v := range p.Enum {
			values = append(values, "`"+strings.Trim(string(v.Raw), `"`)+"`")
		}
		return strings.Join(values, ", ")
	}
	return p.Type
}

// rules lists what the API refuses, in the words in which it says so.
func rules(p, inner apiextv1.JSONSchemaProps) string {
	var out []string
	for _, rule := range append(slices.Clone(p.XValidations), inner.XValidations...) {
		if text := sentence(rule.Message); !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	if len(out) == 0 {
		return ""
	}
	return " *Refused otherwise:* " + strings.Join(out, "; ") + "."
}

func sentence(s string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(s), " "), "|", "\\|")
}
