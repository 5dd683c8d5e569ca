// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package registry

import (
	"fmt"
	"regexp"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/fairway-cloud/fairway/internal/app"
)

const (
	// mostDepth bounds how many indexes lie in each other: a build tool makes one, a
	// collection of them two.
	mostDepth = 3
	// mostManifests bounds how many manifests all indexes of an image list together.
	mostManifests = 256
	// mostConfigurations bounds how many images are asked for their configuration because
	// the index does not say what they run on.
	mostConfigurations = 16
)

// attestation is the annotation by which build tools mark what is listed beside images:
// where they come from and what they are made of.
const attestation = "vnd.docker.reference.type"

// platforms is what an image runs on, and whose user counts for all of it.
type platforms struct {
	architectures []string
	user          string
	// chosen is how well the image suits whose user it is: linux/amd64 best.
	chosen int
	// manifests and configurations were looked at so far.
	manifests, configurations int
}

// image adds an image that stands for itself: its configuration says what it runs on.
func (p *platforms) image(image v1.Image) error {
	file, err := configuration(image)
	if err != nil {
		return err
	}
	p.add(v1.Platform{OS: file.OS, Architecture: file.Architecture}, file)
	return nil
}

// index adds the images of an index, and of the indexes in it.
func (p *platforms) index(index v1.ImageIndex, depth int) error {
	if depth > mostDepth {
		return fmt.Errorf("its indexes lie in each other more than %d deep: %w", mostDepth, app.ErrImageUnreadable)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return err
	}
	if p.manifests += len(manifest.Manifests); p.manifests > mostManifests {
		return fmt.Errorf("it lists more than %d manifests: %w", mostManifests, app.ErrImageUnreadable)
	}
	for _, m := range manifest.Manifests {
		switch {
		case m.Annotations[attestation] != "":
		case m.MediaType.IsIndex():
			inner, err := index.ImageIndex(m.Digest)
			if err != nil {
				return err
			}
			if err := p.index(inner, depth+1); err != nil {
				return err
			}
		case m.MediaType.IsImage():
			if err := p.listed(index, m); err != nil {
				return err
			}
		}
	}
	return nil
}

// listed adds an image of an index. What the index says of its platform counts, as it does
// for the runtime that pulls it; where it says nothing, the image's configuration does.
func (p *platforms) listed(index v1.ImageIndex, m v1.Descriptor) error {
	if m.Platform != nil && (m.Platform.OS == "unknown" || m.Platform.Architecture == "unknown") {
		return nil // an attestation of a tool that does not mark it
	}
	told := m.Platform != nil && m.Platform.Architecture != ""
	if told && suits(*m.Platform) <= p.chosen {
		p.add(*m.Platform, nil)
		return nil
	}
	if p.configurations++; p.configurations > mostConfigurations {
		return fmt.Errorf("it lists more than %d images without their platform: %w", mostConfigurations, app.ErrImageUnreadable)
	}
	image, err := index.Image(m.Digest)
	if err != nil {
		return err
	}
	file, err := configuration(image)
	if err != nil {
		return err
	}
	platform := v1.Platform{OS: file.OS, Architecture: file.Architecture}
	if told {
		platform = *m.Platform
	}
	p.add(platform, file)
	return nil
}

// suits says how well an image suits to speak for all.
func suits(p v1.Platform) int {
	switch {
	case p.OS != "" && p.OS != "linux":
		return 1
	case normal(p.Architecture) != "amd64":
		return 2
	}
	return 3
}

func (p *platforms) add(platform v1.Platform, file *v1.ConfigFile) {
	if s := suits(platform); file != nil && s > p.chosen {
		p.chosen, p.user = s, file.Config.User
	}
	name := normal(platform.Architecture)
	if platform.OS != "" && platform.OS != "linux" {
		name = platform.OS + "-" + name // it runs on none of our hosts, and is named for it
	}
	if named.MatchString(name) && !slices.Contains(p.architectures, name) {
		p.architectures = append(p.architectures, name)
		slices.Sort(p.architectures)
	}
}

var named = regexp.MustCompile(`^[a-z0-9_-]{1,32}$`)

// normal is an architecture as Kubernetes names it (label kubernetes.io/arch). Variants, such
// as v8 of arm64 or v7 of arm, are not told apart there.
func normal(name string) string {
	switch name {
	case "x86_64", "x86-64":
		return "amd64"
	case "aarch64":
		return "arm64"
	case "loongarch64":
		return "loong64"
	}
	return name
}

func configuration(image v1.Image) (*v1.ConfigFile, error) {
	file, err := image.ConfigFile()
	if err == nil && file == nil {
		err = fmt.Errorf("it has no configuration: %w", app.ErrImageUnreadable)
	}
	return file, err
}
