// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package images

import (
	"archive/tar"
	"errors"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// module writes a small Go module whose binary prints a link-time variable.
func module(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, "go.mod", "module example.test/hello\n\ngo 1.26\n")
	write(t, dir, "main.go", "package main\n\nvar version = \"none\"\n\nfunc main() { println(version) }\n")
	return dir
}

func write(t *testing.T, dir, file, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func mustBuild(t *testing.T, b Builder, spec Spec) v1.Image {
	t.Helper()
	img, err := b.Build(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func mustDigest(t *testing.T, img v1.Image) string {
	t.Helper()
	digest, err := Digest(img)
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

func TestBuildSaysWhatRuns(t *testing.T) {
	img := mustBuild(t, Builder{Dir: module(t), Cache: t.TempDir()}, Spec{
		Package: ".", Name: "hello", Tag: "v1", Args: []string{"--loud"},
		Labels: map[string]string{"team": "retail"}, Architecture: "amd64",
	})
	file, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	want := v1.Config{
		Entrypoint: []string{"/hello"}, Cmd: []string{"--loud"}, User: "65532:65532", WorkingDir: "/",
		StopSignal: "SIGTERM", Env: []string{"PATH=/"},
		Labels: map[string]string{
			"org.opencontainers.image.title": "hello", "org.opencontainers.image.version": "v1", "team": "retail",
		},
	}
	if diff := cmp.Diff(want, file.Config); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
	if file.OS != "linux" || file.Architecture != "amd64" {
		t.Errorf("platform %s/%s: containerd leaves out images that do not say linux/amd64", file.OS, file.Architecture)
	}
	var files []string
	for content := tar.NewReader(mutate.Extract(img)); ; {
		header, err := content.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, header.Name)
	}
	if diff := cmp.Diff([]string{"etc", "etc/passwd", "tmp", "hello"}, files); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestBuildIsReproducible(t *testing.T) {
	dir := module(t)
	spec := Spec{Package: ".", Name: "hello"}
	first := mustDigest(t, mustBuild(t, Builder{Dir: dir, Cache: t.TempDir()}, spec))
	cache := t.TempDir()
	second := mustDigest(t, mustBuild(t, Builder{Dir: module(t), Cache: cache}, spec))
	if first != second {
		t.Errorf("the same source in another folder gave %s and then %s", first, second)
	}
	again := mustDigest(t, mustBuild(t, Builder{Dir: dir, Cache: cache}, spec))
	if first != again {
		t.Errorf("the cache gave %s for %s", again, first)
	}
	spec.Vars = map[string]string{"main.version": "v2"}
	if other := mustDigest(t, mustBuild(t, Builder{Dir: dir, Cache: cache}, spec)); other == first {
		t.Error("another version has the same digest")
	}
}

func TestBuildSeesChangesAndHealsItsCache(t *testing.T) {
	dir, cache := module(t), t.TempDir()
	b := Builder{Dir: dir, Cache: cache}
	spec := Spec{Package: ".", Name: "hello"}
	first := mustDigest(t, mustBuild(t, b, spec))

	write(t, dir, "main.go", "package main\n\nfunc main() { println(\"changed\") }\n")
	if second := mustDigest(t, mustBuild(t, b, spec)); second == first {
		t.Error("a change to the source was not seen")
	}
	write(t, dir, "main.go", "package main\n\nvar version = \"none\"\n\nfunc main() { println(version) }\n")
	blobs, err := filepath.Glob(filepath.Join(cache, "images", "layouts", "*", "blobs", "sha256", "*"))
	if err != nil || len(blobs) == 0 {
		t.Fatalf("no blobs in the cache: %v", err)
	}
	for _, blob := range blobs {
		if err := os.Truncate(blob, 1); err != nil {
			t.Fatal(err)
		}
	}
	if healed := mustDigest(t, mustBuild(t, b, spec)); healed != first {
		t.Errorf("after damage to the cache: %s, want %s", healed, first)
	}
}

func TestBuildRefuses(t *testing.T) {
	for reason, tc := range map[string]struct {
		spec Spec
		want string
	}{
		"a flag in place of a package":  {Spec{Package: "-exec=x", Name: "a"}, `could not build image "a": package "-exec=x" is not a Go package`},
		"a name that leaves its folder": {Spec{Package: ".", Name: "../a"}, `name "../a" is not usable`},
		"a user by name":                {Spec{Package: ".", Name: "a", User: "root"}, `user "root" is not numeric`},
		"a variable that adds flags":    {Spec{Package: ".", Name: "a", Vars: map[string]string{"m.V": "x' -extld=y"}}, `holds a quote`},
		"a package that is not there":   {Spec{Package: "./nowhere", Name: "a"}, `go build ./nowhere`},
	} {
		t.Run(reason, func(t *testing.T) {
			_, err := Builder{Dir: module(t), Cache: t.TempDir()}.Build(t.Context(), tc.spec)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want one with %q", err, tc.want)
			}
		})
	}
}

func TestPushAndArchive(t *testing.T) {
	img := mustBuild(t, Builder{Dir: module(t), Cache: t.TempDir()}, Spec{Package: ".", Name: "hello"})
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	ref := strings.TrimPrefix(server.URL, "http://") + "/bank/hello:v1"
	for range 2 { // pushing twice is safe
		digest, err := Push(t.Context(), img, ref)
		if err != nil {
			t.Fatal(err)
		}
		target, err := name.ParseReference(ref, name.Insecure)
		if err != nil {
			t.Fatal(err)
		}
		there, err := remote.Get(target)
		if err != nil {
			t.Fatal(err)
		}
		if got := there.Digest.String(); got != digest || got != mustDigest(t, img) {
			t.Errorf("the registry holds %s, Push said %s, the image is %s", got, digest, mustDigest(t, img))
		}
	}
	if _, err := Push(t.Context(), img, "127.0.0.1:1/bank/hello:v1"); err == nil {
		t.Error("a registry that is not there took the image")
	}

	path := filepath.Join(t.TempDir(), "sub", "hello.tar")
	if err := WriteArchive(path, "registry.local/bank/hello:v1", img); err != nil {
		t.Fatal(err)
	}
	read, err := ReadArchive(path)
	if err != nil {
		t.Fatal(err)
	}
	file, err := read.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"/hello"}, file.Config.Entrypoint); diff != "" {
		t.Errorf("entrypoint from the archive (-want +got):\n%s", diff)
	}
}

func TestBankVersionsDiffer(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the bank's services")
	}
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	b := Builder{Dir: root, Cache: t.TempDir()}
	seen := map[string]string{}
	for _, version := range []string{"v1", "v2"} {
		for _, spec := range Bank(version) {
			digest := mustDigest(t, mustBuild(t, b, spec))
			if other, twice := seen[digest]; twice {
				t.Errorf("%s %s has the digest of %s", spec.Name, version, other)
			}
			seen[digest] = spec.Name + " " + version
		}
	}
}
