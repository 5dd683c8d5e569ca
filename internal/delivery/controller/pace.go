// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairway-cloud/fairway/internal/delivery"
)

// pause lies between two times that the same object is put back, so that somebody who
// insists does not set the pace of writes and evidence. A change is still seen, and
// put back, within 10 s.
const pause = 5 * time.Second

// pace remembers what was put back a moment ago. The zero value is ready.
type pace struct {
	mu   sync.Mutex
	when map[client.ObjectKey]map[delivery.Identity]time.Time
}

func (p *pace) note(key client.ObjectKey, id delivery.Identity, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.when == nil {
		p.when = map[client.ObjectKey]map[delivery.Identity]time.Time{}
	}
	if p.when[key] == nil {
		p.when[key] = map[delivery.Identity]time.Time{}
	}
	p.when[key][id] = now
}

func (p *pace) recent(key client.ObjectKey) map[delivery.Identity]bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	recent := map[delivery.Identity]bool{}
	for id, when := range p.when[key] {
		if time.Since(when) > pause {
			delete(p.when[key], id)
			continue
		}
		recent[id] = true
	}
	if len(p.when[key]) == 0 {
		delete(p.when, key)
	}
	return recent
}
