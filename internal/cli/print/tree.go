// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package print

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// longText is where text of a card is cut; -o yaml shows all of it.
const longText = 160

// leading names come first wherever they appear.
var leading = []string{"name", "type", "kind", "status", "reason", "severity", "rule", "component", "cluster", "dcn"}

// Tree writes an object for people: names and values, indented, lists of like
// things as tables, long text cut.
func Tree(w io.Writer, indent string, object map[string]any, now time.Time) {
	keys := Keys(object, leading...)
	wide := 0
	for _, k := range keys {
		if isPlain(object[k]) {
			wide = max(wide, Width(title(k)))
		}
	}
	for _, k := range keys {
		switch v := object[k].(type) {
		case map[string]any:
			if len(v) == 0 {
				continue
			}
			fmt.Fprintf(w, "%s%s:\n", indent, title(k))
			Tree(w, indent+"  ", v, now)
		case []any:
			if len(v) == 0 {
				continue
			}
			list(w, indent, k, v, now)
		default:
			fmt.Fprintf(w, "%s%s:%s%s\n", indent, title(k), strings.Repeat(" ", wide-Width(title(k))+2), short(moment(k, v, now)))
		}
	}
}

func isPlain(v any) bool {
	switch v.(type) {
	case map[string]any, []any:
		return false
	}
	return true
}

func list(w io.Writer, indent, key string, items []any, now time.Time) {
	if !isObject(items[0]) {
		texts := make([]string, 0, len(items))
		for _, item := range items {
			texts = append(texts, Text(item))
		}
		fmt.Fprintf(w, "%s%s:  %s\n", indent, title(key), short(strings.Join(texts, ", ")))
		return
	}
	fmt.Fprintf(w, "%s%s:\n", indent, title(key))
	if t, ok := tableOf(items, now); ok {
		t.Write(w, indent+"  ", true)
		return
	}
	for i, item := range items {
		o, _ := item.(map[string]any)
		head := Field(o, "name")
		if head == "" {
			head = fmt.Sprint(i)
		}
		rest := map[string]any{}
		for k, v := range o {
			if k != "name" {
				rest[k] = v
			}
		}
		fmt.Fprintf(w, "%s  %s:\n", indent, Clean(head))
		Tree(w, indent+"    ", rest, now)
	}
}

func isObject(v any) bool {
	_, ok := v.(map[string]any)
	return ok
}

// mostColumns is the most that a table within a card has.
const mostColumns = 7

// tableOf makes a table of like objects that hold plain values only.
func tableOf(items []any, now time.Time) (Table, bool) {
	all := map[string]any{}
	for _, item := range items {
		o, ok := item.(map[string]any)
		if !ok {
			return Table{}, false
		}
		for k, v := range o {
			if !isPlain(v) {
				return Table{}, false
			}
			if k != "observedGeneration" && k != "message" {
				all[k] = nil
			}
		}
	}
	keys := Keys(all, leading...)
	for _, item := range items {
		if Lookup(item, "message") != nil {
			keys = append(keys, "message") // the longest comes last
			break
		}
	}
	if len(keys) > mostColumns {
		return Table{}, false
	}
	t := Table{}
	for _, k := range keys {
		t.Columns = append(t.Columns, heading(k))
	}
	for _, item := range items {
		var row []string
		for _, k := range keys {
			text := Field(item, k)
			if k == "lastTransitionTime" || k == "since" || k == "time" {
				text = Age(text, now)
			}
			if k != "message" {
				text = short(text)
			}
			row = append(row, text)
		}
		t.Rows = append(t.Rows, row)
	}
	return t, true
}

func heading(key string) string {
	if key == "lastTransitionTime" {
		return "since"
	}
	return strings.ToLower(title(key))
}

// title turns a JSON name into words: "maxLength" becomes "Max length".
func title(key string) string {
	out := ""
	upper := false
	for i, r := range key {
		isUpper := r >= 'A' && r <= 'Z'
		switch {
		case i == 0:
			out += strings.ToUpper(string(r))
		case isUpper && !upper:
			out += " " + strings.ToLower(string(r))
		default:
			out += strings.ToLower(string(r))
		}
		upper = isUpper
	}
	return Clean(out)
}

// moment shows times as time and age.
func moment(key string, v any, now time.Time) string {
	text := Text(v)
	if strings.HasSuffix(key, "At") || strings.HasSuffix(key, "Time") || strings.HasSuffix(key, "Seen") {
		if shown := Moment(text, now); shown != "" {
			return shown
		}
	}
	return text
}

func short(text string) string {
	whole := text
	text = Clean(text)
	if text == "" {
		return None
	}
	runes := []rune(text)
	if len(runes) <= longText {
		return text
	}
	return fmt.Sprintf("%s... (%d bytes; -o yaml shows all)", string(runes[:longText/2]), len(whole))
}
