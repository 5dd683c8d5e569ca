// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"k8s.io/apimachinery/pkg/labels"
)

// page filters and sorts the objects and cuts out the page that is asked for.
// next is empty at the end; remaining counts what comes after the page.
func page(objects []map[string]any, q query) (items []map[string]any, next string, remaining int) {
	type row struct {
		object map[string]any
		values []any
		key    string
	}
	var rows []row
	for _, o := range objects {
		if !q.matches(o) {
			continue
		}
		r := row{object: o, key: keyOf(o)}
		for _, k := range q.sort {
			r.values = append(r.values, scalar(lookup(o, k.path)))
		}
		rows = append(rows, r)
	}
	order := func(aValues []any, aKey string, bValues []any, bKey string) int {
		for i, k := range q.sort {
			c := compareValues(aValues[i], bValues[i])
			if k.down {
				c = -c
			}
			if c != 0 {
				return c
			}
		}
		return cmp.Compare(aKey, bKey)
	}
	slices.SortFunc(rows, func(a, b row) int { return order(a.values, a.key, b.values, b.key) })
	if q.after != nil {
		from, _ := slices.BinarySearchFunc(rows, q.after, func(r row, p *position) int {
			// The object at the position itself was on the page before.
			return cmp.Or(order(r.values, r.key, p.Values, p.Key), -1)
		})
		rows = rows[from:]
	}
	more := len(rows) > q.limit
	if more {
		last := rows[q.limit-1]
		next = position{Bound: q.bound, Values: last.values, Key: last.key}.String()
		remaining = len(rows) - q.limit
		rows = rows[:q.limit]
	}
	items = make([]map[string]any, 0, len(rows))
	for _, r := range rows {
		items = append(items, r.object)
	}
	return items, next, remaining
}

func (q query) matches(o map[string]any) bool {
	if q.namespace != "" && text(lookup(o, []string{"metadata", "namespace"})) != q.namespace {
		return false
	}
	if !q.labels.Empty() && !q.labels.Matches(labelsOf(o)) {
		return false
	}
	for _, term := range q.fields {
		if (text(lookup(o, term.path)) == term.wanted) != term.equal {
			return false
		}
	}
	return true
}

func labelsOf(o map[string]any) labels.Set {
	found, _ := lookup(o, []string{"metadata", "labels"}).(map[string]any)
	set := labels.Set{}
	for k, v := range found {
		set[k] = text(v)
	}
	return set
}

func keyOf(o map[string]any) string {
	return text(lookup(o, []string{"metadata", "namespace"})) + "/" + text(lookup(o, []string{"metadata", "name"}))
}

// lookup follows names into an object. In a list of named things (name or type,
// as conditions have it) a name finds the thing: status.conditions.Ready.status.
func lookup(value any, path []string) any {
	for _, name := range path {
		switch v := value.(type) {
		case map[string]any:
			value = v[name]
		case []any:
			value = named(v, name)
		default:
			return nil
		}
	}
	return value
}

func named(list []any, name string) any {
	if i, err := strconv.Atoi(name); err == nil && i >= 0 && i < len(list) {
		return list[i]
	}
	for _, item := range list {
		if m, ok := item.(map[string]any); ok && (m["name"] == name || m["type"] == name) {
			return m
		}
	}
	return nil
}

func text(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	default:
		return fmt.Sprint(v)
	}
}

// scalar makes a value comparable and fit for a position.
func scalar(value any) any {
	switch v := value.(type) {
	case nil, string, float64, bool:
		return v
	case int64:
		return float64(v)
	case int:
		return float64(v)
	default:
		return text(v)
	}
}

// compareValues orders nothing before bools, bools before numbers, numbers
// before text.
func compareValues(a, b any) int {
	if c := cmp.Compare(rank(a), rank(b)); c != 0 {
		return c
	}
	switch x := a.(type) {
	case bool:
		y := b.(bool) //nolint:forcetypeassert // same rank
		switch {
		case x == y:
			return 0
		case y:
			return -1
		}
		return 1
	case float64:
		return cmp.Compare(x, b.(float64)) //nolint:forcetypeassert // same rank
	case string:
		return cmp.Compare(x, b.(string)) //nolint:forcetypeassert // same rank
	}
	return 0
}

func rank(v any) int {
	switch v.(type) {
	case nil:
		return 0
	case bool:
		return 1
	case float64:
		return 2
	}
	return 3
}
