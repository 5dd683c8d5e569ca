// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package kubebox

import (
	"os"
	"path/filepath"
	"testing"
)

func TestHash(t *testing.T) {
	write := func(dir, name, content string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Join(dir, "cmd"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	base := func() string {
		dir := t.TempDir()
		write(dir, "go.mod", "module x")
		write(dir, "go.sum", "")
		write(dir, "cmd/main.go", "package main")
		return dir
	}
	first, err := Hash(base())
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		reason string
		change func(dir string)
		same   bool
	}{
		"nothing":   {reason: "the same sources in another folder are the same binary", change: func(string) {}, same: true},
		"text file": {reason: "a note beside the code builds nothing else", change: func(dir string) { write(dir, "notes.md", "x") }, same: true},
		"test":      {reason: "a measurement beside the code builds nothing else", change: func(dir string) { write(dir, "cmd/main_test.go", "package main") }, same: true},
		"module":    {reason: "another version of a module is another binary", change: func(dir string) { write(dir, "go.mod", "module y") }},
		"code":      {reason: "other code is another binary", change: func(dir string) { write(dir, "cmd/main.go", "package main //") }},
		"new file":  {reason: "a new file is another binary", change: func(dir string) { write(dir, "cmd/b.go", "package main") }},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			dir := base()
			tc.change(dir)
			got, err := Hash(dir)
			if err != nil {
				t.Fatal(err)
			}
			if (got == first) != tc.same {
				t.Errorf("%s: Hash() = %s, first was %s", tc.reason, got, first)
			}
		})
	}
}

func TestEnsureUsesTheNamedBinary(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kubebox")
	t.Setenv(BinaryVariable, path)
	if _, err := Ensure(t.Context(), Options{}); err == nil {
		t.Error("a named binary that is missing must be an error, not a build")
	}
	if err := os.WriteFile(path, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	got, err := Ensure(t.Context(), Options{})
	if err != nil || got != path {
		t.Errorf("Ensure() = %q, %v; want %q", got, err, path)
	}
}

func TestEnsureTakesTheBinaryOfABundle(t *testing.T) {
	root := t.TempDir()
	source := filepath.Join(root, "kubebox")
	if err := os.MkdirAll(source, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(source, "go.mod"), []byte("module x"), 0o644); err != nil {
		t.Fatal(err)
	}
	want, err := ReadyPath(source, filepath.Join(root, "bundle"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(want), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(want, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", "")
	got, err := Ensure(t.Context(), Options{Source: source, Cache: t.TempDir()})
	if err != nil || got != want {
		t.Errorf("Ensure() = %q, %v; want the bundle's %q without any build", got, err, want)
	}
	if err := os.WriteFile(filepath.Join(source, "go.mod"), []byte("module y"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := Ensure(t.Context(), Options{Source: source, Cache: t.TempDir()}); err == nil {
		t.Errorf("Ensure() = %q: the binary of other sources was taken", got)
	}
}
