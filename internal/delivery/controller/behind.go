// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/resourceversion"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
)

// mostBehind is how long a cache is waited for, once or twice. One that is later than this,
// or a hub that was set back, is taken as it is: what is written then is refused if it is old.
const mostBehind = 2 * time.Second

// behind remembers what was reported in the last seconds, so that a round is not begun from
// what the cache had before: it would be refused at its end. The zero value is ready.
type behind struct {
	mu sync.Mutex
	// since is when young began; what is older than that is in old.
	since      time.Time
	young, old map[client.ObjectKey]string
}

func (b *behind) note(d *v1alpha1.Delivery, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.age(now)
	b.young[client.ObjectKeyFromObject(d)] = d.ResourceVersion
}

// of reports whether a Delivery was read before its last report.
func (b *behind) of(d *v1alpha1.Delivery, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.age(now)
	key := client.ObjectKeyFromObject(d)
	last, there := b.young[key]
	if !there {
		last, there = b.old[key]
	}
	if !there {
		return false
	}
	order, err := resourceversion.CompareResourceVersion(d.ResourceVersion, last)
	return err == nil && order < 0
}

// age forgets what is older than twice mostBehind.
func (b *behind) age(now time.Time) {
	if b.young != nil && now.Sub(b.since) < mostBehind {
		return
	}
	b.old = b.young
	if now.Sub(b.since) >= 2*mostBehind {
		b.old = nil
	}
	b.young, b.since = map[client.ObjectKey]string{}, now
}
