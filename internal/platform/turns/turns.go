// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package turns lets one in at a time for each key, and others at once.
package turns

import (
	"context"
	"sync"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Turns are whoever is in, by key. The zero value is ready for use.
type Turns struct {
	mu sync.Mutex
	in map[client.ObjectKey]chan struct{}
}

// Take waits until nobody is in for a key. Whoever took a turn leaves again. The error
// is that of ctx.
func (t *Turns) Take(ctx context.Context, key client.ObjectKey) (leave func(), err error) {
	for {
		t.mu.Lock()
		left, taken := t.in[key]
		if !taken {
			if t.in == nil {
				t.in = map[client.ObjectKey]chan struct{}{}
			}
			t.in[key] = make(chan struct{})
			t.mu.Unlock()
			return func() { t.leave(key) }, nil
		}
		t.mu.Unlock()
		select {
		case <-left:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (t *Turns) leave(key client.ObjectKey) {
	t.mu.Lock()
	defer t.mu.Unlock()
	close(t.in[key])
	delete(t.in, key)
}
