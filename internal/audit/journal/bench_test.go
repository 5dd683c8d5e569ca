// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package journal

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/fairway-cloud/fairway/internal/audit"
)

// BenchmarkIntent writes intents, each of which is on disk when the call
// returns. "many" has 64 callers at once, which share writes to disk; "one"
// writes one after another. "floor" appends 200 bytes to a file and waits for
// the disk, without a journal.
func BenchmarkIntent(b *testing.B) {
	act := audit.Act{Verb: "app.apply", Person: "p-1", Subject: "Application/retail-prod/pay"}
	b.Run("many", func(b *testing.B) {
		j := openNew(b)
		b.SetParallelism(32)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := j.Intent(context.Background(), act); err != nil {
					b.Error(err)
				}
			}
		})
	})
	b.Run("one", func(b *testing.B) {
		j := openNew(b)
		for b.Loop() {
			if _, err := j.Intent(context.Background(), act); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("floor", func(b *testing.B) {
		file, err := os.Create(filepath.Join(b.TempDir(), "floor"))
		if err != nil {
			b.Fatal(err)
		}
		defer file.Close()
		record := make([]byte, 200)
		for b.Loop() {
			if _, err := file.Write(record); err != nil {
				b.Fatal(err)
			}
			if err := file.Sync(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func openNew(b *testing.B) *Journal {
	b.Helper()
	j, err := Open(filepath.Join(b.TempDir(), "evidence.jsonl"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { j.Close() })
	return j
}
