// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package spool

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/platform/sealing"
)

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

func key(t testing.TB) *sealing.Key {
	t.Helper()
	k, err := sealing.Ensure(filepath.Join(t.TempDir(), "log.key"), "bank")
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func open(t testing.TB, dir string, k *sealing.Key) *Spool {
	t.Helper()
	s, err := Open(dir, k, noon)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func record(subject string) audit.Record {
	return audit.Record{Time: noon, Kind: audit.KindIntent, Act: &audit.Act{Verb: "release.stop", Person: "p-1", Subject: subject}}
}

// next returns the subjects of what the spool holds, all of it.
func next(t testing.TB, s *Spool) []string {
	t.Helper()
	records, err := s.Next(1000)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, r := range records {
		out = append(out, fmt.Sprintf("%d %s", r.Sequence, r.Act.Subject))
	}
	return out
}

func TestKeepsAcrossProcesses(t *testing.T) {
	dir, k := t.TempDir(), key(t)
	first := open(t, dir, k)
	for _, s := range []string{"a", "b", "c"} {
		if _, err := first.Keep(record(s)); err != nil {
			t.Fatal(err)
		}
	}
	if err := first.Done(1); err != nil { // brought in, and then killed
		t.Fatal(err)
	}
	second := open(t, dir, k)
	if second.Source() == first.Source() {
		t.Error("each process has a source of its own")
	}
	if _, err := second.Keep(record("d")); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"1 a", "2 b", "3 c"}, next(t, second)); diff != "" {
		t.Errorf("what was left comes first, from its beginning (-want +got):\n%s", diff)
	}
	if err := second.Done(3); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"1 d"}, next(t, second)); diff != "" {
		t.Errorf("then what is new (-want +got):\n%s", diff)
	}
	if err := second.Done(1); err != nil {
		t.Fatal(err)
	}
	if files, _ := os.ReadDir(dir); len(files) != 0 {
		t.Errorf("files whose records are in the log go: %v", files)
	}
	if n, err := second.Keep(record("e")); err != nil || n != 2 {
		t.Errorf("the numbers go on: %d, %v", n, err)
	}
}

// TestOrder keeps, brings in and loses the disk in any order, and holds the spool to
// a plain list.
func TestOrder(t *testing.T) {
	k := key(t)
	rapid.Check(t, func(rt *rapid.T) {
		parent, err := os.MkdirTemp(t.TempDir(), "s")
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Join(parent, "spool")
		s := open(t, dir, k)
		var list []string
		away := false
		for i := range rapid.IntRange(1, 40).Draw(rt, "steps") {
			switch rapid.SampledFrom([]string{"keep", "keep", "keep", "done", "disk"}).Draw(rt, "step") {
			case "keep":
				n, err := s.Keep(record(fmt.Sprint(i)))
				if (err != nil) != away {
					rt.Fatalf("the disk is away: %v, Keep says %v", away, err)
				}
				list = append(list, fmt.Sprintf("%d %d", n, i))
			case "done":
				if away {
					continue // what cannot be read is read later
				}
				most := rapid.IntRange(1, 5).Draw(rt, "most")
				records, err := s.Next(most)
				if err != nil {
					rt.Fatal(err)
				}
				n := rapid.IntRange(0, len(records)).Draw(rt, "done")
				for j, r := range records {
					if got := fmt.Sprintf("%d %s", r.Sequence, r.Act.Subject); got != list[j] {
						rt.Fatalf("record %d is %q, want %q", j, got, list[j])
					}
				}
				if err := s.Done(n); err != nil {
					rt.Fatal(err)
				}
				list = list[n:]
			case "disk":
				if away = !away; away {
					err = os.Rename(dir, dir+"-away")
				} else {
					err = os.Rename(dir+"-away", dir)
				}
				if err != nil {
					rt.Fatal(err)
				}
			}
		}
		if away {
			if err := os.Rename(dir+"-away", dir); err != nil {
				rt.Fatal(err)
			}
		}
		for len(list) > 0 {
			records, err := s.Next(3)
			if err != nil || len(records) == 0 {
				rt.Fatalf("%d records are missing: %v", len(list), err)
			}
			for j, r := range records {
				if got := fmt.Sprintf("%d %s", r.Sequence, r.Act.Subject); got != list[j] {
					rt.Fatalf("at the end record %d is %q, want %q", j, got, list[j])
				}
			}
			if err := s.Done(len(records)); err != nil {
				rt.Fatal(err)
			}
			list = list[len(records):]
		}
	})
}

func TestWithoutAFolder(t *testing.T) {
	s := open(t, "", key(t))
	for i := range mostRing + 5 {
		if n, err := s.Keep(record("a")); err == nil || n != int64(i+1) {
			t.Fatalf("what is in memory only is said so: %d, %v", n, err)
		}
	}
	if n := s.Dropped(); n != 5 {
		t.Errorf("%d records found no room", n)
	}
	if got := next(t, s); len(got) != 1000 || got[0] != "1 a" {
		t.Errorf("%d, %q", len(got), got[0])
	}
	if err := s.Done(mostRing); err != nil {
		t.Fatal(err)
	}
	if got := next(t, s); len(got) != 0 {
		t.Errorf("%q", got)
	}
	if err := s.Close(); err != nil {
		t.Errorf("nothing is lost at the end: %v", err)
	}
}

// TestEveryChangeIsFound flips every byte of a spool.
func TestEveryChangeIsFound(t *testing.T) {
	dir, k := t.TempDir(), key(t)
	s := open(t, dir, k)
	for _, subject := range []string{"a", "b"} {
		if _, err := s.Keep(record(subject)); err != nil {
			t.Fatal(err)
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	good, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(good, []byte("\n"))
	spoil := map[string][]byte{
		"swapped":   append(bytes.Clone(lines[1]), lines[0]...),
		"first one": lines[1],
		"twice":     append(bytes.Clone(lines[0]), lines[0]...),
	}
	for i := range good[:len(good)-1] {
		bad := bytes.Clone(good)
		bad[i] ^= 4
		spoil[fmt.Sprintf("byte %d", i)] = bad
	}
	for name, content := range spoil {
		if err := os.WriteFile(files[0], content, 0o600); err != nil {
			t.Fatal(err)
		}
		again := open(t, dir, k)
		seen := 0
		var broken error
		for range 3 {
			records, err := again.Next(10)
			if broken = err; err != nil || len(records) == 0 {
				break
			}
			for _, r := range records {
				seen++
				if got := r.Act.Subject; got != []string{"a", "b"}[seen-1] {
					t.Errorf("%s: %q is taken for a record", name, got)
				}
			}
			if err := again.Done(len(records)); err != nil {
				t.Fatal(err)
			}
		}
		if seen < 2 && !errors.Is(broken, ErrBroken) && !strings.HasPrefix(name, "byte") {
			t.Errorf("%s: %d records, %v", name, seen, broken)
		}
		if seen < 2 && broken == nil && bytes.Count(content, []byte("\n")) == 2 {
			t.Errorf("%s: only %d records are read and nothing is said", name, seen)
		}
	}
}

func TestLateOutcomeKeepsItsPlace(t *testing.T) {
	s := open(t, t.TempDir(), key(t))
	late := audit.Record{Source: "server", Time: noon, Kind: audit.KindOutcome, Intent: 7, Outcome: &audit.Outcome{Result: audit.Done}}
	if n, err := s.Keep(late); err != nil || n != 0 {
		t.Errorf("it gets its number in the log: %d, %v", n, err)
	}
	if n, err := s.Keep(record("a")); err != nil || n != 1 {
		t.Errorf("and takes none of the spool's: %d, %v", n, err)
	}
	records, err := s.Next(10)
	if err != nil || len(records) != 2 || records[0].Source != "server" || records[0].Intent != 7 {
		t.Errorf("%+v, %v", records, err)
	}
}
