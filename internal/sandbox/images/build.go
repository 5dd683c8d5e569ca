// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package images

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
)

// format is part of every cache key; raise it when the way an image is put
// together changes, so that old cached images are not taken for new ones.
const format = "1"

// Builder makes images from the packages of one Go module.
type Builder struct {
	// Dir is the module's root; the working directory when empty.
	Dir string
	// Cache keeps binaries and finished images between runs. When empty it is
	// $FAIRWAY_CACHE, else fairway under the user's cache folder. It may be
	// removed at any time and shared by several builders at once.
	Cache string
	// Go is the go command; "go" from the PATH when empty.
	Go string
}

// Build builds with a Builder of the working directory and the default cache.
func Build(ctx context.Context, spec Spec) (v1.Image, error) {
	return Builder{}.Build(ctx, spec)
}

// Build compiles the package and returns the image, from the cache where
// nothing changed. The same source, Spec and Go give the same digest. An image
// of these sources in an unpacked bundle is taken as it is, without Go.
func (b Builder) Build(ctx context.Context, spec Spec) (v1.Image, error) {
	img, err := b.build(ctx, spec)
	if err != nil {
		return nil, fmt.Errorf("could not build image %q: %w", spec.Name, err)
	}
	return img, nil
}

func (b Builder) build(ctx context.Context, spec Spec) (v1.Image, error) {
	spec, err := spec.complete()
	if err != nil {
		return nil, err
	}
	if img := b.ready(spec); img != nil {
		return img, nil
	}
	cache, err := b.cache()
	if err != nil {
		return nil, err
	}
	binary, sum, err := b.compile(ctx, spec, cache)
	if err != nil {
		return nil, err
	}
	kept := filepath.Join(cache, "layouts", key(spec, sum))
	if img, err := open(kept); err == nil {
		return img, nil
	}
	content, err := os.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	if hash(content) != sum {
		return nil, fmt.Errorf("binary %q changed while it was packed: somebody else builds into this cache, try again", binary)
	}
	img, err := assemble(spec, content)
	if err != nil {
		return nil, err
	}
	if err := keep(img, kept); err != nil {
		return nil, err
	}
	return open(kept)
}

func (b Builder) cache() (string, error) {
	dir := b.Cache
	if dir == "" {
		if dir = os.Getenv("FAIRWAY_CACHE"); dir == "" {
			user, err := os.UserCacheDir()
			if err != nil {
				return "", fmt.Errorf("no cache folder: %w; set FAIRWAY_CACHE", err)
			}
			dir = filepath.Join(user, "fairway")
		}
	}
	return filepath.Join(dir, "images"), nil
}

// compile leaves the binary in the cache and returns its path and SHA-256.
// The go command itself sees whether the binary there is still up to date.
func (b Builder) compile(ctx context.Context, spec Spec, cache string) (string, string, error) {
	dir, err := filepath.Abs(b.Dir)
	if err != nil {
		return "", "", err
	}
	folder := filepath.Join(cache, "binaries")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", "", err
	}
	place := hash([]byte(strings.Join([]string{dir, spec.Package, spec.Architecture, spec.linkerFlags()}, "\x00")))
	binary := filepath.Join(folder, spec.Name+"-"+place[:16])
	unlock, err := lock(ctx, binary+".lock")
	if err != nil {
		return "", "", err
	}
	defer unlock()

	tool := b.Go
	if tool == "" {
		tool = "go"
	}
	cmd := exec.CommandContext(ctx, tool, "build", "-trimpath", "-buildvcs=false",
		"-ldflags", spec.linkerFlags(), "-o", binary, spec.Package)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+spec.Architecture, "GOFLAGS=", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			return "", "", fmt.Errorf("%w: install Go, or use an archive made where Go is", err)
		}
		return "", "", fmt.Errorf("go build %s: %w: %s", spec.Package, err, lastLines(out))
	}
	sum, err := hashFile(binary)
	return binary, sum, err
}

// key names a finished image by everything that shapes it.
func key(spec Spec, binarySum string) string {
	shape, err := json.Marshal(struct {
		Format, Binary string
		Spec           Spec
	}{format, binarySum, spec})
	if err != nil {
		panic(err) // strings and maps of strings always encode
	}
	return hash(shape)[:32]
}

// keep writes the image as an OCI layout, in one step as others see it.
func keep(img v1.Image, dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	draft, err := os.MkdirTemp(filepath.Dir(dir), "draft-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(draft) }()
	path, err := layout.Write(draft, empty.Index)
	if err != nil {
		return err
	}
	if err := path.AppendImage(img); err != nil {
		return err
	}
	if _, err := open(dir); err == nil {
		return nil
	}
	if err := os.RemoveAll(dir); err != nil { // a damaged one
		return err
	}
	if err := os.Rename(draft, dir); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// open reads the single image of an OCI layout and makes sure it is whole.
func open(dir string) (v1.Image, error) {
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		return nil, err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	if len(manifest.Manifests) != 1 {
		return nil, fmt.Errorf("%q holds %d images, not one", dir, len(manifest.Manifests))
	}
	img, err := index.Image(manifest.Manifests[0].Digest)
	if err != nil {
		return nil, err
	}
	if _, err := img.RawConfigFile(); err != nil {
		return nil, err
	}
	layers, err := img.Layers()
	if err != nil {
		return nil, err
	}
	for _, layer := range layers {
		digest, err := layer.Digest()
		if err != nil {
			return nil, err
		}
		blob, err := os.Stat(filepath.Join(dir, "blobs", digest.Algorithm, digest.Hex))
		if err != nil {
			return nil, err
		}
		if size, err := layer.Size(); err != nil || size != blob.Size() {
			return nil, errors.Join(err, fmt.Errorf("layer %s is damaged", digest))
		}
	}
	return img, nil
}

func hash(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

func hashFile(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }()
	h := sha256.New()
	if _, err := io.Copy(h, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// lastLines keeps the end of a tool's output, where the cause stands.
func lastLines(out []byte) string {
	text := strings.TrimSpace(string(out))
	if len(text) > 2000 {
		text = "…" + text[len(text)-2000:]
	}
	return text
}
