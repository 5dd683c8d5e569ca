// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-cloud/fairway/internal/audit"
)

func open(t *testing.T, path string) *Journal {
	t.Helper()
	j, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j
}

// told lists the records of a journal, one line each.
func told(t *testing.T, path string) []string {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var lines []string
	if _, err := Read(file, func(r Record) error {
		if r.Kind == kindIntent {
			lines = append(lines, fmt.Sprintf("%d %s %s", r.Sequence, r.Act.Verb, r.Act.Person))
		} else {
			lines = append(lines, fmt.Sprintf("%d %s of %d", r.Sequence, r.Outcome.Result, r.Intent))
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return lines
}

func TestSweepMarksWhatWasLeftOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "evidence.jsonl")
	j := open(t, path)
	for _, verb := range []string{"app.apply", "release.step", "delivery.prune"} {
		if _, err := j.Intent(t.Context(), audit.Act{Verb: verb, Person: "p-1"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Outcome(t.Context(), "2", audit.Outcome{Result: audit.Done}); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil { // as good as a kill: nothing is written at the end
		t.Fatal(err)
	}
	if err := open(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	want := []string{"1 app.apply p-1", "2 release.step p-1", "3 delivery.prune p-1", "4 Done of 2", "5 Unknown of 1", "6 Unknown of 3"}
	if diff := cmp.Diff(want, told(t, path)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if err := open(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	if got := len(told(t, path)); got != 6 {
		t.Errorf("another start sweeps nothing twice, got %d records", got)
	}
}

func TestTornEnd(t *testing.T) {
	dir := t.TempDir()
	whole := filepath.Join(dir, "whole.jsonl")
	j := open(t, whole)
	for i := range 3 {
		id, err := j.Intent(t.Context(), audit.Act{Verb: "app.apply", Person: fmt.Sprint("p-", i)})
		if err != nil {
			t.Fatal(err)
		}
		if err := j.Outcome(t.Context(), id, audit.Outcome{Result: audit.Done}); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	last := bytes.LastIndexByte(content[:len(content)-1], '\n') + 1
	for cut := last; cut < len(content); cut++ {
		path := filepath.Join(dir, fmt.Sprintf("cut-%d.jsonl", cut))
		if err := os.WriteFile(path, content[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		again := open(t, path)
		if _, err := again.Intent(t.Context(), audit.Act{Verb: "app.next"}); err != nil {
			t.Fatal(err)
		}
		if err := again.Close(); err != nil {
			t.Fatal(err)
		}
		// The torn outcome is gone, the sweep says Unknown in its place, and the next act follows.
		if got := strings.Join(told(t, path)[4:], "|"); got != "5 app.apply p-2|6 Unknown of 5|7 app.next " {
			t.Fatalf("cut at %d: got %q", cut, got)
		}
	}
}

func TestBrokenMiddleIsNotRepaired(t *testing.T) {
	tests := map[string]struct{ content, reason string }{
		"Garbage":  {"{\n" + `{"seq":1,"kind":"intent","act":{"verb":"a","person":"","subject":""}}` + "\n", "somebody has written into it"},
		"Gap":      {`{"seq":2,"kind":"intent","act":{"verb":"a"}}` + "\n", "a line is missing"},
		"Repeated": {strings.Repeat(`{"seq":1,"kind":"intent","act":{"verb":"a"}}`+"\n", 2), "a line was written twice"},
		"Future":   {`{"seq":1,"kind":"outcome","intent":7,"outcome":{"result":"Done"}}` + "\n", "an outcome of an intent to come"},
		"Kind":     {`{"seq":1,"kind":"note"}` + "\n", "there is no such record"},
		"Unknown":  {`{"seq":1,"kind":"intent","act":{"verb":"a"},"extra":1}` + "\n", "a field that we do not write"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "evidence.jsonl")
			if err := os.WriteFile(path, []byte(test.content), 0o600); err != nil {
				t.Fatal(err)
			}
			if j, err := Open(path); !errors.Is(err, ErrBroken) {
				_ = j.Close()
				t.Errorf("%s: want ErrBroken, got %v", test.reason, err)
			}
			left, err := os.ReadFile(path)
			if err != nil || string(left) != test.content {
				t.Error("what is broken is left as it is, for a person to look at")
			}
		})
	}
}

func TestOneProcessHoldsIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "evidence.jsonl")
	open(t, path)
	if _, err := Open(path); err == nil || !strings.Contains(err.Error(), "another process holds it") {
		t.Errorf("a second writer must be refused, got %v", err)
	}
}

func TestManyAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "evidence.jsonl")
	j := open(t, path)
	var wait sync.WaitGroup
	var mu sync.Mutex
	seen := map[string]bool{}
	for i := range 200 {
		wait.Go(func() {
			id, err := j.Intent(context.Background(), audit.Act{Verb: "app.apply", Person: fmt.Sprint(i)})
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			if seen[id] {
				t.Errorf("number %s was given twice", id)
			}
			seen[id] = true
			mu.Unlock()
			if err := j.Outcome(context.Background(), id, audit.Outcome{Result: audit.Done}); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if got := len(told(t, path)); got != 400 {
		t.Errorf("want 400 records, got %d", got)
	}
	if _, err := j.Intent(t.Context(), audit.Act{}); !errors.Is(err, ErrClosed) {
		t.Errorf("a closed journal takes nothing, got %v", err)
	}
}

// A full disk refuses the act and tears nothing: what was acknowledged stays.
func TestFullDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "evidence.jsonl")
	j := open(t, path)
	if _, err := j.Intent(t.Context(), audit.Act{Verb: "app.first"}); err != nil {
		t.Fatal(err)
	}
	good := j.file
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skipf("no /dev/full here: %v", err)
	}
	defer full.Close()
	j.file = full
	if _, err := j.Intent(t.Context(), audit.Act{Verb: "app.lost"}); err == nil {
		t.Error("an act that cannot be recorded must not begin")
	}
	j.file = good
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"1 app.first "}, told(t, path)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestRecordsAreBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "evidence.jsonl")
	j := open(t, path)
	details := make([]string, 5000)
	for i := range details {
		details[i] = "delete Deployment/x"
	}
	id, err := j.Intent(t.Context(), audit.Act{Verb: "delivery.step", Reason: strings.Repeat("理由", 100000), Details: details})
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Outcome(t.Context(), id, audit.Outcome{Result: audit.Failed, Message: strings.Repeat("\xff", 100000)}); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Size() > 200<<10 {
		t.Errorf("one act must not fill the disk: %d bytes, %v", info.Size(), err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("evidence is read by its owner only, mode is %s", info.Mode())
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"seq":1,"kind":"intent","act":{"verb":"a","person":"b","subject":"c"}}` + "\n" + `{"seq":2,"kind":"outcome","intent":1,"outcome":{"result":"Done"}}` + "\n"))
	f.Add([]byte(`{"seq":1,"kind":"intent","act":{"verb":"a"}}` + "\n{\"seq\":2"))
	f.Add([]byte("\x00\x00\n\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		last, records := int64(0), 0
		good, err := Read(bytes.NewReader(content), func(r Record) error {
			if r.Sequence != last+1 {
				t.Fatalf("number %d follows %d", r.Sequence, last)
			}
			last, records = r.Sequence, records+1
			return nil
		})
		if good < 0 || good > int64(len(content)) {
			t.Fatalf("good is %d of %d bytes", good, len(content))
		}
		again := 0
		if _, againErr := Read(bytes.NewReader(content[:good]), func(Record) error { again++; return nil }); againErr != nil || again != records {
			t.Fatalf("what is good reads again the same: %d and %d records, %v (%v)", records, again, againErr, err)
		}
	})
}
