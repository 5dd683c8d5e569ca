// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package approval_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/fairway-cloud/fairway/internal/approval"
)

// BenchmarkJudge judges a request on which 200 decisions were made, most of which do
// not count. "floor" writes the same case as JSON.
func BenchmarkJudge(b *testing.B) {
	c := bank()
	for i := range 198 {
		says(c, "dev", yes, i%60)
	}
	says(c, "biz", yes, 61)
	says(c, "tech", yes, 62)
	now := noon.Add(2 * time.Hour)
	if j := approval.Judge(*c, now); !j.May {
		b.Fatal(fmt.Sprint(j.Why))
	}
	b.Run("judge", func(b *testing.B) {
		for b.Loop() {
			approval.Judge(*c, now)
		}
	})
	b.Run("floor", func(b *testing.B) {
		for b.Loop() {
			if _, err := json.Marshal(c.Decisions); err != nil {
				b.Fatal(err)
			}
		}
	})
}
