// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package registry asks OCI registries what an image is. It asks only the registries that it
// was told of: the name in an image is written by a tenant, and must not make the server
// call any address that the tenant likes.
package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/fairway-cloud/fairway/internal/app"
)

const (
	// patience bounds one question to a registry.
	patience = 15 * time.Second
	// answerLimit bounds one answer, in bytes: manifests and configurations are small.
	answerLimit = 4 << 20
)

// Registry is a registry that may be asked.
type Registry struct {
	// Name is what images call it, for example "registry.bank.example:5000".
	Name string
	// Endpoint is where it answers, as host:port. Default: Name.
	Endpoint string
	// Plain says that it speaks plain HTTP, as a sandbox's does.
	Plain bool
}

// ParseRegistry reads "name" or "name=endpoint".
func ParseRegistry(text string, plain bool) (Registry, error) {
	called, endpoint, _ := strings.Cut(text, "=")
	if endpoint == "" {
		endpoint = called
	}
	for _, host := range []string{called, endpoint} {
		if _, err := name.NewRegistry(host, name.StrictValidation); err != nil || host == "" {
			return Registry{}, fmt.Errorf("could not read registry %q: it is not \"host:port\" or \"host:port=host:port\"", text)
		}
	}
	return Registry{Name: called, Endpoint: endpoint, Plain: plain}, nil
}

// Resolver implements app.Resolver.
type Resolver struct {
	registries map[string]Registry
	transport  http.RoundTripper
	keychain   authn.Keychain
}

var _ app.Resolver = &Resolver{}

// New returns a Resolver that asks these registries, without credentials.
func New(registries ...Registry) *Resolver {
	r := &Resolver{registries: map[string]Registry{}, keychain: authn.NewMultiKeychain()}
	hosts := map[string]bool{}
	for _, one := range registries {
		if one.Endpoint == "" {
			one.Endpoint = one.Name
		}
		r.registries[one.Name] = one
		hosts[one.Endpoint] = true
	}
	base := http.DefaultTransport.(*http.Transport).Clone()
	base.Proxy = nil
	base.ResponseHeaderTimeout = patience
	r.transport = fence{hosts: hosts, next: base}
	return r
}

// Resolve implements app.Resolver. For an image of several platforms, the digest is that of
// the whole index, and the user that of linux/amd64 or else of its first image.
func (r *Resolver) Resolve(ctx context.Context, image string) (app.ImageFacts, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	reference, err := r.reference(image)
	if err != nil {
		return app.ImageFacts{}, err
	}
	options := []remote.Option{
		remote.WithContext(ctx), remote.WithTransport(r.transport), remote.WithAuthFromKeychain(r.keychain),
		remote.WithUserAgent("fairway"), remote.WithRetryBackoff(remote.Backoff{Duration: 100 * time.Millisecond, Factor: 3, Steps: 2}),
	}
	found, err := remote.Get(reference, options...)
	if err != nil {
		return app.ImageFacts{}, tell(image, err)
	}
	configured, err := configuration(found)
	if err != nil {
		return app.ImageFacts{}, tell(image, err)
	}
	return app.ImageFacts{Digest: found.Digest.String(), User: configured.Config.User}, nil
}

func (r *Resolver) reference(image string) (name.Reference, error) {
	parsed, err := name.ParseReference(image)
	if err != nil {
		return nil, fmt.Errorf("could not read image %q: %w: %w; write it like registry/path:version", image, err, app.ErrRegistryRefused)
	}
	one, ok := r.registries[parsed.Context().RegistryStr()]
	if !ok {
		return nil, fmt.Errorf("could not resolve image %q: registry %q is not one of the platform's: %w", image, parsed.Context().RegistryStr(), app.ErrRegistryRefused)
	}
	var options []name.Option
	if one.Plain {
		options = append(options, name.Insecure)
	}
	at := one.Endpoint + "/" + parsed.Context().RepositoryStr()
	if digest, ok := parsed.(name.Digest); ok {
		return name.NewDigest(at+"@"+digest.DigestStr(), options...)
	}
	return name.NewTag(at+":"+parsed.Identifier(), options...)
}

func configuration(found *remote.Descriptor) (*v1.ConfigFile, error) {
	if !found.MediaType.IsIndex() {
		image, err := found.Image()
		if err != nil {
			return nil, err
		}
		return image.ConfigFile()
	}
	index, err := found.ImageIndex()
	if err != nil {
		return nil, err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	var chosen *v1.Hash
	for _, m := range manifest.Manifests {
		if !m.MediaType.IsImage() {
			continue
		}
		amd64 := m.Platform != nil && m.Platform.OS == "linux" && m.Platform.Architecture == "amd64"
		if chosen == nil || amd64 {
			chosen = &m.Digest
		}
		if amd64 {
			break
		}
	}
	if chosen == nil {
		return nil, errors.New("the index holds no image")
	}
	image, err := index.Image(*chosen)
	if err != nil {
		return nil, err
	}
	return image.ConfigFile()
}

// tell says whether the registry lacks the image or could not be asked.
func tell(image string, err error) error {
	var answered *transport.Error
	if errors.As(err, &answered) {
		switch answered.StatusCode {
		case http.StatusNotFound:
			return fmt.Errorf("could not resolve image %q: %w", image, app.ErrImageNotFound)
		case http.StatusUnauthorized, http.StatusForbidden:
			return fmt.Errorf("could not resolve image %q: the registry does not let Fairway read it: %w", image, app.ErrImageNotFound)
		}
	}
	return fmt.Errorf("could not resolve image %q: %w", image, err)
}

// fence lets requests reach the named hosts only, redirects included, and bounds answers.
type fence struct {
	hosts map[string]bool
	next  http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (f fence) RoundTrip(request *http.Request) (*http.Response, error) {
	if !f.hosts[request.URL.Host] {
		return nil, fmt.Errorf("the registry sends to %q, which is not one of the platform's registries", request.URL.Host)
	}
	response, err := f.next.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	response.Body = bounded{Reader: io.LimitReader(response.Body, answerLimit), Closer: response.Body}
	return response, nil
}

type bounded struct {
	io.Reader
	io.Closer
}
