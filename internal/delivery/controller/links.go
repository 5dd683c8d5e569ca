// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/fairway-cloud/fairway/internal/delivery"
	"github.com/fairway-cloud/fairway/internal/platform/members"
)

// links keeps what is watched in each member, and which Delivery an object in a
// member wakes. The zero value is ready.
type links struct {
	mu     sync.Mutex
	byName map[string]*link
	// deliveries by cluster and member namespace.
	deliveries map[string]map[string]client.ObjectKey
	queue      workqueue.TypedRateLimitingInterface[reconcile.Request]
}

// link is one connection to a member.
type link struct {
	name  string
	cache cache.Cache
	mu    sync.Mutex
	kinds []schema.GroupVersionKind
}

// attach gives the queue that member events wake Deliveries through.
func (l *links) attach(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queue = queue
	return nil
}

func (l *links) remember(cluster, namespace string, key client.ObjectKey) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.deliveries == nil {
		l.deliveries = map[string]map[string]client.ObjectKey{}
	}
	if l.deliveries[cluster] == nil {
		l.deliveries[cluster] = map[string]client.ObjectKey{}
	}
	l.deliveries[cluster][namespace] = key
}

// settling is how long what a member tells is gathered before its Delivery is looked at: an
// apply, or a host that goes, changes many objects at once.
const settling = 100 * time.Millisecond

// wake has the Delivery of a member namespace reconciled, once for all that happens in a
// moment.
func (l *links) wake(cluster, namespace string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if key, known := l.deliveries[cluster][namespace]; known && l.queue != nil {
		l.queue.AddAfter(reconcile.Request{NamespacedName: key}, settling)
	}
}

// wakeAll has all Deliveries of a member reconciled.
func (l *links) wakeAll(cluster string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, key := range l.deliveries[cluster] {
		if l.queue != nil {
			l.queue.Add(reconcile.Request{NamespacedName: key})
		}
	}
}

// of returns the link to a connected member, watching pods, workloads, hosts and
// the kinds named.
func (l *links) of(ctx context.Context, m members.Member, kinds []schema.GroupVersionKind) (*link, error) {
	l.mu.Lock()
	if l.byName == nil {
		l.byName = map[string]*link{}
	}
	current := l.byName[m.Name()]
	if current == nil || current.cache != m.Cache() {
		current = &link{name: m.Name(), cache: m.Cache()}
		l.byName[m.Name()] = current
	}
	l.mu.Unlock()

	current.mu.Lock()
	defer current.mu.Unlock()
	for _, kind := range append(always(), kinds...) {
		if slices.Contains(current.kinds, kind) {
			continue
		}
		if err := l.watch(ctx, current, kind); err != nil {
			return nil, err
		}
		current.kinds = append(current.kinds, kind)
	}
	return current, nil
}

// always lists the kinds watched in every member.
func always() []schema.GroupVersionKind {
	return []schema.GroupVersionKind{
		corev1.SchemeGroupVersion.WithKind("Pod"),
		corev1.SchemeGroupVersion.WithKind("Node"),
		corev1.SchemeGroupVersion.WithKind("ConfigMap"), // the inventory itself
		appsv1.SchemeGroupVersion.WithKind("Deployment"),
		appsv1.SchemeGroupVersion.WithKind("StatefulSet"),
	}
}

func (l *links) watch(ctx context.Context, current *link, kind schema.GroupVersionKind) error {
	informer, err := current.cache.GetInformer(ctx, watched(kind))
	if err != nil {
		return fmt.Errorf("kind %s: %w", kind.Kind, err)
	}
	_, err = informer.AddEventHandler(l.handler(current.name, kind))
	return err
}

// watched returns what is kept of a kind: in full what is counted, else only the
// metadata, which shows who wrote.
func watched(kind schema.GroupVersionKind) client.Object {
	switch kind {
	case corev1.SchemeGroupVersion.WithKind("Pod"):
		return &corev1.Pod{}
	case corev1.SchemeGroupVersion.WithKind("Node"):
		return &corev1.Node{}
	case appsv1.SchemeGroupVersion.WithKind("Deployment"):
		return &appsv1.Deployment{}
	case appsv1.SchemeGroupVersion.WithKind("StatefulSet"):
		return &appsv1.StatefulSet{}
	}
	object := &metav1.PartialObjectMetadata{}
	object.SetGroupVersionKind(kind)
	return object
}

func (l *links) handler(cluster string, kind schema.GroupVersionKind) toolscache.ResourceEventHandler {
	if kind == corev1.SchemeGroupVersion.WithKind("Node") {
		return toolscache.ResourceEventHandlerFuncs{
			UpdateFunc: func(before, after any) {
				if isLost(before) != isLost(after) {
					l.wakeAll(cluster)
				}
			},
			DeleteFunc: func(any) { l.wakeAll(cluster) },
		}
	}
	wake := func(object any) {
		if tombstone, ok := object.(toolscache.DeletedFinalStateUnknown); ok {
			object = tombstone.Obj
		}
		if o, ok := object.(client.Object); ok {
			namespace := o.GetNamespace()
			if namespace == "" && kind.Kind == "Namespace" {
				namespace = o.GetName()
			}
			l.wake(cluster, namespace)
		}
	}
	return toolscache.ResourceEventHandlerFuncs{
		AddFunc: wake,
		UpdateFunc: func(before, after any) {
			if sameVersion(before, after) {
				return // a resync
			}
			wake(after)
		},
		DeleteFunc: wake,
	}
}

func sameVersion(before, after any) bool {
	a, okA := before.(client.Object)
	b, okB := after.(client.Object)
	return okA && okB && a.GetResourceVersion() == b.GetResourceVersion()
}

func isLost(object any) bool {
	node, _ := object.(*corev1.Node)
	return delivery.IsLost(node)
}

// host returns a node from the cache; nil if there is none of that name.
func (k *link) host(ctx context.Context, name string) (*corev1.Node, error) {
	if name == "" {
		return nil, nil
	}
	node := &corev1.Node{}
	err := k.cache.Get(ctx, client.ObjectKey{Name: name}, node)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("could not read host %q of cluster %q: %w", name, k.name, err)
	}
	return node, nil
}
