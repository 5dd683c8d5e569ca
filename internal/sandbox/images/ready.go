// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package images

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// BundleFolder is the folder of an unpacked bundle in the module's root. Its
// sub-folder images holds images that need not be built.
const BundleFolder = "bundle"

// Keep builds the image and keeps it in the folder of a bundle, where Build
// finds it on a machine without Go for as long as the sources stay the same.
func (b Builder) Keep(ctx context.Context, spec Spec, folder string) error {
	img, err := b.Build(ctx, spec)
	if err != nil {
		return err
	}
	name, err := b.readyName(spec)
	if err == nil {
		err = keep(img, filepath.Join(folder, "images", name))
	}
	if err != nil {
		return fmt.Errorf("could not keep image %q in %q: %w", spec.Name, folder, err)
	}
	return nil
}

// ready is the image of the bundle in the module's root, nil when there is no
// bundle or its image is of other sources.
func (b Builder) ready(spec Spec) v1.Image {
	folder := filepath.Join(b.Dir, BundleFolder, "images")
	if _, err := os.Stat(folder); err != nil {
		return nil
	}
	name, err := b.readyName(spec)
	if err != nil {
		return nil
	}
	img, err := open(filepath.Join(folder, name))
	if err != nil {
		return nil
	}
	return img
}

// readyName says of which sources and which Spec an image of a bundle is.
func (b Builder) readyName(spec Spec) (string, error) {
	spec, err := spec.complete()
	if err != nil {
		return "", err
	}
	sum, err := sourceSum(b.Dir)
	if err != nil {
		return "", err
	}
	shape, err := json.Marshal(struct {
		Format, Source string
		Spec           Spec
	}{format, sum, spec})
	if err != nil {
		return "", err
	}
	return spec.Name + "-" + spec.Tag + "-" + hash(shape)[:16], nil
}

// apart are folders of the module's root whose Go files are in no image.
var apart = map[string]bool{BundleFolder: true, "bin": true, "dist": true, "docs": true, "hack": true, "kubebox": true, "test": true, "web": true}

// sourceSum is the SHA-256 over the module files and every Go file of the
// module that may be in an image. It takes in more than one image needs,
// since only Go could tell what that is.
func sourceSum(dir string) (string, error) {
	if dir == "" {
		dir = "."
	}
	sum := sha256.New()
	// WalkDir goes in the order of names, so the sum is stable.
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() {
			if relative != "." && (apart[relative] || strings.HasPrefix(name, ".")) {
				return fs.SkipDir
			}
			return nil
		}
		source := strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go")
		if !source && relative != "go.mod" && relative != "go.sum" {
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		_, _ = fmt.Fprintf(sum, "%s %d\n", filepath.ToSlash(relative), len(content))
		sum.Write(content)
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("could not read the sources of the images in %q: %w", dir, err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
