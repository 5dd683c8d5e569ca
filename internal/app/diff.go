// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package app

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/fairway-cloud/fairway/internal/platform/canonical"
)

// Change is one difference between two contents, in words.
type Change struct {
	// Path is where, for example "components[account].image".
	Path string `json:"path"`
	// Before and After are the values; "" is absent. Long text is told by lines and digest.
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
	// Restarts are the components whose instances are replaced because of it.
	Restarts []string `json:"restarts,omitempty"`
}

func (c Change) String() string {
	var out string
	switch {
	case c.Before == "":
		out = fmt.Sprintf("%s: + %s", c.Path, c.After)
	case c.After == "":
		out = fmt.Sprintf("%s: - %s", c.Path, c.Before)
	default:
		out = fmt.Sprintf("%s: %s -> %s", c.Path, c.Before, c.After)
	}
	if len(c.Restarts) > 0 {
		out += " (restarts " + strings.Join(c.Restarts, ", ") + ")"
	}
	return out
}

// Restarting names the components of after whose instances are replaced on the way from
// before, sorted: those with another template, and those that are new.
func Restarting(before, after Content) []string {
	old := map[string]string{}
	for _, c := range before.Components {
		old[string(c.Name)] = c.TemplateDigest
	}
	var out []string
	for _, c := range after.Components {
		if old[string(c.Name)] != c.TemplateDigest {
			out = append(out, string(c.Name))
		}
	}
	slices.Sort(out)
	return out
}

// Diff tells the differences between two contents, sorted by path.
func Diff(before, after Content) ([]Change, error) {
	old, err := flat(before)
	if err != nil {
		return nil, err
	}
	now, err := flat(after)
	if err != nil {
		return nil, err
	}
	paths := make([]string, 0, len(old)+len(now))
	for p := range old {
		paths = append(paths, p)
	}
	for p := range now {
		if _, ok := old[p]; !ok {
			paths = append(paths, p)
		}
	}
	slices.Sort(paths)
	restarts := Restarting(before, after)
	var out []Change
	named := map[string]bool{} // components that a change names
	for _, p := range paths {
		if old[p] == now[p] {
			continue
		}
		change := Change{Path: p, Before: brief(old[p]), After: brief(now[p])}
		if component, ok := componentOf(p); ok && slices.Contains(restarts, component) {
			change.Restarts = []string{component}
			named[component] = true
		}
		out = append(out, change)
	}
	// Components that restart because of something beside them: a binding, a level, a Secret.
	var others []string
	for _, c := range restarts {
		if !named[c] {
			others = append(others, c)
		}
	}
	for i := range out {
		if _, ok := componentOf(out[i].Path); !ok && len(others) > 0 {
			out[i].Restarts = others
		}
	}
	return out, nil
}

func componentOf(path string) (string, bool) {
	for _, prefix := range []string{"components[", "hardening[", "processors["} {
		if rest, ok := strings.CutPrefix(path, prefix); ok {
			name, _, _ := strings.Cut(rest, "]")
			return name, true
		}
	}
	return "", false
}

// flat writes a content as paths and values.
func flat(c Content) (map[string]string, error) {
	c.Spec = *c.Spec.DeepCopy()
	defaults(&c.Spec, strip)
	raw, err := json.Marshal(c.Spec)
	if err != nil {
		return nil, fmt.Errorf("could not compare revisions: %w", err)
	}
	var spec any
	if err := json.Unmarshal(raw, &spec); err != nil {
		return nil, fmt.Errorf("could not compare revisions: %w", err)
	}
	out := map[string]string{}
	flatten(spec, "", out)
	for name, version := range c.SecretVersions {
		out["secrets["+name+"].version"] = version
	}
	for _, f := range c.Components {
		rules := make([]string, 0, len(f.Level.Hardening))
		for _, rule := range f.Rules() {
			rules = append(rules, string(rule))
		}
		if len(f.Architectures) > 0 {
			out["processors["+string(f.Name)+"]"] = strings.Join(f.Architectures, ", ")
		}
		out["hardening["+string(f.Name)+"]"] = strings.Join(rules, ", ")
	}
	return out, nil
}

// keys name the items of a list, the first that an item has.
var keys = []string{"name", "dcn", "dimension", "ip", "component", "binding", "cluster"}

func flatten(v any, at string, out map[string]string) {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			next := key
			if at != "" {
				next = at + "." + key
			}
			flatten(value, next, out)
		}
	case []any:
		used := map[string]bool{}
		for i, item := range v {
			name := itemName(item, i)
			if used[name] {
				name = fmt.Sprintf("%s#%d", name, i)
			}
			used[name] = true
			flatten(item, at+"["+name+"]", out)
		}
	case nil: // an empty list is no difference to an absent one
	case string:
		out[at] = v
	default:
		out[at] = fmt.Sprint(v)
	}
}

func itemName(item any, i int) string {
	if m, ok := item.(map[string]any); ok {
		for _, key := range keys {
			if name, ok := m[key].(string); ok {
				return name
			}
		}
	}
	return fmt.Sprint(i)
}

// brief shortens text of several lines.
func brief(text string) string {
	lines := strings.Count(text, "\n")
	if lines == 0 && len(text) <= 200 {
		return text
	}
	return fmt.Sprintf("%d lines, %d bytes, %s", lines+1, len(text), canonical.Short(canonical.Digest(text), 12))
}
