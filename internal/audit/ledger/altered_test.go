// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package ledger

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/audit/tiles"
)

// TestAnAlteredLogIsServed opens a log whose end somebody altered: nothing is written to
// it, what can be read is read, the way back is kept in the spool, and stands in the log
// once it was restored.
func TestAnAlteredLogIsServed(t *testing.T) {
	dir, spool := t.TempDir(), t.TempDir()
	open := func(serve bool) (*Ledger, error) {
		return Open(Options{Dir: dir, Spool: spool, Serve: serve})
	}
	l, err := open(true)
	if err != nil {
		t.Fatal(err)
	}
	do := func(l *Ledger, away audit.WhenAway, subject string) error {
		return audit.Do(context.Background(), l, away, audit.Act{Verb: "release.stop", Person: "p-1", Subject: subject}, func(context.Context) error { return nil })
	}
	if err := do(l, audit.FailClosed, "Release/a"); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*", tiles.CheckpointFile))
	if err != nil || len(files) != 1 {
		t.Fatalf("%v: %v", files, err)
	}
	file := files[0]
	was, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	spoiled := append([]byte{}, was...)
	spoiled[len(spoiled)/2] ^= 1
	if err := os.WriteFile(file, spoiled, 0o600); err != nil {
		t.Fatal(err)
	}

	if _, err := open(false); err == nil {
		t.Fatal("a log that was altered opens as if nothing were wrong")
	}
	if l, err = open(true); err != nil || l.Wrong() == nil {
		t.Fatalf("it is not served: %v", err)
	}
	if err := do(l, audit.FailClosed, "Release/b"); !errors.Is(err, audit.ErrAway) || !errors.Is(err, ErrAltered) {
		t.Errorf("an act is recorded in an altered log: %v", err)
	}
	if err := do(l, audit.FailOpen, "Release/c"); err != nil {
		t.Errorf("the way back is refused: %v", err)
	}
	if _, err := l.Read(t.Context(), 0, 10); err != nil {
		t.Errorf("reading fails: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if now, err := os.ReadFile(file); err != nil || string(now) != string(spoiled) {
		t.Errorf("the altered log was written to: %v", err)
	}

	if err := os.WriteFile(file, was, 0o600); err != nil {
		t.Fatal(err)
	}
	if l, err = open(true); err != nil || l.Wrong() != nil {
		t.Fatalf("the restored log does not open: %v, %v", err, l.Wrong())
	}
	defer l.Close() //nolint:errcheck // the test is over
	// What was spooled comes in behind the start.
	subjects := map[string]bool{}
	for deadline := time.Now().Add(10 * time.Second); !subjects["Release/c"] && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		entries, err := l.Read(t.Context(), 0, 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if e.Record.Act != nil {
				subjects[e.Record.Act.Subject] = true
			}
		}
	}
	if !subjects["Release/a"] || subjects["Release/b"] || !subjects["Release/c"] {
		t.Errorf("the restored log holds %v", subjects)
	}
}

// TestWhatNoDiskTakesIsTold ends a server whose log is altered and that has no spool: the
// record of the way back ends with it, and is told before.
func TestWhatNoDiskTakesIsTold(t *testing.T) {
	dir := t.TempDir()
	l, err := Open(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*", tiles.CheckpointFile))
	if err != nil || len(files) != 1 {
		t.Fatalf("%v: %v", files, err)
	}
	if err := os.WriteFile(files[0], []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	var book bytes.Buffer
	l, err = Open(Options{Dir: dir, Serve: true, Log: slog.New(slog.NewTextHandler(&book, nil))})
	if err != nil {
		t.Fatal(err)
	}
	act := audit.Act{Verb: "release.stop", Person: "p-1", Subject: "Release/retail-prod/r-1", Reason: "it must go back"}
	if err := audit.Do(t.Context(), l, audit.FailOpen, act, func(context.Context) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err == nil {
		t.Error("records are lost, and nobody is told at the end")
	}
	for _, want := range []string{"write it down", "release.stop", "Release/retail-prod/r-1", "it must go back", "result=Done"} {
		if !strings.Contains(book.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, book.String())
		}
	}
}
