// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package cli

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"
)

// longText is where text of a card is cut; -o yaml shows all of it.
const longText = 160

// leading names come first wherever they appear.
var leading = []string{"name", "type", "kind", "status", "reason", "severity", "rule", "component", "cluster", "dcn"}

// tree writes an object for people: names and values, indented, lists of like
// things as tables, long text cut.
func tree(w *bytes.Buffer, indent string, object map[string]any, now time.Time) {
	keys := keysFirst(object)
	wide := 0
	for _, k := range keys {
		if isPlain(object[k]) {
			wide = max(wide, width.StringWidth(Plain(k)))
		}
	}
	for _, k := range keys {
		switch v := object[k].(type) {
		case map[string]any:
			if len(v) == 0 {
				continue
			}
			fmt.Fprintf(w, "%s%s:\n", indent, Plain(k))
			tree(w, indent+"  ", v, now)
		case []any:
			if len(v) == 0 {
				continue
			}
			if !isPlain(v) {
				treeList(w, indent, k, v, now)
				continue
			}
			fmt.Fprintf(w, "%s%s:%s%s\n", indent, Plain(k), strings.Repeat(" ", wide-width.StringWidth(Plain(k))+2), short(textOf(v)))
		default:
			fmt.Fprintf(w, "%s%s:%s%s\n", indent, Plain(k), strings.Repeat(" ", wide-width.StringWidth(Plain(k))+2), short(moment(k, v, now)))
		}
	}
}

// keysFirst are the names in an object, the leading ones first.
func keysFirst(object map[string]any) []string {
	var keys []string
	for _, k := range leading {
		if _, ok := object[k]; ok {
			keys = append(keys, k)
		}
	}
	for _, k := range keysOf(object) {
		if !slices.Contains(leading, k) {
			keys = append(keys, k)
		}
	}
	return keys
}

// isPlain says whether a value fits on a line: text, numbers, and lists of them.
func isPlain(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		return false
	case []any:
		for _, entry := range v {
			switch entry.(type) {
			case map[string]any, []any:
				return false
			}
		}
	}
	return true
}

func treeList(w *bytes.Buffer, indent, key string, items []any, now time.Time) {
	fmt.Fprintf(w, "%s%s:\n", indent, Plain(key))
	if rows, ok := tableOf(items, now); ok {
		_ = writeRows(w, indent+"  ", rows)
		return
	}
	for i, item := range items {
		o, _ := item.(map[string]any)
		head := str(o["name"])
		if head == "" {
			head = fmt.Sprint(i)
		}
		rest := map[string]any{}
		for k, v := range o {
			if k != "name" {
				rest[k] = v
			}
		}
		fmt.Fprintf(w, "%s  %s:\n", indent, Plain(head))
		tree(w, indent+"    ", rest, now)
	}
}

// mostColumns is the most that a table within a card has.
const mostColumns = 7

// wideCell is the width from which on a column comes last.
const wideCell = 50

// tableOf makes a table of like objects that hold plain values only.
func tableOf(items []any, now time.Time) ([][]string, bool) {
	all := map[string]any{}
	longest := "message"
	for _, item := range items {
		o, ok := item.(map[string]any)
		if !ok {
			return nil, false
		}
		for k, v := range o {
			if !isPlain(v) {
				return nil, false
			}
			if k != "observedGeneration" {
				all[k] = nil
			}
			if width.StringWidth(textOf(v)) > wideCell {
				longest = k
			}
		}
	}
	keys := keysFirst(all)
	if i := slices.Index(keys, longest); i >= 0 {
		keys = append(slices.Delete(keys, i, i+1), longest) // long text comes last
	}
	if len(keys) > mostColumns {
		return nil, false
	}
	headings := make([]string, 0, len(keys))
	for _, k := range keys {
		headings = append(headings, heading(k))
	}
	rows := [][]string{headings}
	for _, item := range items {
		var row []string
		for _, k := range keys {
			o, _ := item.(map[string]any)
			text := textOf(o[k])
			if k == "lastTransitionTime" || k == "since" || k == "time" {
				text = Age(text, now)
			}
			if k == longest {
				text = Plain(text)
			} else {
				text = short(text)
			}
			row = append(row, text)
		}
		rows = append(rows, row)
	}
	return rows, true
}

func heading(key string) string {
	if key == "lastTransitionTime" {
		return "SINCE"
	}
	return strings.ToUpper(words(key))
}

// words turns a JSON name into words: "maxLength" becomes "max length".
func words(key string) string {
	out := ""
	upper := true
	for _, r := range key {
		isUpper := r >= 'A' && r <= 'Z'
		if isUpper && !upper {
			out += " "
		}
		out += string(r)
		upper = isUpper
	}
	return Plain(out)
}

// moment shows times as time and age.
func moment(key string, v any, now time.Time) string {
	text := textOf(v)
	if strings.HasSuffix(key, "At") || strings.HasSuffix(key, "Time") || strings.HasSuffix(key, "Seen") {
		if shown := atAndAge(text, now); shown != "" {
			return shown
		}
	}
	return text
}

func short(text string) string {
	whole := text
	text = Plain(text)
	if text == "" {
		return none
	}
	runes := []rune(text)
	if len(runes) <= longText {
		return text
	}
	return fmt.Sprintf("%s... (%d bytes; -o yaml shows all)", string(runes[:longText/2]), len(whole))
}

// atAndAge is the time with its age; "" for what is no time.
func atAndAge(moment string, now time.Time) string {
	at, err := time.Parse(time.RFC3339, moment)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%s (%s ago)", at.Local().Format("2006-01-02 15:04:05 -07:00"), Age(moment, now))
}
