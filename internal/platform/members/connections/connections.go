// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package connections

import (
	"context"
	"reflect"
	"sync"
	"time"

	"github.com/go-logr/logr"

	"github.com/fairway-cloud/fairway/internal/fleet"
	"github.com/fairway-cloud/fairway/internal/platform/members"
	"github.com/fairway-cloud/fairway/internal/platform/members/served"
)

// Options say how connections are made and watched. The zero value of each
// time is replaced by its default.
type Options struct {
	// Fence is asked before each write to a member. Required.
	Fence members.Fence
	// Log receives what changed. Errors are told through State.
	Log logr.Logger
	// Interval lies between two probes of a connected member. Default: 5 s.
	Interval time.Duration
	// Timeout bounds one probe. Default: 4 s.
	Timeout time.Duration
	// Failures is how many probes in a row fail before a member counts as
	// disconnected. Default: 3.
	Failures int
	// ConnectTimeout bounds connecting, the first filling of the cache included.
	// Default: 60 s.
	ConnectTimeout time.Duration
	// MinBackoff and MaxBackoff bound the wait between two attempts to connect.
	// Defaults: 1 s and 30 s.
	MinBackoff, MaxBackoff time.Duration
	// Relearn lies between two looks at whether the member serves other kinds or
	// fields. Default: 1 min.
	Relearn time.Duration
	// Loopback allows members on the hub's own machine, as the sandbox and tests
	// have them.
	Loopback bool
}

func (o Options) withDefaults() Options {
	for at, value := range map[*time.Duration]time.Duration{
		&o.Interval: 5 * time.Second, &o.Timeout: 4 * time.Second, &o.ConnectTimeout: time.Minute,
		&o.MinBackoff: time.Second, &o.MaxBackoff: 30 * time.Second, &o.Relearn: time.Minute,
	} {
		if *at == 0 {
			*at = value
		}
	}
	if o.Failures == 0 {
		o.Failures = 3
	}
	return o
}

// Wish is how a member is to be reached.
type Wish struct {
	// Credentials to use.
	Credentials fleet.Credentials
	// UID is the UID of the member's kube-system namespace, as it was at the first
	// contact. Where another cluster answers, nothing is done to it. Empty: the
	// first contact is now.
	UID string
}

// State is what is known of one connection.
type State struct {
	// Connected says whether the member can be used now.
	Connected bool
	// Reason in one word and Message for a person; both are stable while nothing changes.
	Reason, Message string
	// Since is when Connected last changed.
	Since time.Time
	// Version, UID and APIDigest are what the member last said of itself.
	Version, UID, APIDigest string
}

// Connections keeps the connections to all members. It implements
// members.Source.
type Connections struct {
	options Options
	library served.Library

	mu      sync.Mutex
	ctx     context.Context // nil until started
	wanted  map[string]*connection
	engages []func(context.Context, members.Member) error
	changed []func(name string)
	running sync.WaitGroup
}

var _ members.Source = &Connections{}

// New returns Connections that begin to dial once Start is called.
func New(options Options) *Connections {
	return &Connections{options: options.withDefaults(), wanted: map[string]*connection{}}
}

// Start dials what is wanted, and ends every connection when ctx ends. It
// implements manager.Runnable.
func (c *Connections) Start(ctx context.Context) error {
	c.mu.Lock()
	c.ctx = ctx
	for _, conn := range c.wanted {
		c.begin(conn)
	}
	c.mu.Unlock()
	<-ctx.Done()
	c.mu.Lock()
	for _, conn := range c.wanted {
		conn.stop()
	}
	c.mu.Unlock()
	c.running.Wait()
	return nil
}

// NeedLeaderElection implements manager.LeaderElectionRunnable: only the leader
// talks to members.
func (c *Connections) NeedLeaderElection() bool { return true }

// Connect wants the member name reached as wish says. The same wish again
// changes nothing; another one replaces the connection.
func (c *Connections) Connect(name string, wish Wish) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var before State
	if old := c.wanted[name]; old != nil {
		if reflect.DeepEqual(old.wish.Credentials, wish.Credentials) && (wish.UID == "" || wish.UID == old.expected()) {
			return
		}
		before = old.State()
		old.stop()
	}
	conn := newConnection(c, name, wish)
	if before.Reason != "" {
		conn.state = before
		conn.state.Connected = false
		conn.state.Reason, conn.state.Message = ReasonConnecting, "the credentials changed: the connection is made anew"
	}
	c.wanted[name] = conn
	c.begin(conn)
}

// Disconnect ends the connection to the member name and forgets it.
func (c *Connections) Disconnect(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if conn := c.wanted[name]; conn != nil {
		conn.stop()
		delete(c.wanted, name)
	}
}

// begin runs a connection. c.mu is held.
func (c *Connections) begin(conn *connection) {
	if c.ctx == nil || c.ctx.Err() != nil {
		return
	}
	ctx, stop := context.WithCancel(c.ctx)
	conn.stop = stop
	c.running.Add(1)
	go func() {
		defer c.running.Done()
		defer stop()
		conn.run(ctx)
	}()
}

// Get implements members.Source.
func (c *Connections) Get(name string) (members.Member, error) {
	c.mu.Lock()
	conn := c.wanted[name]
	c.mu.Unlock()
	if conn == nil {
		return nil, members.ErrNotConnected
	}
	if m := conn.current(); m != nil {
		return m, nil
	}
	return nil, members.ErrNotConnected
}

// OnConnect implements members.Source.
func (c *Connections) OnConnect(engage func(ctx context.Context, m members.Member) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.engages = append(c.engages, engage)
	for _, conn := range c.wanted {
		conn.engageLater(engage)
	}
}

// OnChange has tell called with a member's name whenever its State changes.
// tell returns at once.
func (c *Connections) OnChange(tell func(name string)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changed = append(c.changed, tell)
}

// State returns what is known of the connection to the member name; ok is false
// where none is wanted.
func (c *Connections) State(name string) (state State, ok bool) {
	c.mu.Lock()
	conn := c.wanted[name]
	c.mu.Unlock()
	if conn == nil {
		return State{}, false
	}
	return conn.State(), true
}

func (c *Connections) tell(name string) {
	c.mu.Lock()
	all := append([]func(string){}, c.changed...)
	c.mu.Unlock()
	for _, tell := range all {
		tell(name)
	}
}
