// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package apptest

import (
	"context"
	"fmt"
	"sync"

	"github.com/fairway-cloud/fairway/internal/app"
)

// Registry is a fake app.Resolver: it has the images it was given.
type Registry struct {
	lock   sync.Mutex
	images map[string]app.ImageFacts
	away   error
	asked  int
}

var _ app.Resolver = &Registry{}

// NewRegistry returns a registry that has these images.
func NewRegistry(digests map[string]string) *Registry {
	r := &Registry{images: map[string]app.ImageFacts{}}
	for image, digest := range digests {
		r.images[image] = app.ImageFacts{Digest: digest, User: "65532"}
	}
	return r
}

// Push adds an image.
func (r *Registry) Push(image string, facts app.ImageFacts) {
	r.lock.Lock()
	defer r.lock.Unlock()
	r.images[image] = facts
}

// Remove takes an image away.
func (r *Registry) Remove(image string) {
	r.lock.Lock()
	defer r.lock.Unlock()
	delete(r.images, image)
}

// Fail has every question fail until it is called with nil.
func (r *Registry) Fail(err error) {
	r.lock.Lock()
	defer r.lock.Unlock()
	r.away = err
}

// Asked counts the questions so far.
func (r *Registry) Asked() int {
	r.lock.Lock()
	defer r.lock.Unlock()
	return r.asked
}

// Resolve implements app.Resolver.
func (r *Registry) Resolve(_ context.Context, image string) (app.ImageFacts, error) {
	r.lock.Lock()
	defer r.lock.Unlock()
	r.asked++
	if r.away != nil {
		return app.ImageFacts{}, r.away
	}
	facts, ok := r.images[image]
	if !ok {
		return app.ImageFacts{}, fmt.Errorf("could not resolve image %q: %w", image, app.ErrImageNotFound)
	}
	return facts, nil
}
