// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package audit_test

import (
	"bytes"
	"testing"

	"github.com/fairway-cloud/fairway/internal/audit"
)

// FuzzReceipt reads whatever somebody brings: it is refused, or written the same again.
func FuzzReceipt(f *testing.F) {
	hash := bytes.Repeat([]byte{7}, 32)
	f.Add([]byte(audit.Receipt{Entry: []byte("{}"), Index: 3, Hashes: [][]byte{hash}, Checkpoint: []byte("log/2026\n4\nAAAA\n\n— x y\n")}.Text()))
	f.Add([]byte(audit.Receipt{Leaf: hash, Checkpoint: []byte("x\n")}.Text()))
	f.Add([]byte("c2sp.org/tlog-proof@v1\nextra \nindex 00\n\n\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := audit.ParseReceipt(text)
		if err == nil && r.Text() != string(text) {
			t.Errorf("%q is read and written as %q", text, r.Text())
		}
	})
}
