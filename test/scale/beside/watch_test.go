// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package beside

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	toolscache "k8s.io/client-go/tools/cache"
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
}

// open follows a kind in the namespace until the test ends; where the API server ends the
// watch it goes on from there.
func open(t *testing.T, c *kubetest.Cluster, kind schema.GroupVersionKind, settled func(*unstructured.Unstructured) bool) *book {
	t.Helper()
	hub, err := client.NewWithWatch(c.Config(), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	list := func() *unstructured.UnstructuredList {
		l := &unstructured.UnstructuredList{}
		l.SetGroupVersionKind(kind)
		return l
	}
	b := &book{done: map[string]*unstructured.Unstructured{}, changed: make(chan struct{}, 1)}
	note := func(o any) {
		if o, is := o.(*unstructured.Unstructured); is && settled(o) {
			b.note(o)
		}
	}
	_, following := toolscache.NewInformerWithOptions(toolscache.InformerOptions{
		ListerWatcher: &toolscache.ListWatch{
			ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
				l := list()
				return l, hub.List(ctx, l, &client.ListOptions{Namespace: namespace, Raw: &o})
			},
			WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
				return hub.Watch(ctx, list(), &client.ListOptions{Namespace: namespace, Raw: &o})
			},
		},
		ObjectType: &unstructured.Unstructured{},
		Handler:    toolscache.ResourceEventHandlerFuncs{AddFunc: note, UpdateFunc: func(_, now any) { note(now) }},
	})
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	var done sync.WaitGroup
	done.Go(func() { following.RunWithContext(ctx) })
	t.Cleanup(func() { stop(); done.Wait() })
	if !toolscache.WaitForCacheSync(t.Context().Done(), following.HasSynced) {
		t.Fatal("the watch did not start")
	}
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
		have := len(b.done)
		b.mu.Unlock()
		if have >= n {
			return nil
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
