// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package images

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// transport never uses a proxy: the sandbox's registry is on this machine,
// and the environment's proxy would not find it.
var transport http.RoundTripper = &http.Transport{
	DialContext:           (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
	MaxIdleConnsPerHost:   4,
	IdleConnTimeout:       30 * time.Second,
	ResponseHeaderTimeout: time.Minute,
}

// Push uploads the image to a plain-HTTP registry as ref, for example
// "10.90.0.1:5000/bank/account:v1", and returns its digest "sha256:…".
// What the registry already holds is not sent again.
func Push(ctx context.Context, img v1.Image, ref string) (string, error) {
	target, err := name.ParseReference(ref, name.Insecure, name.StrictValidation)
	if err != nil {
		return "", fmt.Errorf("could not push image %q: %w: write host:port/name:tag", ref, err)
	}
	if err := remote.Write(target, img, remote.WithContext(ctx),
		remote.WithAuth(authn.Anonymous), remote.WithTransport(transport)); err != nil {
		return "", fmt.Errorf("could not push image %q: %w: is the registry up?", ref, err)
	}
	return Digest(img)
}

// Digest is the image's manifest digest, "sha256:…".
func Digest(img v1.Image) (string, error) {
	digest, err := img.Digest()
	if err != nil {
		return "", fmt.Errorf("could not tell the digest of an image: %w", err)
	}
	return digest.String(), nil
}

// WriteArchive writes the image as a docker archive that
// "ctr --namespace k8s.io images import PATH" takes in under the name ref.
// The file appears whole or not at all.
func WriteArchive(path, ref string, img v1.Image) error {
	tag, err := name.NewTag(ref, name.StrictValidation)
	if err != nil {
		return fmt.Errorf("could not write image archive %q: %w: write host/name:tag", path, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("could not write image archive %q: %w", path, err)
	}
	draft := path + ".draft"
	defer func() { _ = os.Remove(draft) }()
	if err := tarball.WriteToFile(draft, tag, img); err != nil {
		return fmt.Errorf("could not write image archive %q: %w", path, err)
	}
	if err := os.Rename(draft, path); err != nil {
		return fmt.Errorf("could not write image archive %q: %w", path, err)
	}
	return nil
}

// ReadArchive returns the single image of an archive that WriteArchive wrote,
// for machines without Go. Its layer is the same; its manifest is rebuilt in
// docker's format, so its digest differs from that of the built image.
func ReadArchive(path string) (v1.Image, error) {
	img, err := tarball.ImageFromPath(path, nil)
	if err != nil {
		return nil, fmt.Errorf("could not read image archive %q: %w", path, err)
	}
	return img, nil
}
