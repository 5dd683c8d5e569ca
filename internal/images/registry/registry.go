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
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/fairway-cloud/fairway/internal/app"
	"github.com/fairway-cloud/fairway/internal/platform/sealing"
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
	known      known
}

var _ app.Resolver = &Resolver{}

// WithLogins has the Resolver log in at registries. Without, it asks without credentials.
func (r *Resolver) WithLogins(logins *Logins) *Resolver {
	logins.called = map[string]string{}
	for _, one := range r.registries {
		logins.called[one.Endpoint] = one.Name
	}
	r.keychain = logins
	return r
}

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
	sealed, err := sealing.Client{Within: patience}.HTTP(&http.Transport{
		DialContext:       (&net.Dialer{Timeout: patience, KeepAlive: 30 * time.Second}).DialContext,
		ForceAttemptHTTP2: true, MaxIdleConns: 100, IdleConnTimeout: 90 * time.Second, ExpectContinueTimeout: time.Second, ResponseHeaderTimeout: patience,
	})
	r.transport = fence{hosts: hosts, next: sealed}
	if err != nil {
		r.transport = unable{err}
	}
	return r
}

// unable says with every question why none can be asked.
type unable struct{ why error }

// RoundTrip implements http.RoundTripper.
func (u unable) RoundTrip(*http.Request) (*http.Response, error) { return nil, u.why }

// Resolve implements app.Resolver. For an image of several platforms, the digest is that of
// the whole index, the architectures are those of all its Linux images (R10), and the user is
// that of linux/amd64 or else of its first image.
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
	if facts, ok := r.known.get(ctx, reference.Name()); ok {
		return facts, nil
	}
	found, err := remote.Get(reference, options...)
	if err != nil {
		return app.ImageFacts{}, tell(image, err)
	}
	at := reference.Context().Digest(found.Digest.String()).Name()
	if facts, ok := r.known.get(ctx, at); ok {
		return facts, nil
	}
	facts, err := factsOf(found)
	if err != nil {
		return app.ImageFacts{}, tell(image, err)
	}
	r.known.put(ctx, at, facts)
	return facts, nil
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

// factsOf reads what an image is: of an index, of all images in it.
func factsOf(found *remote.Descriptor) (app.ImageFacts, error) {
	var p platforms
	var err error
	switch {
	case found.MediaType.IsIndex():
		var index v1.ImageIndex
		if index, err = found.ImageIndex(); err == nil {
			err = p.index(index, 1)
		}
	case found.MediaType.IsImage():
		var image v1.Image
		if image, err = found.Image(); err == nil {
			err = p.image(image)
		}
	default:
		err = fmt.Errorf("it is %q and not an image: %w", found.MediaType, app.ErrImageUnreadable)
	}
	if err == nil && p.chosen == 0 {
		err = fmt.Errorf("the index holds no image: %w", app.ErrImageUnreadable)
	}
	return app.ImageFacts{Digest: found.Digest.String(), User: p.user, Architectures: p.architectures}, err
}

// tell says whether the registry lacks the image, does not let it be read, gave an answer
// that cannot be used, or could not be asked. It says nothing of credentials.
func tell(image string, err error) error {
	var answered *transport.Error
	var network *url.Error
	switch {
	case errors.As(err, &answered):
		switch answered.StatusCode {
		case http.StatusNotFound:
			return fmt.Errorf("could not resolve image %q: %w", image, app.ErrImageNotFound)
		case http.StatusUnauthorized, http.StatusForbidden:
			return fmt.Errorf("could not resolve image %q: %w", image, app.ErrRegistryDenied)
		}
		return fmt.Errorf("could not resolve image %q: its registry answered with status %d", image, answered.StatusCode)
	case errors.Is(err, errLarge):
		return fmt.Errorf("could not resolve image %q: %w: %w", image, errLarge, app.ErrImageUnreadable)
	case errors.As(err, &network), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), errors.Is(err, app.ErrImageUnreadable):
		return fmt.Errorf("could not resolve image %q: %w", image, err)
	}
	return fmt.Errorf("could not resolve image %q: %w: %w", image, err, app.ErrImageUnreadable)
}

// errLarge is the failure to read an answer that goes on.
var errLarge = fmt.Errorf("the registry's answer has more than %d MiB", answerLimit>>20)

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
	response.Body = &bounded{ReadCloser: response.Body, left: answerLimit}
	return response, nil
}

// bounded fails where an answer goes on beyond its bound.
type bounded struct {
	io.ReadCloser
	left int64
}

// Read implements io.Reader.
func (b *bounded) Read(into []byte) (int, error) {
	if int64(len(into)) > b.left+1 {
		into = into[:b.left+1]
	}
	n, err := b.ReadCloser.Read(into)
	if b.left -= int64(n); b.left < 0 {
		return 0, errLarge
	}
	return n, err
}
