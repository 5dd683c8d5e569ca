// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package verify

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	flog "github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"

	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/audit/ledger"
	"github.com/fairway-cloud/fairway/internal/audit/tiles"
)

// large writes a log of so many records as a busy server's would be, without
// waiting for the disk at each.
func large(b testing.TB, records int) place {
	b.Helper()
	p := place{log: b.TempDir()}
	key, err := ledger.EnsureKey(p.log)
	if err != nil {
		b.Fatal(err)
	}
	p.logKey = key.Public
	dir := filepath.Join(p.log, "2026")
	tree, err := tiles.Open(dir, 0, rfc6962.DefaultHasher.EmptyRoot())
	if err != nil {
		b.Fatal(err)
	}
	at := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	var batch [][]byte
	for i := range records {
		r := audit.Record{Source: "server", Sequence: int64(i + 1), Time: at.Add(time.Duration(i) * 3141593), Kind: audit.KindOutcome, Intent: int64(i), Outcome: &audit.Outcome{Result: audit.Done}}
		if i%2 == 0 {
			r.Kind, r.Intent, r.Outcome = audit.KindIntent, 0, nil
			r.Act = &audit.Act{
				Verb: "release.step", Person: fmt.Sprintf("p-%d", i%500), Subject: "Delivery/fairway-cluster-east-1/retail-prod-mobile-bank", Cluster: "east-1",
				Environment: "prod", Class: audit.ClassChange, Release: "retail-prod/mobile-bank-42", Approval: "retail-prod/mobile-bank-42",
				Verdict: "approved by a business and a technology approver within the window", Reason: "核心系统升级 2.4", Ticket: fmt.Sprintf("CHG-%d", i),
				Before: "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", After: "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdee",
				Details: []string{"component web: 3 of 10 instances in east-1"}, Trace: fmt.Sprintf("%032x", i),
			}
			if i == 0 {
				r.Act.Verb, r.Act.Person, r.Act.Subject, r.Act.Before = ledger.OpeningVerb, "fairway", "EvidenceLog//2026", ""
			}
		}
		if batch = append(batch, r.Canonical()); len(batch) == 65536 || i == records-1 {
			if err := tree.Grow(batch); err != nil {
				b.Fatal(err)
			}
			batch = batch[:0]
		}
	}
	text := flog.Checkpoint{Origin: key.Name() + "/2026", Size: tree.Size(), Hash: tree.Root()}.Marshal()
	signed, err := note.Sign(&note.Note{Text: string(text)}, key.Signer())
	if err != nil {
		b.Fatal(err)
	}
	if err := tiles.WriteFile(filepath.Join(dir, tiles.CheckpointFile), signed); err != nil {
		b.Fatal(err)
	}
	return p
}

// BenchmarkVerify verifies a log of 20,000 records. "floor" reads the same files and
// hashes them.
func BenchmarkVerify(b *testing.B) {
	p := large(b, 20000)
	b.Run("log", func(b *testing.B) {
		for b.Loop() {
			if r := mustVerify(b, Options{Dir: p.log, LogKey: p.logKey}); len(r.Faults) > 0 {
				b.Fatal(r.Faults)
			}
		}
	})
	b.Run("floor", func(b *testing.B) {
		files := evidence(b, p.log)
		for b.Loop() {
			for _, f := range files {
				_ = sha256.Sum256(read(b, f))
			}
		}
	})
}

// TestAMillionRecords is measured where FAIRWAY_MEASURE is set.
func TestAMillionRecords(t *testing.T) {
	if os.Getenv("FAIRWAY_MEASURE") == "" {
		t.Skip("set FAIRWAY_MEASURE=1 to verify a million records")
	}
	p := large(t, 1_000_000)
	for range 3 {
		began := time.Now()
		r := mustVerify(t, Options{Dir: p.log, LogKey: p.logKey})
		took := time.Since(began)
		t.Logf("%d records in %s", r.Records, took)
		if len(r.Faults) > 0 || r.Records != 1_000_000 {
			t.Errorf("%d records, %v", r.Records, r.Faults)
		}
		if took > 10*time.Second {
			t.Errorf("a million records take %s, more than 10 s", took)
		}
	}
}
