// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package verify

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTamperings does harm by chance, one thing at a time, and looks whether it is
// found. FAIRWAY_MEASURE=1 does it 10,000 times.
func TestTamperings(t *testing.T) {
	times := 500
	if os.Getenv("FAIRWAY_MEASURE") != "" {
		times = 10000
	}
	p := build(t, 300)
	files := evidence(t, p.log)
	if r := mustVerify(t, p.options()); len(r.Faults) > 0 {
		t.Fatalf("the log is whole before: %v", r.Faults)
	}
	seed := rand.Uint64()
	t.Logf("%d files, seed %d", len(files), seed)
	dice := rand.New(rand.NewPCG(seed, 0))
	done := map[string]int{}
	for range times {
		name, undo := tamper(t, dice, files)
		r := mustVerify(t, p.options())
		undo()
		kind, _, _ := strings.Cut(name, ":")
		done[kind]++
		if len(r.Faults) == 0 {
			t.Errorf("not found: %s", name)
			continue
		}
		// Whatever touches a record or its hash names a record.
		if strings.Contains(name, "/tile/") && r.Faults[0].Index < 0 {
			t.Errorf("no record is named for %s: %s", name, r.Faults[0])
		}
	}
	if r := mustVerify(t, p.options()); len(r.Faults) > 0 {
		t.Fatalf("the log is whole again: %v", r.Faults)
	}
	t.Logf("found: %v", done)
}

// tamper does one thing to one file and says what.
func tamper(t *testing.T, dice *rand.Rand, files []string) (name string, undo func()) {
	t.Helper()
	path := files[dice.IntN(len(files))]
	good := read(t, path)
	undo = func() { write(t, path, good) }
	switch n := dice.IntN(10); {
	case n < 6:
		bad := bytes.Clone(good)
		at, bit := dice.IntN(len(bad)), byte(1)<<dice.IntN(8)
		bad[at] ^= bit
		write(t, path, bad)
		return fmt.Sprintf("flip: bit %d of byte %d of %s", bit, at, path), undo
	case n < 7:
		size := dice.IntN(len(good))
		if filepath.Base(filepath.Dir(path)) != "entries" && strings.HasPrefix(filepath.Base(path), "pending-") {
			if err := os.WriteFile(path, append([]byte("x"), good[1:]...), 0o600); err != nil {
				t.Fatal(err)
			}
			return "cut: the beginning of " + path, undo
		}
		write(t, path, good[:size])
		return fmt.Sprintf("cut: %s to %d of %d bytes", path, size, len(good)), undo
	case n < 8:
		if strings.HasPrefix(filepath.Base(path), "pending-") || stray(path, files) {
			break // what the tree holds may go from there
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		return "remove: " + path, undo
	case n < 9:
		bad := append(bytes.Clone(good), good[:1+dice.IntN(len(good))]...)
		if strings.HasPrefix(filepath.Base(path), "pending-") {
			break // the same record once more is no harm there
		}
		write(t, path, bad)
		return "append: to " + path, undo
	}
	// Two files of a kind change places.
	other := files[dice.IntN(len(files))]
	theirs := read(t, other)
	if bytes.Equal(theirs, good) || strings.HasPrefix(filepath.Base(path), "pending-") || strings.HasPrefix(filepath.Base(other), "pending-") {
		return tamper(t, dice, files)
	}
	write(t, path, theirs)
	write(t, other, good)
	return fmt.Sprintf("swap: %s and %s", path, other), func() { write(t, path, good); write(t, other, theirs) }
}

// stray says that a partly filled file has a larger one beside it, so that nothing
// is missed when it goes.
func stray(path string, files []string) bool {
	if !strings.HasSuffix(filepath.Dir(path), ".p") {
		return false
	}
	n := 0
	for _, f := range files {
		if filepath.Dir(f) == filepath.Dir(path) {
			n++
		}
	}
	return n > 1
}
