// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package connections

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/fairway-cloud/fairway/internal/platform/members"
	"github.com/fairway-cloud/fairway/internal/platform/members/served"
)

// errNotTaken says that somebody could not begin to use a member that answers.
var errNotTaken = errors.New("could not take the member into use")

// connection is the one owner of what leads to a member.
type connection struct {
	all  *Connections
	name string
	wish Wish
	stop context.CancelFunc

	mu     sync.Mutex
	state  State
	member *member
	late   []func(context.Context, members.Member) error
	wake   chan struct{} // late has grown
}

func newConnection(all *Connections, name string, wish Wish) *connection {
	return &connection{
		all: all, name: name, wish: wish, stop: func() {}, wake: make(chan struct{}, 1),
		state: State{Reason: ReasonConnecting, Message: "the first attempt has not ended", UID: wish.UID, Since: time.Now()},
	}
}

// State returns what is known now.
func (c *connection) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

// expected is the UID that the member must have; empty before the first contact.
func (c *connection) expected() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.wish.UID != "" {
		return c.wish.UID
	}
	return c.state.UID
}

func (c *connection) current() *member {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.member == nil || c.member.ctx.Err() != nil {
		return nil
	}
	return c.member
}

// run connects, stays connected and connects again until ctx ends.
func (c *connection) run(ctx context.Context) {
	backoff := c.all.options.MinBackoff
	for ctx.Err() == nil {
		began := time.Now()
		err := c.once(ctx)
		if ctx.Err() != nil {
			c.report(State{Reason: ReasonDisconnected, Message: "the hub does not lead, or the cluster was taken out of the fleet"})
			return
		}
		reason, message := explain(c.wish.Credentials.Server, err)
		c.all.options.Log.V(1).Info("a connection ended", "cluster", c.name, "cause", fmt.Sprint(err))
		c.report(State{Reason: reason, Message: message})
		if time.Since(began) > c.all.options.MaxBackoff {
			backoff = c.all.options.MinBackoff
		}
		select {
		case <-ctx.Done():
		case <-time.After(backoff/2 + rand.N(backoff)): // spread, so that a thousand members do not return at once
		}
		backoff = min(2*backoff, c.all.options.MaxBackoff)
	}
}

// once connects and returns why the connection ended.
func (c *connection) once(ctx context.Context) (err error) {
	defer func() {
		if met := recover(); met != nil {
			err = fmt.Errorf("the connection met an error of Fairway's own: %v", met)
		}
	}()
	ctx, lost := context.WithCancelCause(ctx)
	defer lost(members.ErrNotConnected)

	dialing, done := context.WithTimeout(ctx, c.all.options.ConnectTimeout)
	defer done()
	m, err := dial(dialing, c.name, c.wish.Credentials, c.expected(), c.all.options, &c.all.library)
	if err != nil {
		return err
	}
	defer m.http.CloseIdleConnections()
	m.ctx = ctx

	filling := make(chan error, 1)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		filling <- m.cache.Start(ctx)
	}()
	defer func() { lost(members.ErrNotConnected); <-ended }()
	if err := m.fill(dialing); err != nil {
		return err
	}
	done()

	engages := c.publish(m)
	defer c.withdraw()
	c.report(State{Connected: true, Reason: ReasonConnected, Message: "the member answers", Version: m.Served().Version(), UID: m.uid, APIDigest: m.digest()})
	for _, engage := range engages {
		if err := engage(ctx, m); err != nil {
			return fmt.Errorf("%w: %w", errNotTaken, err)
		}
	}
	return c.watch(ctx, m, filling)
}

// publish makes the member known and returns who is to be engaged. Who
// registers after this is engaged by engageLater, so that nobody is missed or
// engaged twice.
func (c *connection) publish(m *member) []func(context.Context, members.Member) error {
	c.all.mu.Lock()
	defer c.all.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.member, c.late = m, nil
	return append([]func(context.Context, members.Member) error{}, c.all.engages...)
}

// withdraw takes the member back.
func (c *connection) withdraw() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.member, c.late = nil, nil
}

// engageLater engages somebody who came after the connection.
func (c *connection) engageLater(engage func(context.Context, members.Member) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.member == nil {
		return
	}
	c.late = append(c.late, engage)
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *connection) takeLate() []func(context.Context, members.Member) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	late := c.late
	c.late = nil
	return late
}

// watch probes the member until it fails.
func (c *connection) watch(ctx context.Context, m *member, filling <-chan error) error {
	ticker := time.NewTicker(c.all.options.Interval)
	defer ticker.Stop()
	failed, learned := 0, time.Now()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case err := <-filling:
			return errors.Join(errors.New("the cache of the member ended"), err)
		case <-c.wake:
			for _, engage := range c.takeLate() {
				if err := engage(ctx, m); err != nil {
					return fmt.Errorf("%w: %w", errNotTaken, err)
				}
			}
		case <-ticker.C:
			err := m.probe(ctx, c.all.options.Timeout, c.expected())
			if err == nil && time.Since(learned) >= c.all.options.Relearn {
				learned = time.Now()
				err = c.relearn(ctx, m)
			}
			if err == nil {
				failed = 0
				continue
			}
			failed++
			if final(err) || failed >= c.all.options.Failures {
				return err
			}
		}
	}
}

// relearn finds out whether the member serves other kinds or fields than before.
func (c *connection) relearn(ctx context.Context, m *member) error {
	ctx, cancel := context.WithTimeout(ctx, c.all.options.ConnectTimeout)
	defer cancel()
	digest, err := served.Digest(ctx, m.config, m.http, m.api.Load())
	if err != nil || digest == m.digest() {
		return err
	}
	api, err := c.all.library.Discover(ctx, m.config, m.http)
	if err != nil {
		return err
	}
	m.api.Store(api)
	c.report(State{Connected: true, Reason: ReasonConnected, Message: "the member answers", Version: api.Version(), UID: m.uid, APIDigest: api.Digest()})
	return nil
}

// report remembers a state and tells of it where it differs. A member that is
// away keeps what it last said of itself.
func (c *connection) report(next State) {
	c.mu.Lock()
	before := c.state
	next.Since = before.Since
	if next.Connected != before.Connected {
		next.Since = time.Now()
	}
	if !next.Connected {
		next.Version, next.UID, next.APIDigest = before.Version, before.UID, before.APIDigest
	}
	c.state = next
	c.mu.Unlock()
	if next == before {
		return
	}
	if next.Connected != before.Connected {
		c.all.options.Log.Info("the connection changed", "cluster", c.name, "connected", next.Connected, "reason", next.Reason)
	}
	c.all.tell(c.name)
}
