// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package ledger

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/platform/sealing"
)

// logbook collects log lines of several goroutines.
type logbook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logbook) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logbook) holds(s string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Contains(b.text.String(), s)
}

func TestCopyFollows(t *testing.T) {
	dir, second := t.TempDir(), filepath.Join(t.TempDir(), "far", "away")
	w, _ := newWitness(t, dir)
	l, err := Open(Options{Dir: dir, Copy: second, Now: at(2026), Interval: time.Millisecond, Witness: w})
	if err != nil {
		t.Fatal(err)
	}
	for range 700 {
		if _, err := l.Intent(ctx, act("a")); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the copy follows while the log is written", func() bool {
		r, err := OpenReader(second, "")
		if err != nil {
			return false
		}
		n, _ := r.Size(ctx)
		return n == 702
	})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(told(t, dir), told(t, second)); diff != "" {
		t.Errorf("the copy says what the log says (-log +copy):\n%s", diff)
	}
	for _, private := range []string{KeyFile, StateFile, "lock"} {
		if _, err := os.Stat(filepath.Join(second, private)); err == nil {
			t.Errorf("%q is not copied", private)
		}
	}
	for _, public := range []string{KeyFile + sealing.PublicSuffix, "2026/" + CosignedFile} {
		if _, err := os.Stat(filepath.Join(second, public)); err != nil {
			t.Errorf("%q is copied: %v", public, err)
		}
	}
}

func TestCopyIsNeverOverwritten(t *testing.T) {
	dir, second := t.TempDir(), t.TempDir()
	book := &logbook{}
	o := Options{Dir: dir, Copy: second, Now: at(2026), Interval: time.Millisecond, Log: slog.New(slog.NewTextHandler(book, nil))}
	l, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	for range 300 {
		if _, err := l.Intent(ctx, act("a")); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	// Somebody forged the copy and took its checkpoint away, so that all is copied again.
	forged := filepath.Join(second, "2026", "tile", "entries", "000")
	if err := os.WriteFile(forged, []byte("forged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(second, "2026", "checkpoint")); err != nil {
		t.Fatal(err)
	}
	if l, err = Open(o); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Intent(ctx, act("a")); err != nil {
		t.Errorf("the log goes on: %v", err)
	}
	eventually(t, "the difference is told", func() bool { return book.holds("one of the two was altered") })
	if err := l.Close(); err == nil || !strings.Contains(err.Error(), "one of the two was altered") {
		t.Errorf("and told at the end: %v", err)
	}
	if raw, err := os.ReadFile(forged); err != nil || string(raw) != "forged" {
		t.Errorf("what is there is never written again: %q, %v", raw, err)
	}
}

// TestClockSteps turns the clock by an hour either way while records come in, over
// a year's end.
func TestClockSteps(t *testing.T) {
	dir := t.TempDir()
	now := atomic.Int64{}
	now.Store(time.Date(2026, 12, 31, 23, 30, 0, 0, time.UTC).UnixNano())
	l, err := Open(Options{Dir: dir, Now: func() time.Time { return time.Unix(0, now.Load()) }, Interval: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 40 {
		step := time.Hour
		if i%2 == 1 {
			step = -step
		}
		now.Add(int64(step))
		id, err := l.Intent(ctx, act("a"))
		if err != nil {
			t.Fatal(err)
		}
		now.Add(int64(-step))
		if err := l.Outcome(ctx, id, audit.Outcome{Result: audit.Done}); err != nil {
			t.Fatal(err)
		}
		now.Add(int64(step))
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	got := told(t, dir)
	if len(got) != 2+2+80 {
		t.Errorf("%d records", len(got))
	}
	if n := strings.Count(strings.Join(got, "\n"), "audit.open"); n != 2 {
		t.Errorf("a clock that goes back and forth begins a year once: %d", n)
	}
	years, err := Years(dir)
	if diff := cmp.Diff([]int{2026, 2027}, years); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
}

func FuzzPending(f *testing.F) {
	f.Add([]byte("00000000 \n"))
	f.Add([]byte(checksum([]byte(`{"a":1}`)) + `{"a":1}` + "\n" + "torn"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		records, good := parsePending(raw)
		if good > len(raw) {
			t.Fatalf("%d bytes of %d are whole", good, len(raw))
		}
		var again []byte
		for _, r := range records {
			again = append(append(append(again, checksum(r)...), r...), '\n')
		}
		if !bytes.Equal(again, raw[:good]) {
			t.Errorf("what is read is what was written: %q, %q", again, raw[:good])
		}
	})
}
