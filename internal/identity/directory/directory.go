// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package directory knows the people of the bank from the Persons and
// GroupMappings of the hub. It is the identity.Directory of the server.
package directory

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	identityv1 "github.com/fairway-cloud/fairway/api/identity/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/identity"
)

const (
	// freshFor is how long what was read counts as new where no watch says what
	// changed, and how often at most the hub itself is asked about somebody whom the
	// cache does not know.
	freshFor = time.Second
	// calm is how long what was read is used although something changed since: an import
	// of thousands changes people for seconds, and indexing them costs each time.
	calm = 200 * time.Millisecond
)

// Directory answers from a cache, and asks the hub itself before it says that
// somebody is nobody: a Person that was made a moment ago may come in.
type Directory struct {
	cached, direct client.Reader
	now            func() time.Time

	mu      sync.Mutex
	people  *identity.People
	read    time.Time
	changed bool
	watched bool
	// straight is when the hub itself was asked last.
	straight time.Time
}

var _ identity.Directory = (*Directory)(nil)

// New makes a Directory that lists from cached and, for those whom it does not
// know, from direct. Without a direct reader the cache's answer stands.
func New(cached, direct client.Reader, now func() time.Time) *Directory {
	return &Directory{cached: cached, direct: direct, now: now}
}

// Watch has the Directory learn of each change at once. Without it, it looks
// again each second.
func (d *Directory) Watch(ctx context.Context, from cache.Cache) error {
	for _, kind := range []client.Object{&identityv1.Person{}, &identityv1.GroupMapping{}} {
		informer, err := from.GetInformer(ctx, kind)
		if err != nil {
			return fmt.Errorf("could not watch the people of the bank: %w", err)
		}
		if _, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
			AddFunc: func(any) { d.forget() }, UpdateFunc: func(any, any) { d.forget() }, DeleteFunc: func(any) { d.forget() },
		}); err != nil {
			return fmt.Errorf("could not watch the people of the bank: %w", err)
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.watched = true
	return nil
}

func (d *Directory) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.changed = true
}

// Resolve implements identity.Directory.
func (d *Directory) Resolve(ctx context.Context, claim identity.Claim) (identity.Person, error) {
	return d.ask(ctx, func(p *identity.People) (identity.Found, error) { return p.Resolve(claim, d.now()) })
}

// Current implements identity.Directory.
func (d *Directory) Current(ctx context.Context, id string, groups []string) (identity.Person, error) {
	return d.ask(ctx, func(p *identity.People) (identity.Found, error) { return p.Current(id, groups, d.now()) })
}

func (d *Directory) ask(ctx context.Context, question func(*identity.People) (identity.Found, error)) (identity.Person, error) {
	people, err := d.People(ctx)
	if err != nil {
		return identity.Person{}, err
	}
	found, err := question(people)
	if !errors.Is(err, identity.ErrNobody) || !d.mayAskHub() {
		return found.Person, err
	}
	fresh, failed := list(ctx, d.direct)
	if failed != nil {
		return identity.Person{}, err // the cache's answer stands
	}
	found, err = question(fresh)
	return found.Person, err
}

// mayAskHub bounds what strangers cost the hub.
func (d *Directory) mayAskHub() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.direct == nil || d.now().Sub(d.straight) < freshFor {
		return false
	}
	d.straight = d.now()
	return true
}

// People are everybody, as the cache knows them now. An error means that nobody
// can be told from anybody: callers refuse then.
func (d *Directory) People(ctx context.Context) (*identity.People, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	age := d.now().Sub(d.read)
	fresh := age >= 0 && age < freshFor || d.watched
	if d.people != nil && (!d.changed && fresh || age >= 0 && age < calm) {
		return d.people, nil
	}
	d.changed = false
	people, err := list(ctx, d.cached)
	if err != nil {
		d.changed = true
		return nil, err
	}
	d.people, d.read = people, d.now()
	return people, nil
}

func list(ctx context.Context, from client.Reader) (*identity.People, error) {
	persons, mappings := &identityv1.PersonList{}, &identityv1.GroupMappingList{}
	for _, l := range []client.ObjectList{persons, mappings} {
		// What comes out of the cache is indexed and never written to.
		if err := from.List(ctx, l, client.UnsafeDisableDeepCopy); err != nil {
			return nil, fmt.Errorf("could not list the people of the bank: %w", err)
		}
	}
	return identity.NewPeople(persons.Items, mappings.Items), nil
}
