// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package stage

import (
	"io"
	"log"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// Registry serves images, each for processors; none: it says none. It returns the
// registry's address.
func Registry(t *testing.T, images map[string][]string) string {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	address := strings.TrimPrefix(server.URL, "http://")
	for image, processors := range images {
		reference, err := name.ParseReference(address+"/"+image, name.Insecure)
		Must(t, err)
		if len(processors) < 2 {
			Must(t, remote.Write(reference, imageFor(t, strings.Join(processors, ""))))
			continue
		}
		index := v1.ImageIndex(empty.Index)
		for _, p := range processors {
			index = mutate.AppendManifests(index, mutate.IndexAddendum{
				Add: imageFor(t, p), Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: p}},
			})
		}
		Must(t, remote.WriteIndex(reference, index))
	}
	return address
}

// imageFor is an image for a processor; "": it says none.
func imageFor(t *testing.T, processor string) v1.Image {
	t.Helper()
	image, err := random.Image(64, 1)
	Must(t, err)
	if processor == "" {
		image, err = mutate.Config(image, v1.Config{User: "65532"})
		Must(t, err)
		return image
	}
	file, err := image.ConfigFile()
	Must(t, err)
	file = file.DeepCopy()
	file.OS, file.Architecture, file.Config.User = "linux", processor, "65532"
	image, err = mutate.ConfigFile(image, file)
	Must(t, err)
	return image
}
