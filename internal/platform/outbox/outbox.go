// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package outbox keeps messages to other systems until they have taken them: each
// is sent at least once, also over a crash, and put in once however often it is
// offered. Who sends is Worker; who receives tells repetitions by their id.
package outbox

import (
	"context"
	"embed"
	"fmt"
	"strings"
	"time"

	"github.com/fairway-cloud/fairway/internal/platform/database"
)

//go:embed *.sql
var tables embed.FS

// Message is one message that waits.
type Message struct {
	// Queue is whom it is for. Each queue has one worker, and is slow for itself only.
	Queue string
	// ID is the message's own, within its queue. A message of the same ID is the same.
	ID string
	// Body as it was put in.
	Body []byte
	// Until is when it is no longer worth sending. Zero: it always is.
	Until time.Time
	// Attempts that failed so far.
	Attempts int
	// Made is when it was put in.
	Made time.Time
}

// State is how far a message is.
type State string

// The states of a message.
const (
	// Waiting to be sent, or sent again.
	Waiting State = "Waiting"
	// Sent and acknowledged.
	Sent State = "Sent"
	// Dropped before it was acknowledged: it was not worth sending any more.
	Dropped State = "Dropped"
)

// Outbox holds the messages in the server's database.
type Outbox struct {
	db   *database.DB
	wake chan struct{}
}

// Open prepares the tables.
func Open(ctx context.Context, db *database.DB) (*Outbox, error) {
	if err := db.Migrate(ctx, tables, "outbox_versions"); err != nil {
		return nil, fmt.Errorf("could not open the outbox: %w", err)
	}
	return &Outbox{db: db, wake: make(chan struct{}, 1)}, nil
}

// Put keeps a message. When it returns, the message outlives a crash. One of the
// same queue and ID that is there already, whatever became of it, is left alone:
// added then is false.
func (o *Outbox) Put(ctx context.Context, m Message, now time.Time) (added bool, err error) {
	until := int64(0)
	if !m.Until.IsZero() {
		until = m.Until.UnixMilli()
	}
	result, err := o.db.Exec(ctx, `INSERT INTO outbox (queue, id, body, made_at, due_at, until_at, attempts, state, note, ended_at)
		VALUES (?, ?, ?, ?, ?, ?, 0, ?, '', 0) ON CONFLICT (queue, id) DO NOTHING`,
		m.Queue, m.ID, string(m.Body), now.UnixMilli(), now.UnixMilli(), until, string(Waiting))
	if err != nil {
		return false, fmt.Errorf("could not keep message %q for %s: %w", m.ID, m.Queue, err)
	}
	n, err := result.RowsAffected()
	if n > 0 {
		select {
		case o.wake <- struct{}{}:
		default: // somebody is awake already
		}
	}
	return n > 0, err
}

// StateOf says how far a message is, with its note: what the receiver answered, or
// why it failed last. found is false where it was never put in.
func (o *Outbox) StateOf(ctx context.Context, queue, id string) (state State, note string, found bool, err error) {
	rows, err := o.db.Query(ctx, "SELECT state, note FROM outbox WHERE queue = ? AND id = ?", queue, id)
	if err != nil {
		return "", "", false, fmt.Errorf("could not look up message %q for %s: %w", id, queue, err)
	}
	defer rows.Close()
	for rows.Next() {
		found = true
		if err := rows.Scan(&state, &note); err != nil {
			return "", "", false, fmt.Errorf("could not look up message %q for %s: %w", id, queue, err)
		}
	}
	return state, note, found, rows.Err()
}

// Drop gives up a message that still waits.
func (o *Outbox) Drop(ctx context.Context, queue, id, why string, now time.Time) error {
	return o.end(ctx, queue, id, Dropped, why, now)
}

// Forget removes messages that ended before that time. Offered again they would be
// sent again: keep them for longer than what they are about.
func (o *Outbox) Forget(ctx context.Context, before time.Time) error {
	if _, err := o.db.Exec(ctx, "DELETE FROM outbox WHERE state <> ? AND ended_at < ?", string(Waiting), before.UnixMilli()); err != nil {
		return fmt.Errorf("could not clear the outbox: %w", err)
	}
	return nil
}

// Erase forgets a message that has ended, where whoever put it in remembers itself that it
// was taken. One that waits is left alone.
func (o *Outbox) Erase(ctx context.Context, queue, id string) error {
	if _, err := o.db.Exec(ctx, "DELETE FROM outbox WHERE queue = ? AND id = ? AND state <> ?", queue, id, string(Waiting)); err != nil {
		return fmt.Errorf("could not forget message %q for %s: %w", id, queue, err)
	}
	return nil
}

// due returns messages whose time has come, the oldest first.
func (o *Outbox) due(ctx context.Context, queue string, now time.Time, limit int) ([]Message, error) {
	rows, err := o.db.Query(ctx, `SELECT id, body, made_at, until_at, attempts FROM outbox
		WHERE queue = ? AND state = ? AND due_at <= ? ORDER BY due_at, id LIMIT ?`, queue, string(Waiting), now.UnixMilli(), limit)
	if err != nil {
		return nil, fmt.Errorf("could not read the messages for %s: %w", queue, err)
	}
	defer rows.Close()
	var out []Message
	for rows.Next() {
		m := Message{Queue: queue}
		var body string
		var made, until int64
		if err := rows.Scan(&m.ID, &body, &made, &until, &m.Attempts); err != nil {
			return nil, fmt.Errorf("could not read the messages for %s: %w", queue, err)
		}
		m.Body, m.Made = []byte(body), time.UnixMilli(made)
		if until != 0 {
			m.Until = time.UnixMilli(until)
		}
		out = append(out, m)
	}
	return out, rows.Err()
}

func (o *Outbox) end(ctx context.Context, queue, id string, state State, note string, now time.Time) error {
	if _, err := o.db.Exec(ctx, "UPDATE outbox SET state = ?, note = ?, ended_at = ? WHERE queue = ? AND id = ? AND state = ?",
		string(state), bounded(note), now.UnixMilli(), queue, id, string(Waiting)); err != nil {
		return fmt.Errorf("could not note what became of message %q for %s: %w", id, queue, err)
	}
	return nil
}

// later notes a failure and when the next attempt is due.
func (o *Outbox) later(ctx context.Context, m Message, at time.Time, note string) error {
	if _, err := o.db.Exec(ctx, "UPDATE outbox SET attempts = attempts + 1, due_at = ?, note = ? WHERE queue = ? AND id = ? AND state = ?",
		at.UnixMilli(), bounded(note), m.Queue, m.ID, string(Waiting)); err != nil {
		return fmt.Errorf("could not note what became of message %q for %s: %w", m.ID, m.Queue, err)
	}
	return nil
}

// bounded keeps a note to what is read of it.
func bounded(note string) string {
	if len(note) > 512 {
		note = note[:512]
	}
	return strings.ReplaceAll(strings.ToValidUTF8(note, "?"), "\x00", "?")
}
