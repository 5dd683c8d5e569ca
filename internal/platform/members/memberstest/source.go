// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package memberstest gives tests of other rooms members without a connection
// keeper: a Source whose members are API servers that the test started.
//
//	source := memberstest.New(t)
//	source.Add("east-1", fleet["east-1"].Config())
//	source.Cut("east-1")  // Get returns ErrNotConnected, engaged contexts end
//	source.Heal("east-1") // engaged again
package memberstest

import (
	"context"
	"sync"
	"testing"

	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairway-cloud/fairway/internal/platform/members"
	"github.com/fairway-cloud/fairway/internal/platform/members/connections"
	"github.com/fairway-cloud/fairway/internal/platform/members/served"
)

// Source is a members.Source whose members the test holds in its hands.
type Source struct {
	// Fence is asked before each write; it may be changed before Add.
	Fence members.Fence

	t       testing.TB
	library served.Library
	mu      sync.Mutex
	members map[string]*Member
	engages []func(context.Context, members.Member) error
}

var _ members.Source = &Source{}

// New returns a Source without members that lets every write pass.
func New(t testing.TB) *Source {
	return &Source{t: t, Fence: Open{}, members: map[string]*Member{}}
}

// Member is one member of a Source. Its fields may be replaced before others use it.
type Member struct {
	MemberName   string
	MemberClient client.Client
	MemberCache  cache.Cache
	MemberServed members.Served
	MemberConfig *rest.Config

	cancel context.CancelFunc // nil while cut
}

// Name implements members.Member.
func (m *Member) Name() string { return m.MemberName }

// Client implements members.Member.
func (m *Member) Client() client.Client { return m.MemberClient }

// Cache implements members.Member. It is nil for a member made by AddClient.
func (m *Member) Cache() cache.Cache { return m.MemberCache }

// Served implements members.Member.
func (m *Member) Served() members.Served { return m.MemberServed }

// Config implements members.Member. It is nil for a member made by AddClient.
func (m *Member) Config() *rest.Config { return m.MemberConfig }

// Add connects a member with a real API server: its client passes the fence,
// its cache holds what the real one holds, Served is what it really serves.
func (s *Source) Add(name string, config *rest.Config) *Member {
	s.t.Helper()
	httpClient, err := rest.HTTPClientFor(config)
	if err != nil {
		s.t.Fatal(err)
	}
	api, err := s.library.Discover(s.t.Context(), config, httpClient)
	if err != nil {
		s.t.Fatal(err)
	}
	plain, err := client.NewWithWatch(config, client.Options{HTTPClient: httpClient, Scheme: scheme.Scheme})
	if err != nil {
		s.t.Fatal(err)
	}
	m := &Member{MemberName: name, MemberClient: connections.Fenced(plain, s.Fence), MemberServed: api, MemberConfig: config}
	s.join(m)
	return m
}

// AddClient connects a member behind any client, such as a fake one. It has no
// cache; Served says yes to everything.
func (s *Source) AddClient(name string, c client.Client) *Member {
	s.t.Helper()
	m := &Member{MemberName: name, MemberClient: c, MemberServed: Everything{}}
	s.join(m)
	return m
}

func (s *Source) join(m *Member) {
	s.mu.Lock()
	s.members[m.MemberName] = m
	s.mu.Unlock()
	s.Heal(m.MemberName)
	s.t.Cleanup(func() { s.Cut(m.MemberName) })
}

// Cut disconnects a member.
func (s *Source) Cut(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m := s.members[name]; m != nil && m.cancel != nil {
		m.cancel()
		m.cancel = nil
	}
}

// Heal connects a member again: a new cache, and everyone engaged anew. The
// member's API server must answer.
func (s *Source) Heal(name string) {
	s.t.Helper()
	s.mu.Lock()
	m := s.members[name]
	if m == nil || m.cancel != nil {
		s.mu.Unlock()
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	m.cancel = cancel
	if m.MemberConfig != nil {
		made, err := cache.New(m.MemberConfig, connections.CacheOptions(nil))
		if err != nil {
			s.mu.Unlock()
			s.t.Fatal(err)
		}
		m.MemberCache = made
		go func() { _ = made.Start(ctx) }()
	}
	engages := append([]func(context.Context, members.Member) error{}, s.engages...)
	s.mu.Unlock()
	for _, engage := range engages {
		if err := engage(ctx, m); err != nil {
			s.t.Errorf("member %q could not be engaged: %v", name, err)
		}
	}
}

// Get implements members.Source.
func (s *Source) Get(name string) (members.Member, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m := s.members[name]; m != nil && m.cancel != nil {
		return m, nil
	}
	return nil, members.ErrNotConnected
}

// OnConnect implements members.Source.
func (s *Source) OnConnect(engage func(ctx context.Context, m members.Member) error) {
	s.mu.Lock()
	s.engages = append(s.engages, engage)
	var connected []*Member
	for _, m := range s.members {
		if m.cancel != nil {
			connected = append(connected, m)
		}
	}
	s.mu.Unlock()
	for _, m := range connected {
		ctx, cancel := context.WithCancel(context.Background())
		s.mu.Lock()
		before := m.cancel
		m.cancel = func() { before(); cancel() }
		s.mu.Unlock()
		if err := engage(ctx, m); err != nil {
			s.t.Errorf("member %q could not be engaged: %v", m.MemberName, err)
		}
	}
}

// Open is a Fence that lets every write pass.
type Open struct{}

// Check implements members.Fence.
func (Open) Check() error { return nil }

// Closed is a Fence that lets none pass.
type Closed struct{ Err error }

// Check implements members.Fence.
func (c Closed) Check() error { return c.Err }

// Everything is a Served that says yes to everything. Its version is v1.36.3.
type Everything struct{}

// Version implements members.Served.
func (Everything) Version() string { return "v1.36.3" }

// Kind implements members.Served.
func (Everything) Kind(_, _ string) bool { return true }

// Field implements members.Served.
func (Everything) Field(_, _, _ string) bool { return true }
