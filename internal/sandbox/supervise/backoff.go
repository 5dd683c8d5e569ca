// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package supervise

import "time"

// Bounds of the wait before a process that died is started again.
const (
	firstWait = 500 * time.Millisecond
	lastWait  = 30 * time.Second
	// steady is how long a process must have run for its past to be forgotten.
	steady = time.Minute
)

// nextWait is how long to wait before the next start: doubled each time, and
// from the beginning once the process has run for a minute.
func nextWait(last, ran time.Duration) time.Duration {
	if last == 0 || ran >= steady {
		return firstWait
	}
	return min(2*last, lastWait)
}
