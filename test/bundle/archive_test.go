// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package bundle

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-cloud/fairway/internal/sandbox/kubebox"
)

const archive = "../../dist/fairway-bundle.tar.gz"

// contents is what one walk through an archive finds.
type contents struct {
	// top is the only folder at the top.
	top string
	// sums are the SHA-256 of the files of bundle/, by name below it.
	sums map[string]string
	// executable files of bundle/.
	executable map[string]bool
	// kept are small files whose text is looked at.
	kept map[string]string
	// source holds the unpacked sources of kubebox.
	source string
}

func read(t *testing.T) contents {
	t.Helper()
	file, err := os.Open(archive)
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("no archive here: run make bundle first")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	zip, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	c := contents{sums: map[string]string{}, executable: map[string]bool{}, kept: map[string]string{}, source: t.TempDir()}
	for entries := tar.NewReader(zip); ; {
		header, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return c
		}
		if err != nil {
			t.Fatal(err)
		}
		top, name, _ := strings.Cut(header.Name, "/")
		if c.top == "" {
			c.top = top
		}
		if top != c.top || strings.Contains(name, "..") {
			t.Fatalf("%q lies outside of the folder %q", header.Name, c.top)
		}
		if header.Typeflag != tar.TypeReg {
			continue
		}
		below, inBundle := strings.CutPrefix(name, "bundle/")
		switch {
		case inBundle:
			sum := sha256.New()
			var text strings.Builder
			into := io.Writer(sum)
			if header.Size < 1<<20 && !strings.Contains(below, "blobs/") {
				into = io.MultiWriter(sum, &text)
			}
			if _, err := io.Copy(into, entries); err != nil {
				t.Fatal(err)
			}
			c.sums[below] = hex.EncodeToString(sum.Sum(nil))
			c.executable[below] = header.Mode&0o111 != 0
			c.kept[below] = text.String()
		case strings.HasPrefix(name, "kubebox/"):
			content, err := io.ReadAll(entries)
			if err != nil {
				t.Fatal(err)
			}
			put(t, c.source, name, string(content))
		default:
			c.kept[name] = ""
		}
	}
}

// TestArchiveIsWhole looks at the archive of `make bundle`, where there is one.
func TestArchiveIsWhole(t *testing.T) {
	c := read(t)
	if !strings.HasPrefix(c.top, "fairway-") {
		t.Errorf("the archive unpacks into %q, want fairway-<version>", c.top)
	}
	for _, file := range []string{"Makefile", "README.md", "LICENSE", "go.mod", "examples/bank/sandbox.yaml", "hack/install-deps.sh"} {
		if _, ok := c.kept[file]; !ok {
			t.Errorf("%s is missing: the archive holds the tree", file)
		}
	}
	hash, err := kubebox.Hash(filepath.Join(c.source, "kubebox"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"bin/fairway", "bin/kubebox-" + hash} {
		if !c.executable[file] {
			t.Errorf("bundle/%s is missing or no program: it would be built", file)
		}
	}
	for _, file := range []string{"version", "sources.sha256", "debs/Packages"} {
		if c.kept[file] == "" {
			t.Errorf("bundle/%s is missing or empty", file)
		}
	}

	listed := map[string]string{}
	for line := range strings.Lines(c.kept["SHA256SUMS"]) {
		sum, file, _ := strings.Cut(strings.TrimSpace(line), "  ./")
		listed[file] = sum
	}
	delete(c.sums, "SHA256SUMS")
	if diff := cmp.Diff(listed, c.sums); diff != "" {
		t.Errorf("SHA256SUMS differs from the files (-listed +found):\n%s", diff)
	}
}

func TestArchiveHoldsImagesAndPackages(t *testing.T) {
	c := read(t)
	var images, debs []string
	for file := range c.sums {
		parts := strings.Split(file, "/")
		if len(parts) == 3 && parts[0] == "images" && parts[2] == "index.json" {
			images = append(images, parts[1][:strings.LastIndex(parts[1], "-")])
		}
		if path.Ext(file) == ".deb" {
			debs = append(debs, path.Base(file))
		}
	}
	slices.Sort(images)
	want := []string{"account-v1", "account-v2", "channel-v1", "channel-v2", "ledger-v1", "ledger-v2", "pause-1"}
	if diff := cmp.Diff(want, images); diff != "" {
		t.Errorf("images (-want +got):\n%s", diff)
	}

	var indexed []string
	for line := range strings.Lines(c.kept["debs/Packages"]) {
		if file, ok := strings.CutPrefix(strings.TrimSpace(line), "Filename: ./"); ok {
			indexed = append(indexed, file)
		}
	}
	slices.Sort(indexed)
	slices.Sort(debs)
	if diff := cmp.Diff(indexed, debs); diff != "" {
		t.Errorf("apt's index differs from the packages (-index +files):\n%s", diff)
	}
	out, err := exec.Command("../../hack/install-deps.sh", "--list").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(strings.Fields(string(out)), "make") {
		if name == "util-linux" { // part of every Debian
			continue
		}
		if !slices.ContainsFunc(debs, func(deb string) bool { return strings.HasPrefix(deb, name+"_") }) {
			t.Errorf("the package %s is missing: %s", name, fmt.Sprint(debs))
		}
	}
}
