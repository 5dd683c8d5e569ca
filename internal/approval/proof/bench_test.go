// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package proof_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"testing"
)

// BenchmarkCheck checks the proof of one Decision. "floor" writes it as JSON and runs
// the HMAC over that.
func BenchmarkCheck(b *testing.B) {
	k := keys(b, embedded(b), sealing(b, "identity.key"), &clock{noon})
	d := decision()
	if err := k.ProveDecision(b.Context(), d); err != nil {
		b.Fatal(err)
	}
	b.Run("check", func(b *testing.B) {
		for b.Loop() {
			if got, err := k.Decision(b.Context(), d); err != nil || !got.Holds {
				b.Fatal(got, err)
			}
		}
	})
	b.Run("floor", func(b *testing.B) {
		for b.Loop() {
			text, err := json.Marshal(d.Spec)
			if err != nil {
				b.Fatal(err)
			}
			mac := hmac.New(sha256.New, make([]byte, 32))
			mac.Write(text)
			mac.Sum(nil)
		}
	})
}
