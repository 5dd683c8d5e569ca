// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package images

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// made is the creation time every image and file bears: a real time would
// give the same source a new digest each day.
var made = time.Unix(0, 0).UTC()

// assemble puts the binary into an image of one layer. Operating system,
// architecture and entrypoint are set: containerd silently leaves out images
// without them.
func assemble(spec Spec, binary []byte) (v1.Image, error) {
	layer, err := layerOf(spec.Name, binary)
	if err != nil {
		return nil, err
	}
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	img, err := mutate.Append(base, mutate.Addendum{
		Layer:     layer,
		MediaType: types.OCILayer,
		History:   v1.History{Created: v1.Time{Time: made}, CreatedBy: "fairway: /" + spec.Name},
	})
	if err != nil {
		return nil, err
	}
	file, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	file = file.DeepCopy()
	file.OS = "linux"
	file.Architecture = spec.Architecture
	file.Created = v1.Time{Time: made}
	file.Config = v1.Config{
		Entrypoint: []string{"/" + spec.Name},
		Cmd:        spec.Args,
		User:       spec.User,
		WorkingDir: "/",
		StopSignal: spec.StopSignal,
		Env:        []string{"PATH=/"},
		Labels:     labels(spec),
	}
	return mutate.ConfigFile(img, file)
}

func labels(spec Spec) map[string]string {
	out := map[string]string{"org.opencontainers.image.title": spec.Name}
	if spec.Tag != "" {
		out["org.opencontainers.image.version"] = spec.Tag
	}
	for name, value := range spec.Labels {
		out[name] = value
	}
	return out
}

// layerOf is a tar of the binary, an empty /tmp and the files that programs
// expect to find when they ask who they are.
func layerOf(name string, binary []byte) (v1.Layer, error) {
	var packed bytes.Buffer
	zip, err := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	out := tar.NewWriter(zip)
	accounts := "root:x:0:0:root:/:/none\nnonroot:x:65532:65532:nonroot:/:/none\n"
	for _, entry := range []struct {
		name    string
		mode    int64
		kind    byte
		content []byte
	}{
		{"etc/", 0o755, tar.TypeDir, nil},
		{"etc/passwd", 0o644, tar.TypeReg, []byte(accounts)},
		{"tmp/", 0o1777, tar.TypeDir, nil},
		{name, 0o755, tar.TypeReg, binary},
	} {
		header := &tar.Header{
			Name: entry.name, Mode: entry.mode, Typeflag: entry.kind,
			Size: int64(len(entry.content)), ModTime: made, Format: tar.FormatUSTAR,
		}
		if err := out.WriteHeader(header); err != nil {
			return nil, fmt.Errorf("layer: %w", err)
		}
		if _, err := out.Write(entry.content); err != nil {
			return nil, fmt.Errorf("layer: %w", err)
		}
	}
	if err := out.Close(); err != nil {
		return nil, err
	}
	if err := zip.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(packed.Bytes())), nil
	}, tarball.WithMediaType(types.OCILayer))
}
