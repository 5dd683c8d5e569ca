// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package verify

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/audit/ledger"
	"github.com/fairway-cloud/fairway/internal/audit/witness"
)

// place is where a log, its second copy and its witness are.
type place struct {
	log, copy, witness string
	logKey, witnessKey string
	counter            []string
}

// build writes a log over two years, with so many acts in each, countersigned and
// copied.
func build(t testing.TB, acts int) place {
	t.Helper()
	p := place{log: t.TempDir(), copy: t.TempDir(), witness: t.TempDir()}
	key, err := ledger.EnsureKey(p.log)
	if err != nil {
		t.Fatal(err)
	}
	w, err := witness.Open(witness.Options{Dir: p.witness, Logs: []string{key.Public}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(w)
	t.Cleanup(func() { server.Close(); _ = w.Close() })
	p.logKey, p.witnessKey, p.counter = key.Public, w.PublicKey(), key.Counter

	now := atomic.Pointer[time.Time]{}
	set := func(year int) { at := time.Date(year, 3, 1, 8, 0, 0, 0, time.UTC); now.Store(&at) }
	set(2026)
	l, err := ledger.Open(ledger.Options{
		Dir: p.log, Copy: p.copy, Now: func() time.Time { return *now.Load() }, Interval: 5 * time.Millisecond,
		Witness:   &ledger.Witness{URL: server.URL, Key: p.witnessKey},
		Witnessed: func(a audit.Act) bool { return a.Environment == "prod" },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	for _, year := range []int{2026, 2027} {
		set(year)
		for i := range acts {
			act := audit.Act{Verb: "app.apply", Person: fmt.Sprintf("p-%d", i%7), Subject: fmt.Sprintf("Application/retail/%d-%d", year, i)}
			if i == acts-1 {
				act.Environment = "prod" // so that everything is countersigned by now
			}
			if err := audit.Do(ctx, l, audit.FailClosed, act, func(context.Context) error { return nil }); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return p
}

// clone returns a copy of everything, to be spoiled.
func (p place) clone(t testing.TB) place {
	t.Helper()
	for _, dir := range []*string{&p.log, &p.copy, &p.witness} {
		to := t.TempDir()
		if err := os.CopyFS(to, os.DirFS(*dir)); err != nil {
			t.Fatal(err)
		}
		*dir = to
	}
	keys, err := filepath.Glob(filepath.Join(p.log, ledger.KeyFile+"*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		if err := os.Chmod(key, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func (p place) options() Options {
	return Options{Dir: p.log, LogKey: p.logKey, CounterKeys: p.counter, WitnessKey: p.witnessKey, WitnessDir: p.witness}
}

func mustVerify(t testing.TB, o Options) *Report {
	t.Helper()
	r, err := Verify(o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// read returns a file's content.
func read(t testing.TB, path string) []byte {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func write(t testing.TB, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// evidence lists the files that are evidence: not the lock, the derived count, and
// the keys, of which the verifier has its own.
func evidence(t testing.TB, dir string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if info, err := d.Info(); err == nil && info.Size() > 0 && filepath.Dir(path) != dir {
			files = append(files, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
