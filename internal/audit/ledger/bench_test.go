// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package ledger

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/fairway-cloud/fairway/internal/audit"
)

var benchAct = audit.Act{
	Verb: "release.step", Person: "p-1", Subject: "Delivery/fairway-cluster-east-1/retail-prod-mobile-bank", Cluster: "east-1", Environment: "sit",
	Release: "retail-prod/mobile-bank-42", Verdict: "no approval policy covers release.step", Reason: "a new version", Ticket: "CHG-1",
	Before: "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", After: "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdee",
	Details: []string{"component web: 3 of 10 instances in east-1"}, Trace: "0af7651916cd43dd8448eb211c80319c",
}

// BenchmarkIntent writes intents, each of which is on disk when the call returns,
// with checkpoints five times a second. "many" has 64 callers at once; "one" writes
// one after another. "floor" appends as many bytes to a file and waits for the disk.
func BenchmarkIntent(b *testing.B) {
	b.Run("many", func(b *testing.B) {
		l := open(b, Options{Dir: b.TempDir()})
		var mu sync.Mutex
		var took []time.Duration
		b.SetParallelism(32)
		b.RunParallel(func(pb *testing.PB) {
			var own []time.Duration
			for pb.Next() {
				began := time.Now()
				if _, err := l.Intent(context.Background(), benchAct); err != nil {
					b.Error(err)
				}
				own = append(own, time.Since(began))
			}
			mu.Lock()
			took = append(took, own...)
			mu.Unlock()
		})
		report(b, took)
	})
	b.Run("one", func(b *testing.B) {
		l := open(b, Options{Dir: b.TempDir()})
		var took []time.Duration
		for b.Loop() {
			began := time.Now()
			if _, err := l.Intent(context.Background(), benchAct); err != nil {
				b.Fatal(err)
			}
			took = append(took, time.Since(began))
		}
		report(b, took)
	})
	b.Run("floor", func(b *testing.B) {
		file, err := os.Create(filepath.Join(b.TempDir(), "floor"))
		if err != nil {
			b.Fatal(err)
		}
		defer file.Close()
		record := audit.Record{Source: "server", Sequence: 1, Kind: audit.KindIntent, Act: &benchAct}.Canonical()
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

// report adds the 99th percentile in milliseconds.
func report(b *testing.B, took []time.Duration) {
	slices.Sort(took)
	if n := len(took); n > 0 {
		b.ReportMetric(float64(took[n*99/100])/1e6, "p99-ms")
	}
}
