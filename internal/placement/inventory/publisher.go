// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package inventory

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/fairway-cloud/fairway/internal/platform/database"
	"github.com/fairway-cloud/fairway/internal/platform/outbox"
)

// Publisher puts into the outbox what receivers have to learn: of each application one
// message at a time, the next once that one was taken. It runs on the leader.
type Publisher struct {
	Store     *Store
	Outbox    *outbox.Outbox
	Receivers []Receiver
	Clock     clock.WithTicker
	Log       *slog.Logger
}

const (
	// mostTold is the most instances of one message; MostBytes bounds it, too.
	mostTold = 200
	// lookEvery is how often it is looked whether messages were taken.
	lookEvery = time.Second
	// batch is how many applications are looked at in one go.
	batch = 500
)

// queue of a receiver in the outbox.
func queue(receiver string) string { return "inventory/" + receiver }

// Start publishes until ctx ends.
func (p *Publisher) Start(ctx context.Context) error {
	changed := p.Store.changed()
	ticker := p.Clock.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		for _, r := range p.Receivers {
			if err := p.Round(ctx, r); err != nil && ctx.Err() == nil {
				p.Log.Error("could not publish the inventory; it is tried again", "receiver", r.Name, "cause", err.Error())
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C():
		case <-changed:
		}
	}
}

// behind is how far a receiver is with one application that it does not know all of.
type behind struct {
	namespace, application string
	sequence, through      int64
	outgoing               string
}

// Round puts what is next of every application that the receiver is behind with.
func (p *Publisher) Round(ctx context.Context, r Receiver) error {
	generation, err := p.generation(ctx, r.Name)
	if err != nil {
		return err
	}
	last := behind{}
	for {
		some, err := p.behind(ctx, r.Name, last)
		if err != nil || len(some) == 0 {
			return err
		}
		for _, b := range some {
			if !r.hears(b.namespace) {
				continue
			}
			if err := errors.Join(p.advance(ctx, r, generation, b), ctx.Err()); err != nil {
				return err
			}
		}
		last = some[len(some)-1]
	}
}

// generation counts how often a receiver was told everything anew.
func (p *Publisher) generation(ctx context.Context, receiver string) (generation int64, err error) {
	err = p.Store.db.QueryRow(ctx, "SELECT generation FROM inventory_receivers WHERE receiver = ?", receiver).Scan(&generation)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("could not read how far receiver %q is: %w", receiver, err)
	}
	return generation, nil
}

// behind are applications of which the receiver does not know all, in the order of names.
func (p *Publisher) behind(ctx context.Context, receiver string, after behind) ([]behind, error) {
	rows, err := p.Store.db.Query(ctx, `SELECT h.namespace, h.application, COALESCE(p.sequence, 0), COALESCE(p.outgoing, ''), COALESCE(p.through, 0)
		FROM inventory_heads h LEFT JOIN inventory_published p ON p.receiver = ? AND p.namespace = h.namespace AND p.application = h.application
		WHERE h.head > COALESCE(p.sequence, 0) AND (h.namespace > ? OR h.namespace = ? AND h.application > ?) ORDER BY h.namespace, h.application LIMIT ?`,
		receiver, after.namespace, after.namespace, after.application, batch)
	if err != nil {
		return nil, fmt.Errorf("could not read how far receiver %q is: %w", receiver, err)
	}
	defer rows.Close()
	var out []behind
	for rows.Next() {
		b := behind{}
		if err := rows.Scan(&b.namespace, &b.application, &b.sequence, &b.outgoing, &b.through); err != nil {
			return nil, fmt.Errorf("could not read how far receiver %q is: %w", receiver, err)
		}
		out = append(out, b)
	}
	return out, rows.Err()
}

// advance puts the next message of an application, unless one is on its way. What is on its
// way is noted before it is put, so that after a crash none overtakes another.
func (p *Publisher) advance(ctx context.Context, r Receiver, generation int64, b behind) error {
	if b.outgoing != "" {
		state, _, found, err := p.Outbox.StateOf(ctx, queue(r.Name), b.outgoing)
		switch {
		case err != nil:
			return err
		case found && state == outbox.Waiting:
			return nil
		case found && state == outbox.Sent:
			taken := b.outgoing
			now := behind{namespace: b.namespace, application: b.application, sequence: b.through}
			if noted, err := p.note(ctx, r.Name, b, now); err != nil || !noted {
				return err
			}
			if err := p.Outbox.Erase(ctx, queue(r.Name), taken); err != nil {
				return err
			}
			b = now
		}
		// What was noted and never put is made anew.
	}
	changes, _, err := p.Store.Changes(ctx, Query{Namespaces: []string{b.namespace}, Application: b.application, Limit: mostTold}, b.sequence)
	if err != nil || len(changes) == 0 {
		return err
	}
	m := Message{
		Version: 1, Receiver: r.Name, Epoch: p.Store.Epoch(), Namespace: b.namespace, Application: b.application,
		After: b.sequence, Through: changes[len(changes)-1].Sequence, Instances: changes,
	}
	m.ID = m.Epoch + "." + strconv.FormatInt(generation, 10) + "." + b.namespace + "." + b.application + "." + strconv.FormatInt(m.Through, 10)
	body, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("could not write what changed of application %q: %w", b.application, err)
	}
	now := b
	now.outgoing, now.through = m.ID, m.Through
	if noted, err := p.note(ctx, r.Name, b, now); err != nil || !noted {
		return err
	}
	_, err = p.Outbox.Put(ctx, outbox.Message{Queue: queue(r.Name), ID: m.ID, Body: body}, p.Clock.Now())
	return err
}

// note writes how far a receiver is, unless somebody has set it back meanwhile.
func (p *Publisher) note(ctx context.Context, receiver string, before, now behind) (noted bool, err error) {
	fail := func(err error) error { return fmt.Errorf("could not note how far receiver %q is: %w", receiver, err) }
	if before.sequence == 0 && before.outgoing == "" {
		if _, err := p.Store.db.Exec(ctx, `INSERT INTO inventory_published (receiver, namespace, application, sequence, outgoing, through) VALUES (?, ?, ?, 0, '', 0)
			ON CONFLICT (receiver, namespace, application) DO NOTHING`, receiver, before.namespace, before.application); err != nil {
			return false, fail(err)
		}
	}
	result, err := p.Store.db.Exec(ctx, `UPDATE inventory_published SET sequence = ?, outgoing = ?, through = ?
		WHERE receiver = ? AND namespace = ? AND application = ? AND sequence = ? AND outgoing = ?`,
		now.sequence, now.outgoing, now.through, receiver, before.namespace, before.application, before.sequence, before.outgoing)
	if err != nil {
		return false, fail(err)
	}
	n, err := result.RowsAffected()
	return n == 1, err
}

// ErrNoReceiver: the configuration names no such receiver.
var ErrNoReceiver = errors.New("no such receiver")

// Replay has a receiver told anew what changed after a number of the sequence; 0:
// everything, what is gone included.
func (p *Publisher) Replay(ctx context.Context, receiver string, from int64) error {
	if !slices.ContainsFunc(p.Receivers, func(r Receiver) bool { return r.Name == receiver }) {
		return fmt.Errorf("%w: %q", ErrNoReceiver, receiver)
	}
	ids, err := p.outgoing(ctx, receiver)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := p.Outbox.Drop(ctx, queue(receiver), id, "everything is told anew", p.Clock.Now()); err != nil {
			return err
		}
	}
	err = p.Store.db.Tx(ctx, func(tx *database.Tx) error {
		if _, err := tx.Exec(ctx, "INSERT INTO inventory_receivers (receiver, generation) VALUES (?, 1) ON CONFLICT (receiver) DO UPDATE SET generation = inventory_receivers.generation + 1", receiver); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "UPDATE inventory_published SET sequence = CASE WHEN sequence > ? THEN ? ELSE sequence END, outgoing = '', through = 0 WHERE receiver = ?", from, from, receiver)
		return err
	})
	if err != nil {
		return fmt.Errorf("could not set receiver %q back: %w", receiver, err)
	}
	p.Store.wake()
	return nil
}

func (p *Publisher) outgoing(ctx context.Context, receiver string) ([]string, error) {
	rows, err := p.Store.db.Query(ctx, "SELECT outgoing FROM inventory_published WHERE receiver = ? AND outgoing <> ''", receiver)
	if err != nil {
		return nil, fmt.Errorf("could not read what is on its way to receiver %q: %w", receiver, err)
	}
	defer rows.Close()
	var ids []string
	for rows.Next() {
		id := ""
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("could not read what is on its way to receiver %q: %w", receiver, err)
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

// Workers send what the outbox holds, one for each receiver.
func (p *Publisher) Workers() []*outbox.Worker {
	var out []*outbox.Worker
	for _, r := range p.Receivers {
		out = append(out, &outbox.Worker{Outbox: p.Outbox, Queue: queue(r.Name), Clock: p.Clock, Log: p.Log,
			Send: func(ctx context.Context, m outbox.Message) (string, error) {
				_, err := r.Target.Post(ctx, Purpose, m.ID, m.Body)
				return "", err
			}})
	}
	return out
}

// SetupWithManager registers the publisher and its workers.
func (p *Publisher) SetupWithManager(mgr ctrl.Manager) error {
	errs := []error{mgr.Add(p)}
	for _, w := range p.Workers() {
		errs = append(errs, mgr.Add(w))
	}
	return errors.Join(errs...)
}
