// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package print

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/client-go/util/jsonpath"
)

// Lookup follows names into an object.
func Lookup(value any, path ...string) any {
	for _, name := range path {
		m, ok := value.(map[string]any)
		if !ok {
			return nil
		}
		value = m[name]
	}
	return value
}

// Text is the value as text; nothing is "".
func Text(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return v
	case json.Number:
		return v.String()
	case []any:
		parts := make([]string, 0, len(v))
		for _, item := range v {
			parts = append(parts, Text(item))
		}
		return strings.Join(parts, ",")
	case map[string]any:
		raw, err := json.Marshal(v)
		if err != nil {
			return ""
		}
		return string(raw)
	}
	return fmt.Sprint(value)
}

// Field is Text of what Lookup finds.
func Field(object any, path ...string) string { return Text(Lookup(object, path...)) }

// Cell is a path of a column, ready to be used.
type Cell struct {
	path *jsonpath.JSONPath
	date bool
}

// NewCell reads a column's path and type.
func NewCell(path, kind string) (Cell, error) {
	p := jsonpath.New("column").AllowMissingKeys(true)
	if err := p.Parse("{" + path + "}"); err != nil {
		return Cell{}, fmt.Errorf("could not read path %q: %w", path, err)
	}
	return Cell{path: p, date: kind == "date"}, nil
}

// Of finds the column's value in an object. Dates are ages.
func (c Cell) Of(object map[string]any, now time.Time) string {
	results, err := c.path.FindResults(object)
	if err != nil {
		return ""
	}
	var parts []string
	for _, group := range results {
		for _, v := range group {
			if !v.IsValid() || !v.CanInterface() {
				continue
			}
			if text := Text(v.Interface()); text != "" {
				parts = append(parts, text)
			}
		}
	}
	text := strings.Join(parts, ",")
	if c.date {
		return Age(text, now)
	}
	return text
}

// Age is how long ago the time was, such as 5m; "" for no time.
func Age(text string, now time.Time) string {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil || at.IsZero() {
		return ""
	}
	return duration.HumanDuration(max(now.Sub(at), 0))
}

// Moment is the time with its age, for cards.
func Moment(text string, now time.Time) string {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil || at.IsZero() {
		return ""
	}
	return fmt.Sprintf("%s (%s ago)", at.Local().Format("2006-01-02 15:04:05 -07:00"), Age(text, now))
}

// Keys are the names in an object: those that come first, then the rest by name.
func Keys(object map[string]any, first ...string) []string {
	var keys []string
	for _, k := range first {
		if _, ok := object[k]; ok {
			keys = append(keys, k)
		}
	}
	var rest []string
	for k := range object {
		if !slices.Contains(first, k) {
			rest = append(rest, k)
		}
	}
	slices.Sort(rest)
	return append(keys, rest...)
}
