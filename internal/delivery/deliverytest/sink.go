// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package deliverytest

import (
	"maps"
	"sync"

	"github.com/fairway-cloud/fairway/internal/delivery"
)

// Sink is an InstanceSink that keeps what it is told.
type Sink struct {
	mu   sync.Mutex
	held map[string]map[string]delivery.Instance
}

var _ delivery.InstanceSink = &Sink{}

// Replace implements delivery.InstanceSink.
func (s *Sink) Replace(cluster string, instances []delivery.Instance) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.of(cluster)
	s.held[cluster] = map[string]delivery.Instance{}
	for _, instance := range instances {
		s.held[cluster][instance.UID] = instance
	}
}

// Upsert implements delivery.InstanceSink.
func (s *Sink) Upsert(cluster string, instance delivery.Instance) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.of(cluster)[instance.UID] = instance
}

// Remove implements delivery.InstanceSink.
func (s *Sink) Remove(cluster string, uid string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.of(cluster), uid)
}

// Instances returns what is held of a cluster, by UID.
func (s *Sink) Instances(cluster string) map[string]delivery.Instance {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.of(cluster))
}

func (s *Sink) of(cluster string) map[string]delivery.Instance {
	if s.held == nil {
		s.held = map[string]map[string]delivery.Instance{}
	}
	if s.held[cluster] == nil {
		s.held[cluster] = map[string]delivery.Instance{}
	}
	return s.held[cluster]
}
