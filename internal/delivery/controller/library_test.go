// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"fmt"
	"testing"
)

// TestTheShelfIsBounded: a fleet of large renderings does not fill the server's memory.
func TestTheShelfIsBounded(t *testing.T) {
	var l Library
	const size = 1 << 20
	for n := range 1000 {
		digest := fmt.Sprint("sha256:", n)
		l.keep(digest, nil, size)
		l.keep(digest, nil, size) // read twice at once: counted once
		if _, known := l.shelf(digest); !known {
			t.Fatalf("what was shelved last, %s, is not found", digest)
		}
		if kept := len(l.shelved) * size; kept > maxShelved || kept != l.size {
			t.Fatalf("%d bytes are shelved and %d counted, at most %d may be", kept, l.size, maxShelved)
		}
	}
	if len(l.shelved) < 16 {
		t.Errorf("only %d renderings are shelved", len(l.shelved))
	}
}
