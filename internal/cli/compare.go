// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package cli

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Difference is one field that differs.
type Difference struct {
	Path          string
	Before, After any
}

// String is the difference in one line.
func (d Difference) String() string {
	switch {
	case d.Before == nil:
		return fmt.Sprintf("+ %s: %s", d.Path, brief(d.After))
	case d.After == nil:
		return fmt.Sprintf("- %s: %s", d.Path, brief(d.Before))
	}
	return fmt.Sprintf("~ %s: %s -> %s", d.Path, brief(d.Before), brief(d.After))
}

func brief(v any) string {
	text := Plain(fmt.Sprint(v))
	if len(text) > 200 {
		return strings.ToValidUTF8(text[:200], "") + " …"
	}
	return text
}

// Compare lists what people set that differs between two states of an object:
// everything but status and what the hub keeps itself.
func Compare(before, after Object) []Difference {
	var found []Difference
	compare("", clean(before), clean(after), &found)
	slices.SortStableFunc(found, func(a, b Difference) int { return strings.Compare(a.Path, b.Path) })
	return found
}

func clean(o Object) any {
	if o == nil {
		return map[string]any{}
	}
	kept := map[string]any{}
	for k, v := range o {
		if k != "status" && k != "metadata" && k != "apiVersion" && k != "kind" {
			kept[k] = v
		}
	}
	if meta, ok := o["metadata"].(map[string]any); ok {
		for _, k := range []string{"labels", "annotations"} {
			if v, ok := meta[k]; ok {
				kept["metadata."+k] = v
			}
		}
	}
	return kept
}

func compare(path string, before, after any, into *[]Difference) {
	if reflect.DeepEqual(before, after) {
		return
	}
	b, bMap := before.(map[string]any)
	a, aMap := after.(map[string]any)
	if (bMap || before == nil) && (aMap || after == nil) && (bMap || aMap) {
		for _, k := range keysOf(b, a) {
			compare(join(path, k), b[k], a[k], into)
		}
		return
	}
	bl, bList := before.([]any)
	al, aList := after.([]any)
	if (bList || before == nil) && (aList || after == nil) && (bList || aList) {
		compareLists(path, bl, al, into)
		return
	}
	*into = append(*into, Difference{Path: path, Before: before, After: after})
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func keysOf(maps ...map[string]any) []string {
	seen := map[string]bool{}
	var keys []string
	for _, m := range maps {
		for k := range m {
			if !seen[k] {
				seen[k] = true
				keys = append(keys, k)
			}
		}
	}
	slices.Sort(keys)
	return keys
}

// compareLists compares lists of named things by name, others by place.
func compareLists(path string, before, after []any, into *[]Difference) {
	b, bNamed := byName(before)
	a, aNamed := byName(after)
	if bNamed && aNamed {
		for _, k := range keysOf(b, a) {
			compare(path+"["+k+"]", b[k], a[k], into)
		}
		return
	}
	for i := range max(len(before), len(after)) {
		var x, y any
		if i < len(before) {
			x = before[i]
		}
		if i < len(after) {
			y = after[i]
		}
		compare(fmt.Sprintf("%s[%d]", path, i), x, y, into)
	}
}

func byName(list []any) (map[string]any, bool) {
	named := map[string]any{}
	for _, item := range list {
		m, ok := item.(map[string]any)
		if !ok {
			return nil, false
		}
		name := str(m["name"])
		if name == "" || named[name] != nil {
			return nil, false
		}
		named[name] = m
	}
	return named, true
}
