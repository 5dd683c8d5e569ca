// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"context"
	"fmt"
	"slices"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/delivery"
)

// maxShelved bounds how much of parsed renderings is kept, in bytes of their content;
// parsed they take a few times that. They never change, so that one that was forgotten
// is only read again.
const maxShelved = 64 << 20

// Library keeps parsed renderings by digest: each is checked once, and read from the hub
// only where nobody in this process has just stored it. The zero value is ready.
type Library struct {
	mu      sync.Mutex
	shelved map[string]parsed
	// size of the content of what is shelved, in bytes.
	size int
	// awaited holds the Deliveries that wait for a Rendering, by its key.
	awaited map[client.ObjectKey][]client.ObjectKey
}

// parsed are the objects of a rendering whose content has so many bytes.
type parsed struct {
	objects []delivery.Object
	size    int
}

// arrived returns the Deliveries that waited for a Rendering.
func (l *Library) arrived(rendering client.ObjectKey) []client.ObjectKey {
	l.mu.Lock()
	defer l.mu.Unlock()
	waiting := l.awaited[rendering]
	delete(l.awaited, rendering)
	return waiting
}

func (l *Library) await(rendering, waiting client.ObjectKey) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.awaited == nil {
		l.awaited = map[client.ObjectKey][]client.ObjectKey{}
	}
	if !slices.Contains(l.awaited[rendering], waiting) {
		l.awaited[rendering] = append(l.awaited[rendering], waiting)
	}
}

// read returns the renderings that a Delivery names, by name. A problem means that
// bytes are not the ones that were approved.
func (l *Library) read(ctx context.Context, reader client.Reader, d *v1alpha1.Delivery) (map[string][]delivery.Object, *delivery.Problem, error) {
	renderings := map[string][]delivery.Object{}
	if d.Spec.Intent == "Retire" {
		return renderings, nil, nil
	}
	references := append([]v1alpha1.RenderingReference{}, d.Spec.Shared...)
	for _, workload := range d.Spec.Workloads {
		references = append(references, workload.Rendering)
	}
	for _, reference := range references {
		objects, problem, err := l.readOne(ctx, reader, client.ObjectKeyFromObject(d), reference)
		if problem != nil || err != nil {
			return nil, problem, err
		}
		renderings[reference.Name] = objects
	}
	return renderings, nil, nil
}

func (l *Library) readOne(ctx context.Context, reader client.Reader, asking client.ObjectKey, reference v1alpha1.RenderingReference) ([]delivery.Object, *delivery.Problem, error) {
	if objects, known := l.shelf(reference.Digest); known {
		return objects, nil, nil
	}
	rendering := &v1alpha1.Rendering{}
	key := client.ObjectKey{Namespace: asking.Namespace, Name: reference.Name}
	l.await(key, asking) // before it is read, so that it does not arrive unseen
	err := reader.Get(ctx, key, rendering)
	if err == nil {
		l.arrived(key)
	}
	if apierrors.IsNotFound(err) {
		return nil, nil, &waitError{"RenderingMissing", fmt.Sprintf("rendering %q is not there yet; it is applied once the release has stored it", reference.Name)}
	}
	if err != nil {
		return nil, nil, fmt.Errorf("could not read rendering %q: %w", reference.Name, err)
	}
	objects, err := delivery.ParseRendering(rendering.Spec.Content, reference.Digest)
	if err != nil {
		return nil, &delivery.Problem{Reason: delivery.ReasonBadRendering, Message: fmt.Sprintf("rendering %q is refused: %v; start the release anew", reference.Name, err)}, nil
	}
	l.keep(reference.Digest, objects, len(rendering.Spec.Content))
	return objects, nil, nil
}

// Stored shelves a rendering that was stored a moment ago. One that is not what its digest
// says is left to whoever reads it.
func (l *Library) Stored(rendering v1alpha1.RenderingSpec) {
	if _, known := l.shelf(rendering.Digest); known {
		return
	}
	if objects, err := delivery.ParseRendering(rendering.Content, rendering.Digest); err == nil {
		l.keep(rendering.Digest, objects, len(rendering.Content))
	}
}

// keep shelves objects that were parsed from so many bytes, and takes others away where there
// are too many: whichever. All are looked at again and again in turn, so that the one that was
// asked for longest ago is the one that is asked for next.
func (l *Library) keep(digest string, objects []delivery.Object, size int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.shelved == nil {
		l.shelved = map[string]parsed{}
	}
	l.size += size - l.shelved[digest].size
	l.shelved[digest] = parsed{objects, size}
	for other, p := range l.shelved { // in an order of chance
		if l.size <= maxShelved {
			break
		}
		if other != digest {
			delete(l.shelved, other)
			l.size -= p.size
		}
	}
}

func (l *Library) shelf(digest string) ([]delivery.Object, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p, known := l.shelved[digest]
	return p.objects, known
}
