// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/delivery/deliverytest"
)

// The process ends between any two writes; the next one goes on, and comes to the same.
func TestKillAtAnyPoint(t *testing.T) {
	errKilled := errors.New("killed")
	stories := map[string]struct {
		before func(b *deliverytest.Builder) *deliverytest.Builder
		after  func(b *deliverytest.Builder) *deliverytest.Builder
		want   []string // Deployments at the end
	}{
		"First": {
			after: func(b *deliverytest.Builder) *deliverytest.Builder {
				return b.Service("account", "v1", 2).Service("channel", "v1", 1)
			},
			want: []string{"account/v1", "channel/v1"},
		},
		"Upgrade": {
			before: func(b *deliverytest.Builder) *deliverytest.Builder {
				return b.Service("account", "v1", 2).Service("channel", "v1", 3).Service("ledger", "v1", 1)
			},
			after: func(b *deliverytest.Builder) *deliverytest.Builder {
				return b.Release(2).Service("account", "v2", 2).Service("channel", "v1", 1).ConfigMap("settings-2", map[string]any{"a": "b"})
			},
			want: []string{"account/v2", "channel/v1"},
		},
		"Retirement": {
			before: func(b *deliverytest.Builder) *deliverytest.Builder {
				return b.Service("account", "v1", 2)
			},
			after: func(b *deliverytest.Builder) *deliverytest.Builder { return b.Release(2).Retire() },
		},
	}
	for name, story := range stories {
		w := newWorld(t, server, server)
		for cut := 0; ; cut++ {
			done := false
			t.Run(name+"/"+strconv.Itoa(cut), func(t *testing.T) {
				w.restarted()
				application := "kill" + strconv.Itoa(cut)
				if story.before != nil {
					w.settle(w.store(story.before(w.build(application))), v1alpha1.ConditionApplied, "True", "")
				}
				b := story.after(w.build(application))
				key := w.store(b)
				left := cut
				killed := false
				w.fault = func(string, client.Object) error {
					if left == 0 {
						killed = true
						return errKilled
					}
					left--
					return nil
				}
				for range 6 {
					if _, err := w.reconcile(key); errors.Is(err, errKilled) {
						break
					}
				}
				done = !killed // the story is shorter than this
				w.fault = nil
				w.restarted()
				if b.Delivery.Spec.Intent == "Retire" {
					eventually(t, func() error { // nobody finishes it here, without a controller manager
						_, err := w.reconcile(key)
						namespace, _ := get(w, &corev1.Namespace{}, "", b.Delivery.Spec.Namespace)
						if namespace.DeletionTimestamp == nil {
							return errorf("the namespace stays; last error: %v", err)
						}
						return nil
					})
				} else {
					w.settle(key, v1alpha1.ConditionApplied, "True", "")
				}
				deployments := &appsv1.DeploymentList{}
				w.must(w.plain().List(t.Context(), deployments, client.InNamespace(b.Delivery.Spec.Namespace)))
				wanted := map[string]bool{}
				for _, item := range story.want {
					component, template, _ := strings.Cut(item, "/")
					wanted[b.WorkloadName("Deployment", component, template)] = true
				}
				for _, d := range deployments.Items {
					if !wanted[d.Name] {
						t.Errorf("Deployment %s is left over", d.Name)
					}
					delete(wanted, d.Name)
				}
				if len(wanted) > 0 {
					t.Errorf("missing: %v", wanted)
				}
				writes := w.writes.Load()
				for range 3 {
					_, _ = w.reconcile(key)
				}
				if now := w.writes.Load(); now != writes {
					t.Errorf("it does not come to rest: %v", w.said[writes:])
				}
			})
			if done || t.Failed() {
				break
			}
		}
	}
}
