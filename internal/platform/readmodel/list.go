// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package readmodel

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/fairway-cloud/fairway/internal/delivery"
)

// Query is a question about instances.
type Query struct {
	// Namespaces that may be shown. Nil: all of them. Empty: none.
	Namespaces []string
	// Equal and Differ hold wanted and unwanted values by JSON name of the field.
	Equal, Differ map[string]string
	// Sort lists fields by JSON name, the first one first. Ties are broken by
	// namespace, application, component and seat number.
	Sort []Order
	// After is where the previous page ended. Nil: from the start.
	After []any
	// Limit is the most rows. At least 1.
	Limit int
}

// Order is one field to sort by.
type Order struct {
	Field string
	Down  bool
}

// Page is an answer.
type Page struct {
	Instances []delivery.Instance
	// Next is After of the following page. Nil: this is the last one.
	Next []any
	// Remaining counts what follows.
	Remaining int
}

// fields maps JSON names to columns. What is not here cannot be asked for.
var fields = map[string]string{
	"seat": "seat", "namespace": "namespace", "application": "application", "component": "component", "ip": "ip", "dcn": "dcn",
	"dataCenter": "datacenter", "zone": "zone", "rack": "rack", "host": "host", "cluster": "cluster", "pool": "pool",
	"revision": "revision", "state": "state", "restarts": "restarts", "createdAt": "created", "simulated": "simulated",
}

// Fields are the JSON names that a Query may use.
func Fields() []string {
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// tie breaks ties, so that every row has its own place.
var tie = []string{"namespace", "application", "component", "number", "cluster", "uid"}

// ErrField says that a Query names a field that there is not. The text lists the fields.
type ErrField struct{ Field string }

// Error implements error.
func (e ErrField) Error() string {
	return fmt.Sprintf("no such field %q of an instance; there are %s", e.Field, strings.Join(Fields(), ", "))
}

type ordered struct {
	column string
	down   bool
}

// List answers a question.
func (s *Store) List(ctx context.Context, q Query) (Page, error) {
	where, args, err := q.where()
	if err != nil {
		return Page{}, err
	}
	order, err := q.order()
	if err != nil {
		return Page{}, err
	}
	if q.After != nil {
		if len(q.After) != len(order) {
			return Page{}, fmt.Errorf("could not go on from a position with %d values: the order has %d", len(q.After), len(order))
		}
		term, more := after(order, q.After)
		where, args = append(where, term), append(args, more...)
	}
	rest := strings.Join(where, " AND ")
	text := "SELECT " + columns + ", " + keyColumns(order) + " FROM instances WHERE " + rest + " ORDER BY " + orderBy(order) + " LIMIT ?"
	rows, err := s.reader.QueryContext(ctx, text, append(slices.Clone(args), q.Limit+1)...)
	if err != nil {
		return Page{}, fmt.Errorf("could not list instances: %w", err)
	}
	defer rows.Close() //nolint:errcheck // only read
	page := Page{}
	var keys [][]any
	for rows.Next() {
		keyed := &keyedRow{row: rows, keys: make([]any, len(order))}
		i, err := scan(keyed)
		if err != nil {
			return Page{}, fmt.Errorf("could not list instances: %w", err)
		}
		page.Instances, keys = append(page.Instances, i), append(keys, keyed.keys)
	}
	if err := rows.Err(); err != nil {
		return Page{}, fmt.Errorf("could not list instances: %w", err)
	}
	if len(page.Instances) <= q.Limit {
		return page, nil
	}
	page.Instances, page.Next = page.Instances[:q.Limit], keys[q.Limit-1]
	err = s.reader.QueryRowContext(ctx, "SELECT count(*) FROM instances WHERE "+rest, args...).Scan(&page.Remaining)
	page.Remaining -= q.Limit
	return page, err
}

// keyedRow scans the sort keys that follow an instance's columns.
type keyedRow struct {
	row  scanner
	keys []any
}

func (k *keyedRow) Scan(dest ...any) error {
	for i := range k.keys {
		dest = append(dest, &k.keys[i])
	}
	return k.row.Scan(dest...)
}

func (q Query) where() (terms []string, args []any, err error) {
	terms = []string{"1=1"}
	if q.Namespaces != nil {
		if len(q.Namespaces) == 0 {
			terms = append(terms, "1=0")
		} else {
			terms = append(terms, "namespace IN (?"+strings.Repeat(",?", len(q.Namespaces)-1)+")")
			for _, n := range q.Namespaces {
				args = append(args, n)
			}
		}
	}
	for _, set := range []struct {
		values   map[string]string
		operator string
	}{{q.Equal, " = ?"}, {q.Differ, " <> ?"}} {
		names := make([]string, 0, len(set.values))
		for name := range set.values {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			column, ok := fields[name]
			if !ok {
				return nil, nil, ErrField{name}
			}
			terms, args = append(terms, column+set.operator), append(args, argument(column, set.values[name]))
		}
	}
	return terms, args, nil
}

func argument(column, value string) any {
	if column != "simulated" {
		return value
	}
	if value == "true" {
		return 1
	}
	if value == "false" {
		return 0
	}
	return value
}

func (q Query) order() ([]ordered, error) {
	var order []ordered
	used := map[string]bool{}
	for _, o := range q.Sort {
		column, ok := fields[o.Field]
		if !ok {
			return nil, ErrField{o.Field}
		}
		if used[column] {
			continue
		}
		used[column] = true
		if column == "seat" {
			// Seats sort by their numbers: account-2 before account-10.
			order = append(order, ordered{"component", o.Down}, ordered{"number", o.Down})
			used["component"], used["number"] = true, true
			continue
		}
		order = append(order, ordered{column, o.Down})
	}
	for _, column := range tie {
		if !used[column] {
			order = append(order, ordered{column, false})
		}
	}
	return order, nil
}

func keyColumns(order []ordered) string {
	names := make([]string, 0, len(order))
	for _, o := range order {
		names = append(names, o.column)
	}
	return strings.Join(names, ", ")
}

func orderBy(order []ordered) string {
	names := make([]string, 0, len(order))
	for _, o := range order {
		if o.down {
			names = append(names, o.column+" DESC")
		} else {
			names = append(names, o.column)
		}
	}
	return strings.Join(names, ", ")
}

// after is the condition of coming later than the values in a mixed order:
// (a > x) OR (a = x AND b < y) OR …
func after(order []ordered, values []any) (string, []any) {
	var alternatives []string
	var args []any
	for i, o := range order {
		var terms []string
		for k := range i {
			terms, args = append(terms, order[k].column+" = ?"), append(args, values[k])
		}
		sign := " > ?"
		if o.down {
			sign = " < ?"
		}
		terms, args = append(terms, o.column+sign), append(args, values[i])
		alternatives = append(alternatives, "("+strings.Join(terms, " AND ")+")")
	}
	return "(" + strings.Join(alternatives, " OR ") + ")", args
}

// Namespaces lists the hub namespaces that have instances.
func (s *Store) Namespaces(ctx context.Context) ([]string, error) {
	rows, err := s.reader.QueryContext(ctx, `SELECT DISTINCT namespace FROM instances ORDER BY namespace`)
	if err != nil {
		return nil, fmt.Errorf("could not list the namespaces of instances: %w", err)
	}
	defer rows.Close() //nolint:errcheck // only read
	var names []string
	for rows.Next() {
		name := ""
		if err := rows.Scan(&name); err != nil {
			return nil, fmt.Errorf("could not list the namespaces of instances: %w", err)
		}
		names = append(names, name)
	}
	return names, rows.Err()
}

// Find returns who sits on a seat: the ready one first, else the newest.
func (s *Store) Find(ctx context.Context, namespace, application, seat string) (delivery.Instance, bool, error) {
	rows, err := s.reader.QueryContext(ctx, "SELECT "+columns+` FROM instances WHERE namespace = ? AND application = ? AND seat = ?
		ORDER BY ready DESC, created DESC LIMIT 1`, namespace, application, seat)
	if err != nil {
		return delivery.Instance{}, false, fmt.Errorf("could not find instance %q: %w", seat, err)
	}
	defer rows.Close() //nolint:errcheck // only read
	if !rows.Next() {
		return delivery.Instance{}, false, rows.Err()
	}
	i, err := scan(rows)
	return i, err == nil, err
}
