// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package app

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	kjson "sigs.k8s.io/json"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/platform/canonical"
)

const (
	// contentFormat is the shape of Content.
	contentFormat = 1
	// contentLimit bounds canonical content, in bytes; it is what a Revision can hold.
	contentLimit = 1_000_000
	// filesLimit bounds all configuration files of an application, in bytes.
	filesLimit = 512 << 10
)

// Content is what a Revision freezes. Its canonical JSON is digested.
type Content struct {
	Format           int32            `json:"format"`
	Renderer         int32            `json:"renderer"` // generation.go
	Tenant           string           `json:"tenant"`
	Environment      string           `json:"environment"`
	EnvironmentClass EnvironmentClass `json:"environmentClass"`
	Application      string           `json:"application"`
	// Spec is the application's, with images as repository@digest. In the canonical text
	// it is without defaults; Freeze and Parse return it with defaults.
	Spec appv1.ApplicationSpec `json:"spec"`
	// Class is the availability class as it was.
	Class Class `json:"class"`
	// Components are what was resolved for each component, in the order of Spec.
	Components []FrozenComponent `json:"components"`
	// SecretVersions are the versions of the Secrets that components use.
	SecretVersions map[string]string `json:"secretVersions,omitempty"`
}

// FrozenComponent is what was resolved for one component.
type FrozenComponent struct {
	Name appv1.ComponentName `json:"name"`
	// TemplateDigest is over only what changes a pod of the component.
	TemplateDigest string `json:"templateDigest"`
	// Level is the security level that counts for the component, as it was.
	Level Level `json:"level"`
	// Architectures are the processors that its image runs on, sorted, as the registry told
	// when it was frozen (R10). None: any; Revisions made before images were asked have none.
	Architectures []string `json:"architectures,omitempty"`
	// Waived are the exceptions that held when it was frozen.
	Waived []Exception `json:"waived,omitempty"`
}

// Rules are the hardening rules that the component obeys, exceptions left out.
func (f FrozenComponent) Rules() []Rule {
	var out []Rule
	for _, rule := range f.Level.Hardening {
		if !slices.ContainsFunc(f.Waived, func(e Exception) bool { return e.Rule == rule }) {
			out = append(out, rule)
		}
	}
	return out
}

// Frozen is a content with its canonical text and digest.
type Frozen struct {
	Content Content
	// Text is the canonical JSON: spec.content of the Revision.
	Text string
	// Digest is "sha256:…" over Text.
	Digest string
}

// RevisionName is the name of the Revision that holds a digest.
func RevisionName(application, digest string) string {
	return application + "-" + canonical.Short(digest, 10)
}

// ErrContentTooLarge means that the application does not fit into a Revision; move large
// files into a volume or a configuration centre.
var ErrContentTooLarge = errors.New("content too large")

// Freeze makes the content of a Revision from an application. images maps each image, as
// the application writes it, to its digest "sha256:…"; what else is known of it is in w.Images.
// The same input gives the same bytes.
func Freeze(a *appv1.Application, images map[string]string, w World) (Frozen, error) {
	spec := a.Spec.DeepCopy()
	defaults(spec, fill)
	if err := resolveSplits(spec); err != nil {
		return Frozen{}, fmt.Errorf("could not freeze application %q: %w", a.Name, err)
	}
	if err := sortMaps(spec); err != nil {
		return Frozen{}, err
	}
	class, ok := w.class(spec.AvailabilityClass)
	if !ok {
		return Frozen{}, fmt.Errorf("could not freeze application %q: availability class %q does not exist; name one that does", a.Name, spec.AvailabilityClass)
	}
	content := Content{
		Format: contentFormat, Renderer: generationOf(*spec, a.Name),
		Tenant: w.Tenant, Environment: w.Environment, EnvironmentClass: w.EnvironmentClass,
		Application: a.Name, Spec: *spec, Class: class,
	}
	for i := range spec.Components {
		c := &spec.Components[i]
		pinned, err := pin(c.Image, images[c.Image])
		if err != nil {
			return Frozen{}, fmt.Errorf("could not freeze component %q: %w", c.Name, err)
		}
		on, err := runsOn(c.Image, w.Images[c.Image])
		if err != nil {
			return Frozen{}, fmt.Errorf("could not freeze component %q: %w", c.Name, err)
		}
		c.Image = pinned
		name := c.SecurityLevel
		if name == "" {
			name = spec.SecurityLevel
		}
		level, ok := w.level(name)
		if !ok {
			return Frozen{}, fmt.Errorf("could not freeze component %q: security level %q does not exist; name one that does", c.Name, name)
		}
		content.Components = append(content.Components, FrozenComponent{
			Name: c.Name, Level: sorted(level), Architectures: on, Waived: waived(level, w, a.Name, string(c.Name)),
		})
		for _, secret := range secretsOf(*spec, *c) {
			if version, ok := w.SecretVersions[secret]; ok {
				if content.SecretVersions == nil {
					content.SecretVersions = map[string]string{}
				}
				content.SecretVersions[secret] = version
			}
		}
	}
	for i, c := range spec.Components {
		digest, err := templateDigest(content, c, content.Components[i])
		if err != nil {
			return Frozen{}, err
		}
		content.Components[i].TemplateDigest = digest
	}
	return seal(content)
}

func seal(content Content) (Frozen, error) {
	bare := content
	bare.Spec = *content.Spec.DeepCopy()
	defaults(&bare.Spec, strip)
	text, err := canonical.JSON(bare)
	if err != nil {
		return Frozen{}, err
	}
	if len(text) > contentLimit {
		return Frozen{}, fmt.Errorf("could not freeze application %q: it has %d bytes, and a Revision holds %d; move large files into a volume or a configuration centre: %w",
			content.Application, len(text), contentLimit, ErrContentTooLarge)
	}
	// What Freeze returns is what Parse returns, to the last quantity.
	parsed, err := Parse(text)
	if err != nil {
		return Frozen{}, err
	}
	return Frozen{Content: parsed, Text: text, Digest: canonical.Digest(text)}, nil
}

// Parse reads the content of a Revision. Unknown fields are refused: a content written by a
// later Fairway is not carried out in part. Verify the digest first.
func Parse(text string) (Content, error) {
	var content Content
	strict, err := kjson.UnmarshalStrict([]byte(text), &content)
	if err != nil {
		return Content{}, fmt.Errorf("could not read the content of a Revision: %w", err)
	}
	if len(strict) > 0 {
		return Content{}, fmt.Errorf("could not read the content of a Revision: %w; it may have been made by a later version", errors.Join(strict...))
	}
	if content.Format != contentFormat || content.Renderer < firstGeneration || content.Renderer > latestGeneration {
		return Content{}, fmt.Errorf("could not read the content of a Revision: format %d, renderer %d is not known here; this version knows format %d and renderers %d to %d",
			content.Format, content.Renderer, contentFormat, firstGeneration, latestGeneration)
	}
	if len(content.Components) != len(content.Spec.Components) {
		return Content{}, fmt.Errorf("could not read the content of a Revision: it resolves %d components of %d", len(content.Components), len(content.Spec.Components))
	}
	for i, c := range content.Spec.Components {
		if content.Components[i].Name != c.Name {
			return Content{}, fmt.Errorf("could not read the content of a Revision: component %q is resolved as %q", c.Name, content.Components[i].Name)
		}
	}
	defaults(&content.Spec, fill)
	return content, nil
}

// Open verifies the digest of a Revision's content and reads it.
func Open(revision *appv1.Revision) (Content, error) {
	if err := canonical.Verify(revision.Spec.Content, revision.Spec.Digest); err != nil {
		return Content{}, fmt.Errorf("could not open revision %q: %w", revision.Name, err)
	}
	content, err := Parse(revision.Spec.Content)
	if err != nil {
		return Content{}, fmt.Errorf("could not open revision %q: %w", revision.Name, err)
	}
	if content.Application != revision.Spec.Application {
		return Content{}, fmt.Errorf("could not open revision %q: it is of application %q, its content of %q", revision.Name, revision.Spec.Application, content.Application)
	}
	return content, nil
}

// Repository is an image without its tag and digest.
func Repository(image string) string {
	image, _, _ = strings.Cut(image, "@")
	if slash, colon := strings.LastIndex(image, "/"), strings.LastIndex(image, ":"); colon > slash {
		image = image[:colon]
	}
	return image
}

func pin(image, digest string) (string, error) {
	if _, own, ok := strings.Cut(image, "@"); ok {
		if digest != "" && digest != own {
			return "", fmt.Errorf("image %q was resolved to another digest, %q", image, digest)
		}
		digest = own
	}
	if len(digest) != 71 || !strings.HasPrefix(digest, "sha256:") {
		return "", fmt.Errorf("image %q has no digest (%q); the registry must have it first", image, digest)
	}
	return Repository(image) + "@" + digest, nil
}

func sorted(l Level) Level {
	l.Hardening = slices.Clone(l.Hardening)
	slices.Sort(l.Hardening)
	l.Hardening = slices.Compact(l.Hardening)
	l.Exceptions = nil
	if l.PodSecurity == "" {
		l.PodSecurity = podSecurityRestricted
	}
	return l
}

func waived(l Level, w World, application, component string) []Exception {
	var out []Exception
	for _, e := range l.Exceptions {
		fits := e.Tenant == w.Tenant && e.Application == application && (e.Component == "" || e.Component == component)
		if fits && w.Now.Before(e.ExpiresAt) && slices.Contains(l.Hardening, e.Rule) {
			e.Tenant, e.Application, e.ExpiresAt = "", "", e.ExpiresAt.UTC().Round(0)
			out = append(out, e)
		}
	}
	slices.SortFunc(out, func(a, b Exception) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// sortMaps puts lists whose order means nothing into the order of their keys, so that
// shuffling a file does not make another Revision.
func sortMaps(spec *appv1.ApplicationSpec) error {
	files := 0
	byKey(spec.Components, func(c appv1.Component) string { return string(c.Name) })
	byKey(spec.Bindings, func(b appv1.Binding) string { return b.Name })
	byKey(spec.Exposure, func(e appv1.Exposure) string { return e.Name })
	for i := range spec.Components {
		c := &spec.Components[i]
		if i > 0 && spec.Components[i-1].Name == c.Name {
			return fmt.Errorf("could not freeze the application: component %q is there twice; rename one", c.Name)
		}
		byKey(c.Instances, func(n appv1.InstanceCount) string { return n.DCN })
		for j := range c.Instances {
			byKey(c.Instances[j].Clusters, func(n appv1.ClusterCount) string { return n.Cluster })
		}
		sortSplit(c.Split)
		byKey(c.Ports, func(p appv1.Port) string { return string(p.Name) })
		byKey(c.Env, func(e appv1.EnvVar) string { return e.Name })
		byKey(c.Configuration, func(s appv1.ConfigurationSet) string { return s.Name })
		byKey(c.Secrets, func(s appv1.SecretMount) string { return s.Name })
		byKey(c.Volumes, func(v appv1.Volume) string { return v.Name })
		byKey(c.Logs, func(l appv1.Log) string { return l.Name })
		byKey(c.Interfaces, func(n appv1.Interface) string { return n.Name })
		for j := range c.Configuration {
			byKey(c.Configuration[j].Files, func(f appv1.ConfigurationFile) string { return f.Name })
			for _, f := range c.Configuration[j].Files {
				files += len(f.Content)
			}
		}
		if c.DNS != nil {
			byKey(c.DNS.Hosts, func(h appv1.HostAlias) string { return h.IP })
		}
	}
	if files > filesLimit {
		return fmt.Errorf("could not freeze the application: its configuration files have %d bytes and may have %d; move large files into a volume or a configuration centre: %w",
			files, filesLimit, ErrContentTooLarge)
	}
	return nil
}

func byKey[T any](list []T, key func(T) string) {
	slices.SortStableFunc(list, func(a, b T) int { return strings.Compare(key(a), key(b)) })
}
