// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server

import (
	"cmp"
	"slices"
	"sync"
)

// Change says that an object is not as it was. It says what, never how: the
// client fetches again what it may see.
type Change struct {
	Room      string `json:"room"`
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	// Name of the object. Empty: several of the namespace.
	Name string `json:"name,omitempty"`
}

// mostPending is how many changes wait for one stream before they are told in
// bulk, namespace by namespace.
const mostPending = 256

// Changes hands changes to the streams that listen. A slow stream delays nobody.
type Changes struct {
	mu      sync.Mutex
	streams map[*pending]bool
}

// NewChanges returns a Changes without listeners.
func NewChanges() *Changes { return &Changes{streams: map[*pending]bool{}} }

// Publish tells every stream of the change. It does not wait.
func (c *Changes) Publish(change Change) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for p := range c.streams {
		p.add(change)
	}
}

// pending is what one stream has not been told yet.
type pending struct {
	wanted func(Change) bool

	mu      sync.Mutex
	changes map[Change]bool
}

func (c *Changes) listen(wanted func(Change) bool) (*pending, func()) {
	p := &pending{wanted: wanted, changes: map[Change]bool{}}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.streams[p] = true
	return p, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.streams, p)
	}
}

func (c *Changes) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.streams)
}

func (p *pending) add(change Change) {
	if !p.wanted(change) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.changes) >= mostPending {
		p.coarsen()
	}
	bulk := change
	bulk.Name = ""
	if !p.changes[bulk] {
		p.changes[change] = true
	}
}

// coarsen tells namespaces instead of names.
func (p *pending) coarsen() {
	coarse := map[Change]bool{}
	for c := range p.changes {
		c.Name = ""
		coarse[c] = true
	}
	if len(coarse) >= mostPending {
		kinds := map[Change]bool{}
		for c := range coarse {
			c.Namespace = ""
			kinds[c] = true
		}
		coarse = kinds
	}
	p.changes = coarse
}

// take empties what is pending, in a stable order.
func (p *pending) take() []Change {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.changes) == 0 {
		return nil
	}
	taken := make([]Change, 0, len(p.changes))
	for c := range p.changes {
		taken = append(taken, c)
	}
	clear(p.changes)
	slices.SortFunc(taken, func(a, b Change) int {
		return cmp.Or(cmp.Compare(a.Room, b.Room), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return taken
}
