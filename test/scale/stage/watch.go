// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package stage

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
)

// Watch follows every instance of a member, and keeps each word of its scheduler that one
// of them finds no host.
type Watch struct {
	store cache.Store

	mu      sync.Mutex
	without map[string]string
}

// Follow has a Watch follow a member until the test ends.
func Follow(t *testing.T, config *rest.Config) *Watch {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	api, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	factory := informers.NewSharedInformerFactoryWithOptions(api, 0, informers.WithTweakListOptions(func(o *metav1.ListOptions) {
		o.LabelSelector = appv1.LabelManagedBy + "=" + appv1.ManagedBy
	}))
	informer := factory.Core().V1().Pods().Informer()
	w := &Watch{store: informer.GetStore(), without: map[string]string{}}
	see := func(o any) { w.see(o.(*corev1.Pod)) }
	if _, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{AddFunc: see, UpdateFunc: func(_, o any) { see(o) }}); err != nil {
		t.Fatal(err)
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	return w
}

func (w *Watch) see(pod *corev1.Pod) {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && c.Reason == corev1.PodReasonUnschedulable && pod.DeletionTimestamp == nil {
			w.mu.Lock()
			w.without[pod.Namespace+"/"+pod.Name] = fmt.Sprintf("at %s: %s", c.LastTransitionTime.Format(time.TimeOnly), c.Message)
			w.mu.Unlock()
		}
	}
}

// Waited are the instances that have ever found no host, with the scheduler's words: those
// in namespaces that begin so.
func (w *Watch) Waited(prefix string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []string
	for name, why := range w.without {
		if strings.HasPrefix(name, prefix) {
			out = append(out, "instance "+name+" found no host "+why)
		}
	}
	slices.Sort(out)
	return out
}

// All are the instances in namespaces that begin so.
func (w *Watch) All(prefix string) []*corev1.Pod {
	var out []*corev1.Pod
	for _, o := range w.store.List() {
		if pod := o.(*corev1.Pod); strings.HasPrefix(pod.Namespace, prefix) {
			out = append(out, pod)
		}
	}
	return out
}

// Instances are those of them that stay.
func (w *Watch) Instances(prefix string) []*corev1.Pod {
	return slices.DeleteFunc(w.All(prefix), func(p *corev1.Pod) bool { return p.DeletionTimestamp != nil })
}
