// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package identity

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	identityv1 "github.com/fairway-cloud/fairway/api/identity/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/platform/canonical"
)

// Explain tells an item in plain words: one line that says what is done, then one for
// each field that is not as it was.
func Explain(item identityv1.AmendmentItem) []string {
	before := ""
	if item.Before != nil {
		before = item.Before.Content
	}
	switch item.Act {
	case identityv1.ActOpen:
		return []string{fmt.Sprintf("open account %s for person %s, by an invitation of two codes", item.Name, personOf(item.Content))}
	case identityv1.ActInvite:
		return []string{fmt.Sprintf("invite the owner of account %s, person %s, to choose a new password: the old one, the second factor and the sessions end", item.Name, personOf(item.Content))}
	case identityv1.ActDelete:
		return append([]string{fmt.Sprintf("delete %s %s, which says", item.Kind, item.Name)}, fieldsOf(before, "")...)
	case identityv1.ActCreate:
		return append([]string{fmt.Sprintf("make %s %s", item.Kind, item.Name)}, fieldsOf("", item.Content)...)
	}
	return append([]string{fmt.Sprintf("change %s %s", item.Kind, item.Name)}, fieldsOf(before, item.Content)...)
}

func personOf(content string) string {
	a := AccountContent{}
	_ = json.Unmarshal([]byte(content), &a)
	return a.Person
}

// fieldsOf compares two contents field by field.
func fieldsOf(before, after string) []string {
	was, errWas := flat(before)
	is, errIs := flat(after)
	if errWas != nil || errIs != nil {
		return []string{"  what is written cannot be read"}
	}
	names := map[string]bool{}
	for name := range was {
		names[name] = true
	}
	for name := range is {
		names[name] = true
	}
	var out []string
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if line := differs(name, was[name], is[name]); line != "" {
			out = append(out, "  "+line)
		}
	}
	return out
}

// flat lists the fields of a content: those of the spec by their own names.
func flat(content string) (map[string]any, error) {
	out := map[string]any{}
	if content == "" {
		return out, nil
	}
	annotations, labels, spec, err := OpenContent(content)
	if err != nil {
		return nil, err
	}
	maps.Copy(out, spec)
	for prefix, in := range map[string]map[string]string{"annotation ": annotations, "label ": labels} {
		for name, value := range in {
			out[prefix+name] = value
		}
	}
	return out, nil
}

// differs tells one field.
func differs(name string, was, is any) string {
	before, after := shown(was), shown(is)
	if before == after {
		return ""
	}
	had, listBefore := words(was)
	has, listAfter := words(is)
	if listBefore && listAfter {
		var parts []string
		for _, w := range has {
			if !slices.Contains(had, w) {
				parts = append(parts, "+ "+w)
			}
		}
		for _, w := range had {
			if !slices.Contains(has, w) {
				parts = append(parts, "- "+w)
			}
		}
		if len(parts) > 0 {
			return name + ": " + strings.Join(parts, ", ")
		}
	}
	switch {
	case was == nil:
		return name + ": " + after
	case is == nil:
		return name + ": " + before + " → nothing"
	}
	return name + ": " + before + " → " + after
}

func shown(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	text, err := canonical.JSON(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return text
}

// words reads a list whose entries each read as one word; an absent one is empty.
func words(v any) ([]string, bool) {
	if v == nil {
		return nil, true
	}
	list, ok := v.([]any)
	if !ok {
		return nil, false
	}
	out := make([]string, 0, len(list))
	for _, entry := range list {
		out = append(out, shown(entry))
	}
	return out, true
}
