// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package httpapi

import "sync"

// DefaultShare is how many requests one person may have under way at once, and as
// many streams. It keeps one person's script from slowing everybody else down.
const DefaultShare = 64

// shares counts what each person has under way.
type shares struct {
	mu   sync.Mutex
	busy map[shareKey]int
}

type shareKey struct {
	person  string
	streams bool
}

// take counts a request in. False: the person has as many as the share under way.
func (s *shares) take(person string, streams bool, share int) (release func(), ok bool) {
	key := shareKey{person, streams}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy == nil {
		s.busy = map[shareKey]int{}
	}
	if s.busy[key] >= share {
		return nil, false
	}
	s.busy[key]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.busy[key]--; s.busy[key] == 0 {
			delete(s.busy, key)
		}
	}, true
}
