// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package httpapi

import (
	"net/netip"
	"sync"
	"time"
)

// How often one address may knock at the routes that let people in: at most
// mostKnocks at once, and one more each knockEvery. An IPv6 host has a network to
// choose addresses from, so that a /64 counts as one.
const (
	mostKnocks  = 60
	knockEvery  = time.Second
	mostCallers = 10000
)

// knocks counts who knocks.
type knocks struct {
	mu      sync.Mutex
	callers map[netip.Prefix]caller
}

type caller struct {
	left float64
	at   time.Time
}

// allow counts a knock in. False: the address has to wait.
func (k *knocks) allow(address netip.Addr, now time.Time) bool {
	bits := 32
	if address.Is6() {
		bits = 64
	}
	key, err := address.Prefix(bits)
	if err != nil {
		key = netip.Prefix{} // all that have no address share one count
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.callers == nil {
		k.callers = map[netip.Prefix]caller{}
	}
	c, known := k.callers[key]
	if !known {
		if len(k.callers) >= mostCallers {
			k.forget(now)
		}
		c = caller{left: mostKnocks, at: now}
	}
	if passed := now.Sub(c.at); passed > 0 {
		c.left = min(mostKnocks, c.left+passed.Seconds()/knockEvery.Seconds())
	}
	c.at = now
	if c.left < 1 {
		k.callers[key] = c
		return false
	}
	c.left--
	k.callers[key] = c
	return true
}

// forget drops who has been quiet long enough to knock as a stranger again, and
// everybody where that is nobody: memory is bounded whatever happens.
func (k *knocks) forget(now time.Time) {
	for key, c := range k.callers {
		if now.Sub(c.at) > mostKnocks*knockEvery {
			delete(k.callers, key)
		}
	}
	if len(k.callers) >= mostCallers {
		clear(k.callers)
	}
}
