// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package inventory

import (
	"context"
	"crypto/rand"
	"database/sql"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/fairway-cloud/fairway/internal/platform/database"
)

//go:embed *.sql
var tables embed.FS

// Store keeps the list in the server's database.
type Store struct {
	db *database.DB
	// epoch names this list: its sequence begins at 1.
	epoch string

	mu      sync.Mutex
	waiting []chan struct{}
}

// Open prepares the tables.
func Open(ctx context.Context, db *database.DB) (*Store, error) {
	if err := db.Migrate(ctx, tables, "inventory_versions"); err != nil {
		return nil, fmt.Errorf("could not open the inventory: %w", err)
	}
	s := &Store{db: db}
	err := db.Tx(ctx, func(tx *database.Tx) error {
		err := tx.QueryRow(ctx, "SELECT epoch FROM inventory_clock").Scan(&s.epoch)
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		s.epoch = rand.Text()
		_, err = tx.Exec(ctx, "INSERT INTO inventory_clock (epoch, sequence) VALUES (?, 0)", s.epoch)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("could not open the inventory: %w", err)
	}
	return s, nil
}

// Epoch names the list. Where it is another than a reader remembers, the reader begins anew.
func (s *Store) Epoch() string { return s.epoch }

// Head is the sequence of the last change.
func (s *Store) Head(ctx context.Context) (head int64, err error) {
	if err := s.db.QueryRow(ctx, "SELECT sequence FROM inventory_clock WHERE epoch = ?", s.epoch).Scan(&head); err != nil {
		return 0, fmt.Errorf("could not read how far the inventory is: %w", err)
	}
	return head, nil
}

// Of is what the list holds of an application, what is gone aside.
func (s *Store) Of(ctx context.Context, namespace, application string) ([]Instance, error) {
	found, err := s.read(ctx, "WHERE namespace = ? AND application = ? AND gone = 0 ORDER BY component, number", namespace, application)
	if err != nil {
		return nil, fmt.Errorf("could not read the inventory of application %q: %w", application, err)
	}
	return found, nil
}

// Applications are those of which the list holds anything, as "<namespace>/<name>".
func (s *Store) Applications(ctx context.Context) ([]string, error) {
	return s.texts(ctx, "SELECT namespace || '/' || application FROM inventory_heads ORDER BY namespace, application")
}

// Namespaces are those of which the list holds anything.
func (s *Store) Namespaces(ctx context.Context) ([]string, error) {
	return s.texts(ctx, "SELECT DISTINCT namespace FROM inventory_heads ORDER BY namespace")
}

func (s *Store) texts(ctx context.Context, query string) ([]string, error) {
	rows, err := s.db.Query(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("could not read the inventory: %w", err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		text := ""
		if err := rows.Scan(&text); err != nil {
			return nil, fmt.Errorf("could not read the inventory: %w", err)
		}
		out = append(out, text)
	}
	return out, rows.Err()
}

// Apply makes the instances the only ones of the application. What changed gets the next
// numbers of the sequence; where nothing did, nothing is written. One at a time for each
// application.
func (s *Store) Apply(ctx context.Context, namespace, application string, wanted []Instance, now time.Time) (changed int, err error) {
	before, err := s.Of(ctx, namespace, application)
	if err != nil {
		return 0, err
	}
	changes := differences(before, wanted)
	if len(changes) == 0 {
		return 0, nil
	}
	err = s.db.Tx(ctx, func(tx *database.Tx) error { return s.write(ctx, tx, namespace, application, changes, now) })
	if err != nil {
		return 0, fmt.Errorf("could not write the inventory of application %q: %w", application, err)
	}
	s.wake()
	return len(changes), nil
}

// differences are the instances that are new, changed or gone.
func differences(before, wanted []Instance) []Instance {
	were := map[key]Instance{}
	for _, b := range before {
		were[b.key()] = b
	}
	var changes []Instance
	for _, w := range wanted {
		b, was := were[w.key()]
		delete(were, w.key())
		if was && b.same(w) {
			continue
		}
		w.Since = b.Since // zero where it was not there
		changes = append(changes, w)
	}
	for _, b := range before {
		if _, left := were[b.key()]; left {
			b.State = Gone
			changes = append(changes, b)
		}
	}
	return changes
}

// write numbers the changes. The clock's row is held until the end, so that a reader that
// sees a number has seen all before it.
func (s *Store) write(ctx context.Context, tx *database.Tx, namespace, application string, changes []Instance, now time.Time) error {
	if _, err := tx.Exec(ctx, "UPDATE inventory_clock SET sequence = sequence + ? WHERE epoch = ?", len(changes), s.epoch); err != nil {
		return err
	}
	var head int64
	if err := tx.QueryRow(ctx, "SELECT sequence FROM inventory_clock WHERE epoch = ?", s.epoch).Scan(&head); err != nil {
		return err
	}
	sequence := head - int64(len(changes))
	for _, c := range changes {
		sequence++
		since := now
		if !c.Since.IsZero() {
			since = c.Since
		}
		body, err := json.Marshal(c)
		if err != nil {
			return err
		}
		gone := 0
		if c.State == Gone {
			gone = 1
		}
		if _, err := tx.Exec(ctx, `INSERT INTO inventory (namespace, application, component, number, dcn, body, gone, since, changed_at, sequence) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (namespace, application, component, number) DO UPDATE SET dcn = excluded.dcn, body = excluded.body, gone = excluded.gone, since = excluded.since,
			changed_at = excluded.changed_at, sequence = excluded.sequence`,
			namespace, application, c.Component, c.number, c.DCN, string(body), gone, since.UnixMilli(), now.UnixMilli(), sequence); err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, "INSERT INTO inventory_heads (namespace, application, head) VALUES (?, ?, ?) ON CONFLICT (namespace, application) DO UPDATE SET head = excluded.head",
		namespace, application, head)
	return err
}

// Query is a question about the list.
type Query struct {
	// Namespaces that may be shown. Nil: all. Empty: none.
	Namespaces []string
	// Application, Component and DCN that are asked for. Empty: all.
	Application, Component, DCN string
	// After is where the previous page ended. Zero: from the start.
	After Position
	// Limit is the most instances, at least 1.
	Limit int
}

// Position is an instance's place in the order of names.
type Position struct {
	Namespace, Application, Component string
	Number                            int32
}

// MostBytes bounds a page: an instance more would make it longer.
const MostBytes = 180 << 10

// List answers a question, in the order of names, what is gone aside. more says that others
// follow.
func (s *Store) List(ctx context.Context, q Query) (found []Instance, more bool, err error) {
	where, args := q.where()
	where = append(where, "gone = 0")
	if q.After != (Position{}) {
		where = append(where, "(namespace, application, component, number) > (?, ?, ?, ?)")
		args = append(args, q.After.Namespace, q.After.Application, q.After.Component, q.After.Number)
	}
	return s.page(ctx, "WHERE "+strings.Join(where, " AND ")+" ORDER BY namespace, application, component, number LIMIT ?", q.Limit, args)
}

// Changes are the instances that changed after a number of the sequence, each as it is now
// and what is gone included, in the order of the sequence.
func (s *Store) Changes(ctx context.Context, q Query, since int64) (found []Instance, more bool, err error) {
	where, args := q.where()
	where, args = append(where, "sequence > ?"), append(args, since)
	return s.page(ctx, "WHERE "+strings.Join(where, " AND ")+" ORDER BY sequence LIMIT ?", q.Limit, args)
}

func (q Query) where() (where []string, args []any) {
	where = []string{"1 = 1"}
	if q.Namespaces != nil && len(q.Namespaces) == 0 {
		where = append(where, "1 = 0")
	}
	if len(q.Namespaces) > 0 {
		where = append(where, "namespace IN (?"+strings.Repeat(", ?", len(q.Namespaces)-1)+")")
		for _, n := range q.Namespaces {
			args = append(args, n)
		}
	}
	for _, equal := range []struct{ column, value string }{{"application", q.Application}, {"component", q.Component}, {"dcn", q.DCN}} {
		if equal.value != "" {
			where, args = append(where, equal.column+" = ?"), append(args, equal.value)
		}
	}
	return where, args
}

// page reads up to a number of instances, and up to MostBytes.
func (s *Store) page(ctx context.Context, rest string, limit int, args []any) (found []Instance, more bool, err error) {
	all, err := s.read(ctx, rest, append(args, limit+1)...)
	if err != nil {
		return nil, false, fmt.Errorf("could not read the inventory: %w", err)
	}
	size := 0
	for i := range all {
		body, err := json.Marshal(all[i])
		if err != nil {
			return nil, false, fmt.Errorf("could not read the inventory: %w", err)
		}
		if size += len(body) + 1; i == limit || i > 0 && size > MostBytes {
			return all[:i], true, nil
		}
	}
	return all, false, nil
}

func (s *Store) read(ctx context.Context, rest string, args ...any) ([]Instance, error) {
	rows, err := s.db.Query(ctx, "SELECT body, number, since, changed_at, sequence FROM inventory "+rest, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []Instance
	for rows.Next() {
		var body string
		var since, changed int64
		i := Instance{}
		if err := rows.Scan(&body, &i.number, &since, &changed, &i.Sequence); err != nil {
			return nil, err
		}
		sequence := i.Sequence
		if err := json.Unmarshal([]byte(body), &i); err != nil {
			return nil, err
		}
		i.Sequence, i.Since, i.ChangedAt = sequence, time.UnixMilli(since).UTC(), time.UnixMilli(changed).UTC()
		out = append(out, i)
	}
	return out, rows.Err()
}

// Position of an instance in the order of names.
func (i Instance) Position() Position {
	return Position{Namespace: i.Namespace, Application: i.Application, Component: i.Component, Number: i.number}
}

// changed is told when something was written.
func (s *Store) changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := make(chan struct{}, 1)
	s.waiting = append(s.waiting, c)
	return c
}

func (s *Store) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.waiting {
		select {
		case c <- struct{}{}:
		default: // it is awake already
		}
	}
}
