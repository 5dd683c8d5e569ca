// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package beside

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairway-cloud/fairway/internal/platform/kubetest"
)

// book keeps the objects of a kind that have come to what is waited for, by a watch of the
// API server that is the same for both.
type book struct {
	mu          sync.Mutex
	first, last time.Time
	done        map[string]*unstructured.Unstructured
	changed     chan struct{}
	ended       error
}

// open follows a kind in the namespace until the test ends.
func open(t *testing.T, c *kubetest.Cluster, kind schema.GroupVersionKind, settled func(*unstructured.Unstructured) bool) *book {
	t.Helper()
	hub, err := client.NewWithWatch(c.Config(), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(kind)
	w, err := hub.Watch(t.Context(), list, client.InNamespace(namespace))
	if err != nil {
		t.Fatal(err)
	}
	b := &book{done: map[string]*unstructured.Unstructured{}, changed: make(chan struct{}, 1)}
	var following sync.WaitGroup
	following.Go(func() {
		for event := range w.ResultChan() {
			if o, is := event.Object.(*unstructured.Unstructured); is && event.Type != watch.Deleted && settled(o) {
				b.note(o)
			}
		}
		b.end(errors.New("the watch has ended"))
	})
	t.Cleanup(func() { w.Stop(); following.Wait() })
	return b
}

func (b *book) note(o *unstructured.Unstructured) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.done[o.GetName()] == nil {
		b.last = time.Now()
		if b.first.IsZero() {
			b.first = b.last
		}
	}
	b.done[o.GetName()] = o
	b.tell()
}

func (b *book) end(why error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = why
	b.tell()
}

func (b *book) tell() {
	select {
	case b.changed <- struct{}{}:
	default:
	}
}

// wait waits until so many objects have come to it.
func (b *book) wait(ctx context.Context, n int) error {
	for {
		b.mu.Lock()
		have, ended := len(b.done), b.ended
		b.mu.Unlock()
		if have >= n {
			return nil
		}
		if ended != nil {
			return fmt.Errorf("%d of %d are there: %w", have, n, ended)
		}
		select {
		case <-b.changed:
		case <-ctx.Done():
			return fmt.Errorf("%d of %d are there: %w", have, n, ctx.Err())
		}
	}
}

// size is how many bytes an object has as JSON, on average, without what names who wrote
// which field.
func (b *book) size() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	sum := 0
	for _, o := range b.done {
		o = o.DeepCopy()
		o.SetManagedFields(nil)
		raw, _ := json.Marshal(o)
		sum += len(raw)
	}
	return sum / max(1, len(b.done))
}

// condition is the status of a condition of an object; empty: it has none.
func condition(o *unstructured.Unstructured, kind string) string {
	all, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
	for _, c := range all {
		if c, is := c.(map[string]any); is && c["type"] == kind {
			status, _ := c["status"].(string)
			return status
		}
	}
	return ""
}
