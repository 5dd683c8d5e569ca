// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package ledger

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-cloud/fairway/internal/audit"
)

var ctx = context.Background()

// open opens a ledger; the test closes it.
func open(t testing.TB, o Options) *Ledger {
	t.Helper()
	l, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// told is what the log in a folder says, a line for each record.
func told(t testing.TB, dir string) []string {
	t.Helper()
	r, err := OpenReader(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	size, err := r.Size(ctx)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := r.Read(ctx, 0, int(size)+1)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != int(size) {
		t.Fatalf("%d records are read of %d", len(entries), size)
	}
	var lines []string
	for i, e := range entries {
		if e.Index != uint64(i) {
			t.Errorf("record %d has index %d", i, e.Index)
		}
		lines = append(lines, line(e.Record))
	}
	return lines
}

func line(r audit.Record) string {
	if r.Kind == audit.KindIntent {
		return fmt.Sprintf("%s %d: %s %s", source(r.Source), r.Sequence, r.Act.Verb, r.Act.Subject)
	}
	text := fmt.Sprintf("%s %d: %d was %s", source(r.Source), r.Sequence, r.Intent, r.Outcome.Result)
	if r.Outcome.Message != "" {
		text += ": " + r.Outcome.Message
	}
	return text
}

// source without the chance in a spool's name.
func source(s string) string {
	if strings.HasPrefix(s, "spool-") {
		return "spool"
	}
	return s
}

func act(subject string) audit.Act {
	return audit.Act{Verb: "app.apply", Person: "p-1", Subject: subject}
}

const unknown = "Unknown: the server stopped before the act ended; what came of it shows in the objects themselves"

func at(year int) func() time.Time {
	return func() time.Time { return time.Date(year, 6, 1, 12, 0, 0, 0, time.UTC) }
}

func TestRecords(t *testing.T) {
	dir := t.TempDir()
	l, err := Open(Options{Dir: dir, Now: at(2026)})
	if err != nil {
		t.Fatal(err)
	}
	id, err := l.Intent(ctx, act("a"))
	if err != nil || id != "3" {
		t.Fatalf("Intent() = %q, %v", id, err)
	}
	if err := l.Outcome(ctx, id, audit.Outcome{Result: audit.Done}); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Intent(ctx, act("left open")); err != nil {
		t.Fatal(err)
	}
	for _, wrong := range []string{id, "99", "", "x", "spool-1/1"} {
		if err := l.Outcome(ctx, wrong, audit.Outcome{Result: audit.Done}); err == nil {
			t.Errorf("an outcome of %q is refused: no intent of that number is open", wrong)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Intent(ctx, act("b")); !errors.Is(err, ErrClosed) {
		t.Errorf("a closed log takes nothing: %v", err)
	}
	// The next start closes what was left open.
	if l, err = Open(Options{Dir: dir, Now: at(2026)}); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"server 1: audit.open EvidenceLog//2026", "server 2: 1 was Done",
		"server 3: app.apply a", "server 4: 3 was Done", "server 5: app.apply left open",
		"server 6: 5 was " + unknown,
	}
	if diff := cmp.Diff(want, told(t, dir)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestOneProcessHoldsIt(t *testing.T) {
	dir := t.TempDir()
	open(t, Options{Dir: dir})
	if _, err := Open(Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("Open() = %v", err)
	}
}

func TestYearsAreChained(t *testing.T) {
	dir := t.TempDir()
	var mu sync.Mutex
	now := at(2026)()
	l := open(t, Options{Dir: dir, Now: func() time.Time { mu.Lock(); defer mu.Unlock(); return now }})
	id, err := l.Intent(ctx, act("across"))
	if err != nil {
		t.Fatal(err)
	}
	set := func(year int) { mu.Lock(); now = at(year)(); mu.Unlock() }
	set(2027)
	if err := l.Outcome(ctx, id, audit.Outcome{Result: audit.Done}); err != nil {
		t.Fatal(err)
	}
	set(2026) // the clock goes back: the order of the log is what counts
	if _, err := l.Intent(ctx, act("b")); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"server 1: audit.open EvidenceLog//2026", "server 2: 1 was Done", "server 3: app.apply across",
		"server 4: audit.open EvidenceLog//2027", "server 5: 4 was Done", "server 6: 3 was Done", "server 7: app.apply b",
	}
	if diff := cmp.Diff(want, told(t, dir)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	r, err := OpenReader(dir, l.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	first, err := r.Read(ctx, 3, 1)
	if err != nil || first[0].Record.Act.Before != Chain(r.years[0].newest.Load().Checkpoint.Marshal()) {
		t.Errorf("the first record of a year names the last checkpoint of the year before: %+v, %v", first, err)
	}
}

func TestManyAtOnce(t *testing.T) {
	dir := t.TempDir()
	l, err := Open(Options{Dir: dir, Interval: 5 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			for k := range 50 {
				err := audit.Do(ctx, l, audit.FailClosed, act(fmt.Sprintf("%d/%d", i, k)), func(context.Context) error { return nil })
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	account := audit.Account{}
	r, err := OpenReader(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	entries, err := r.Read(ctx, 0, 100000)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if err := account.Take(e.Record.Head()); err != nil {
			t.Errorf("record %d: %v", e.Index, err)
		}
	}
	if len(entries) != 2+64*50*2 || len(account.Left()) != 0 {
		t.Errorf("%d records, left open %v", len(entries), account.Left())
	}
}

// TestStateIsDerived spoils the count of the sources in every way and opens again.
func TestStateIsDerived(t *testing.T) {
	dir := t.TempDir()
	for i, spoil := range []func(path string) error{
		func(string) error { return nil },
		os.Remove,
		func(p string) error { return os.WriteFile(p, nil, 0o600) },
		func(p string) error { return os.WriteFile(p, []byte(`{"digest":"sha256:0","state":{}}`), 0o600) },
		func(p string) error { return os.Truncate(p, 20) },
	} {
		l, err := Open(Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		id, err := l.Intent(ctx, act("a"))
		if err != nil || id != fmt.Sprint(3+2*i) {
			t.Errorf("after %d starts the numbers go on: %q, %v", i, id, err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if err := spoil(filepath.Join(dir, StateFile)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAlteredLogIsNotOpened(t *testing.T) {
	cases := map[string]struct {
		reason string
		alter  func(dir string) error
	}{
		"Checkpoint": {"a checkpoint that somebody else wrote", func(d string) error {
			return os.WriteFile(filepath.Join(d, "2026", "checkpoint"), []byte("x"), 0o600)
		}},
		"NoCheckpoint": {"a log without its checkpoint", func(d string) error { return os.Remove(filepath.Join(d, "2026", "checkpoint")) }},
		"Entries": {"records that were cut", func(d string) error {
			return os.RemoveAll(filepath.Join(d, "2026", "tile", "entries"))
		}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			l, err := Open(Options{Dir: dir, Now: at(2026)})
			if err != nil {
				t.Fatal(err)
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			if err := tc.alter(dir); err != nil {
				t.Fatal(err)
			}
			if l, err := Open(Options{Dir: dir, Now: at(2026)}); err == nil {
				t.Errorf("%s is not written on", tc.reason)
				_ = l.Close()
			}
		})
	}
}

// TestReadWhileWriting reads behind the writer, as the index does.
func TestReadWhileWriting(t *testing.T) {
	l := open(t, Options{Dir: t.TempDir(), Interval: time.Millisecond})
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := l.Intent(ctx, act("a")); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	next := uint64(0)
	for next < 2000 {
		entries, err := l.Read(ctx, next, 300)
		if err != nil {
			t.Error(err)
			break
		}
		for _, e := range entries {
			if e.Index != next || e.Record.Sequence != int64(next)+1 {
				t.Fatalf("record %d has index %d and number %d", next, e.Index, e.Record.Sequence)
			}
			next++
		}
	}
	close(stop)
	wg.Wait()
}

func TestPendingSurvivesWithoutACheckpoint(t *testing.T) {
	dir := t.TempDir()
	l, err := Open(Options{Dir: dir, Now: at(2026), Interval: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if _, err := l.Intent(ctx, act("a")); err != nil {
			t.Fatal(err)
		}
	}
	// As after kill -9: the files as they are now, without what Close would do.
	copied := t.TempDir()
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	keys, err := filepath.Glob(filepath.Join(copied, KeyFile+"*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		if err := os.Chmod(key, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	// A torn line behind them was acknowledged to nobody.
	files, err := pendingFiles(filepath.Join(copied, "2026"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	file, err := os.OpenFile(files[0].path, os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString("0badc0de {\"act\":{\"verb\":\"torn"); err != nil {
		t.Fatal(err)
	}
	file.Close()
	again, err := Open(Options{Dir: copied, Now: at(2026)})
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	if got := told(t, copied); len(got) != 2+5+5 {
		t.Errorf("five intents and five outcomes that nobody knows: %q", got)
	}
}
