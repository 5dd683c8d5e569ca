// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package images

import (
	"path/filepath"
	"testing"
)

func TestBuildTakesTheImageOfABundle(t *testing.T) {
	spec := Spec{Package: ".", Name: "hello", Tag: "v1", Architecture: "amd64"}
	cases := map[string]struct {
		reason string
		change func(dir string)
		spec   Spec
		found  bool
	}{
		"same sources":   {reason: "a machine without Go uses the bundle's image", change: func(string) {}, spec: spec, found: true},
		"a note":         {reason: "what is no source changes no image", change: func(dir string) { write(t, dir, "notes.md", "x") }, spec: spec, found: true},
		"a test":         {reason: "tests are in no image", change: func(dir string) { write(t, dir, "main_test.go", "package main\n") }, spec: spec, found: true},
		"other code":     {reason: "the bundle's image is not of this code, so Go is needed", change: func(dir string) { write(t, dir, "main.go", "package main\nfunc main() {}\n") }, spec: spec},
		"a new file":     {reason: "an added file is other code", change: func(dir string) { write(t, dir, "more.go", "package main\n") }, spec: spec},
		"other modules":  {reason: "other versions of modules are other code", change: func(dir string) { write(t, dir, "go.sum", "x\n") }, spec: spec},
		"another spec":   {reason: "an image with other arguments is another image", change: func(string) {}, spec: Spec{Package: ".", Name: "hello", Tag: "v1", Architecture: "amd64", Args: []string{"--loud"}}},
		"other versions": {reason: "v2 is not v1", change: func(string) {}, spec: Spec{Package: ".", Name: "hello", Tag: "v2", Architecture: "amd64"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			dir := module(t)
			built := Builder{Dir: dir, Cache: t.TempDir()}
			if err := built.Keep(t.Context(), spec, filepath.Join(dir, BundleFolder)); err != nil {
				t.Fatal(err)
			}
			tc.change(dir)
			img, err := Builder{Dir: dir, Cache: t.TempDir(), Go: "/no/go/here"}.Build(t.Context(), tc.spec)
			if (err == nil) != tc.found {
				t.Fatalf("%s: Build() error = %v, want an image: %t", tc.reason, err, tc.found)
			}
			if tc.found && mustDigest(t, img) != mustDigest(t, mustBuild(t, built, spec)) {
				t.Errorf("%s: the image differs from the one that was built", tc.reason)
			}
		})
	}
}
