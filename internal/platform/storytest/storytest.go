// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package storytest plays the stories of rooms: text files in which lines that begin in the
// first column say what happens, and indented lines what follows of it. Lines that begin with
// # are for whoever reads. A story that goes otherwise fails the test; go test -update writes
// what follows now, for a person to read and to commit.
package storytest

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the stories anew, with what follows now")

// Stage does what a line says, verb and words, and tells what follows.
type Stage func(verb string, words []string) []string

// Play plays each of testdata/*.txt on a stage of its own.
func Play(t *testing.T, open func(t *testing.T) Stage) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			stage := open(t)
			Tell(t, file, func(line string) []string {
				words := strings.Fields(line)
				if len(words) == 0 || strings.HasPrefix(line, "#") {
					return nil
				}
				return stage(words[0], words[1:])
			})
		})
	}
}

// Tell tells one story line by line, whatever its lines look like, and compares what follows.
func Tell(t *testing.T, file string, answer func(line string) []string) {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for line := range strings.Lines(string(raw)) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, "  ") {
			continue // what followed last time
		}
		out.WriteString(line + "\n")
		for _, told := range answer(line) {
			out.WriteString("  " + told + "\n")
		}
	}
	if *update {
		if err := os.WriteFile(file, []byte(out.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(raw), out.String()); diff != "" {
		t.Errorf("the story goes otherwise (-want +got); go test -update writes it anew:\n%s", diff)
	}
}
