// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package readmodel

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/fairway-cloud/fairway/internal/delivery"
)

// Sink takes what controllers see of instances and writes it behind them, so that
// nobody waits for the disk. What comes faster than it is written is merged: the
// last word on an instance counts. It implements delivery.InstanceSink.
type Sink struct {
	store *Store
	log   *slog.Logger

	mu       sync.Mutex
	clusters map[string]*pending
	wake     chan struct{}
}

var _ delivery.InstanceSink = (*Sink)(nil)

// pending is what waits for one cluster: perhaps a complete list, and after it
// single changes by UID. A nil change is a removal.
type pending struct {
	replace bool
	list    []delivery.Instance
	changes map[string]*delivery.Instance
}

// retryAfter is how long a failed write waits.
const retryAfter = 2 * time.Second

// NewSink returns a Sink into the store. It writes while Run runs.
func NewSink(store *Store, log *slog.Logger) *Sink {
	return &Sink{store: store, log: log, clusters: map[string]*pending{}, wake: make(chan struct{}, 1)}
}

// Replace implements delivery.InstanceSink.
func (s *Sink) Replace(cluster string, instances []delivery.Instance) {
	s.note(cluster, func(p *pending) {
		p.replace, p.list = true, append([]delivery.Instance(nil), instances...)
		clear(p.changes)
	})
}

// Upsert implements delivery.InstanceSink.
func (s *Sink) Upsert(cluster string, instance delivery.Instance) {
	s.note(cluster, func(p *pending) { p.changes[instance.UID] = &instance })
}

// Remove implements delivery.InstanceSink.
func (s *Sink) Remove(cluster string, uid string) {
	s.note(cluster, func(p *pending) { p.changes[uid] = nil })
}

func (s *Sink) note(cluster string, change func(*pending)) {
	s.mu.Lock()
	p := s.clusters[cluster]
	if p == nil {
		p = &pending{changes: map[string]*delivery.Instance{}}
		s.clusters[cluster] = p
	}
	change(p)
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run writes until the context ends, and what still waits then.
func (s *Sink) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), retryAfter)
			defer cancel()
			s.flush(last)
			return nil
		case <-s.wake:
			if s.flush(ctx) {
				continue
			}
			again := time.NewTimer(retryAfter)
			select {
			case <-ctx.Done():
			case <-again.C:
			}
			again.Stop()
			select {
			case s.wake <- struct{}{}:
			default:
			}
		}
	}
}

// flush writes what waits. False: something failed and waits still.
func (s *Sink) flush(ctx context.Context) bool {
	s.mu.Lock()
	taken := s.clusters
	s.clusters = map[string]*pending{}
	s.mu.Unlock()
	well := true
	for cluster, p := range taken {
		if err := s.store.write(ctx, cluster, p); err != nil {
			well = false
			s.log.Error("could not write instances; it is tried again", "cluster", cluster, "cause", err.Error())
			s.putBack(cluster, p)
		}
	}
	return well
}

// putBack keeps what was not written, beneath what has come since.
func (s *Sink) putBack(cluster string, old *pending) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clusters[cluster]
	if now == nil {
		s.clusters[cluster] = old
		return
	}
	if now.replace {
		return
	}
	for uid, change := range now.changes {
		old.changes[uid] = change
	}
	s.clusters[cluster] = old
}

func (s *Store) write(ctx context.Context, cluster string, p *pending) error {
	if p.replace {
		if err := s.Replace(ctx, cluster, p.list); err != nil {
			return err
		}
	}
	var changed []delivery.Instance
	var gone []string
	for uid, change := range p.changes {
		if change == nil {
			gone = append(gone, uid)
		} else {
			changed = append(changed, *change)
		}
	}
	if len(changed) > 0 {
		if err := s.Upsert(ctx, cluster, changed...); err != nil {
			return err
		}
	}
	if len(gone) > 0 {
		return s.Remove(ctx, cluster, gone...)
	}
	return nil
}
