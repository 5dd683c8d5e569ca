// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package house

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

const root = "../.."

// sources calls visit with the path, relative to the repository, of each Go
// file that people wrote.
func sources(t *testing.T, visit func(path string)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if path != root && (strings.HasPrefix(name, ".") || name == "node_modules" || name == "bin" || name == "testdata") {
				return filepath.SkipDir
			}
			return nil
		}
		if strings.HasSuffix(name, ".go") && !strings.HasPrefix(name, "zz_generated") {
			rel, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			visit(rel)
		}
		return nil
	})
	if err != nil {
		t.Fatalf("could not read the tree: %v", err)
	}
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	documented := map[string]bool{}
	sources(t, func(path string) {
		if strings.HasSuffix(path, "_test.go") {
			return
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, path), nil, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			return
		}
		dir := filepath.Dir(path)
		documented[dir] = documented[dir] || (file.Doc != nil && len(file.Doc.Text()) > 20)
	})
	for dir, ok := range documented {
		if !ok {
			t.Errorf("%s: no file has a package comment; write one sentence that says what the package is", dir)
		}
	}
}

func TestEveryFileCarriesTheLicence(t *testing.T) {
	sources(t, func(path string) {
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, path), nil, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			return
		}
		for _, group := range file.Comments {
			if strings.Contains(group.Text(), "SPDX-License-Identifier: Apache-2.0") {
				return
			}
		}
		t.Errorf("%s: begins without the two header lines of hack/header.go.txt", path)
	})
}

func TestNoPackageIsADrawerForEverything(t *testing.T) {
	drawers := map[string]bool{"util": true, "utils": true, "common": true, "helper": true, "helpers": true, "misc": true}
	sources(t, func(path string) {
		if name := filepath.Base(filepath.Dir(path)); drawers[name] {
			t.Errorf("%s: name the package for the thing it holds, not %q", path, name)
		}
	})
}

func TestRoomsDoNotEnterEachOthersControllers(t *testing.T) {
	const internal = "github.com/fairway-cloud/fairway/internal/"
	sources(t, func(path string) {
		dir := filepath.ToSlash(filepath.Dir(path))
		if !strings.HasPrefix(dir, "internal/") || strings.HasSuffix(path, "_test.go") {
			return
		}
		room := strings.SplitN(strings.TrimPrefix(dir, "internal/"), "/", 2)[0]
		if room == "server" || room == "platform" || room == "sandbox" {
			return
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, path), nil, parser.ImportsOnly)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			return
		}
		for _, spec := range file.Imports {
			imported := strings.Trim(spec.Path.Value, `"`)
			other, inside := strings.CutPrefix(imported, internal)
			if !inside {
				continue
			}
			otherRoom, rest, _ := strings.Cut(other, "/")
			if otherRoom != room && strings.HasPrefix(rest, "controller") {
				t.Errorf("%s imports %s: rooms talk through API objects or a small interface of their own", path, imported)
			}
		}
	})
}
