// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"context"
	"errors"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	v1alpha1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/platform/kubetest"
	"github.com/fairway-cloud/fairway/internal/platform/members/memberstest"
)

func TestForeignObjectStopsTheDelivery(t *testing.T) {
	cases := map[string]struct {
		reason  string
		foreign func(namespace string) []client.Object
	}{
		"Namespace": {
			reason: "a namespace that somebody else made is not taken over",
			foreign: func(namespace string) []client.Object {
				return []client.Object{&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}}
			},
		},
		"ConfigMap": {
			reason: "neither is a ConfigMap in a namespace of ours",
			foreign: func(namespace string) []client.Object {
				return []client.Object{&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "limits"}, Data: map[string]string{"mine": "yes"}}}
			},
		},
		"Inventory": {
			reason: "nor something under the name of the inventory",
			foreign: func(namespace string) []client.Object {
				return []client.Object{&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "fairway-inventory"}}}
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, server, server)
			b := w.build("foreign").Service("account", "v1", 1)
			key := client.ObjectKeyFromObject(b.Delivery)
			if name == "ConfigMap" { // the namespace is ours by then
				w.store(b)
				w.settle(key, v1alpha1.ConditionApplied, "True", "")
				b = w.build("foreign").Release(2).Service("account", "v1", 1).ConfigMap("limits", map[string]any{"limit": "1"})
			}
			if name == "Inventory" {
				w.must(w.member.MemberClient.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: b.Delivery.Spec.Namespace}}, owner))
			}
			for _, object := range tc.foreign(b.Delivery.Spec.Namespace) {
				w.must(w.plain().Create(t.Context(), object))
			}
			writes := w.writes.Load()
			w.store(b)
			d := w.settle(key, v1alpha1.ConditionStalled, "True", "ForeignObject")
			for range 3 {
				_, _ = w.reconcile(key)
			}
			if now := w.writes.Load(); now != writes {
				t.Errorf("%s\nyet %d writes happened: %v", tc.reason, now-writes, w.said[writes:])
			}
			for _, object := range tc.foreign(b.Delivery.Spec.Namespace) {
				w.must(w.plain().Delete(t.Context(), object))
			}
			if name != "Namespace" { // without a controller manager a namespace does not go
				w.settle(key, v1alpha1.ConditionApplied, "True", "")
			}
			_ = d
		})
	}
}

func TestBadBytesAreRefused(t *testing.T) {
	w := newWorld(t, server, server)
	b := w.build("bytes").Service("account", "v1", 1)
	d, renderings := b.Build()
	renderings[0].Spec.Content = strings.Replace(renderings[0].Spec.Content, "registry.test", "evil.test", 1)
	key := w.store(b)
	w.settle(key, v1alpha1.ConditionStalled, "True", "BadRendering")
	if w.writes.Load() != 0 {
		t.Errorf("bytes that nobody approved were applied: %v", w.said)
	}
	_ = d
}

func TestMissingRenderingIsWaitedFor(t *testing.T) {
	w := newWorld(t, server, server)
	d, renderings := w.build("missing").Service("account", "v1", 1).Build()
	w.must(w.hub.Create(t.Context(), d))
	key := client.ObjectKeyFromObject(d)
	w.settle(key, v1alpha1.ConditionApplied, "False", "RenderingMissing")
	if w.writes.Load() != 0 {
		t.Errorf("something was written without the rendering: %v", w.said)
	}
	waiting := 0
	for _, rendering := range renderings {
		w.must(w.hub.Create(t.Context(), rendering))
		waiting += len(w.waiting(t.Context(), rendering))
	}
	if waiting == 0 {
		t.Error("the rendering's arrival wakes nobody")
	}
	w.settle(key, v1alpha1.ConditionApplied, "True", "")
}

// A list that fails, or comes back empty, removes nothing.
func TestListsThatLieRemoveNothing(t *testing.T) {
	cases := map[string]struct {
		reason string
		list   func(list client.ObjectList) error
	}{
		"Fails": {
			reason: "a failed list removes nothing",
			list:   func(client.ObjectList) error { return errors.New("the server is out of memory") },
		},
		"Empty": {
			reason: "an empty list is seen not to be complete",
			list: func(list client.ObjectList) error {
				if partials, ok := list.(*metav1.PartialObjectMetadataList); ok {
					partials.Items = nil
				}
				return nil
			},
		},
		"Cut": {
			reason: "a list that goes on is not complete",
			list: func(list client.ObjectList) error {
				list.SetContinue("more")
				return nil
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, server, server)
			key := w.store(w.build("lists").Service("account", "v1", 1).Service("channel", "v1", 1))
			d := w.settle(key, v1alpha1.ConditionApplied, "True", "")
			honest := w.member.MemberClient
			w.member.MemberClient = interceptor.NewClient(honest.(client.WithWatch), interceptor.Funcs{
				List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
					if err := c.List(ctx, list, opts...); err != nil {
						return err
					}
					return tc.list(list)
				},
			})
			w.store(w.build("lists").Release(2).Service("account", "v1", 1))
			after := w.settle(key, v1alpha1.ConditionApplied, "False", "Waiting")
			if after.Status.ObservedRelease == "release-2" {
				t.Error("the release counts as applied in full")
			}
			if _, there := get(w, &appsv1.Deployment{}, d.Spec.Namespace, d.Spec.Workloads[1].Name); !there {
				t.Errorf("%s, yet the Deployment is gone", tc.reason)
			}
			w.member.MemberClient = honest
			w.settle(key, v1alpha1.ConditionApplied, "True", "")
			if _, there := get(w, &appsv1.Deployment{}, d.Spec.Namespace, d.Spec.Workloads[1].Name); there {
				t.Error("with an honest list the Deployment is still there")
			}
		})
	}
}

func TestMemberGoesAwayAndReturns(t *testing.T) {
	w := newWorld(t, server, server)
	key := w.store(w.build("away").Service("account", "v1", 1))
	w.settle(key, v1alpha1.ConditionApplied, "True", "")
	w.store(w.build("away").Release(2).Service("account", "v2", 1))

	// It goes away in the middle of a step: answers stop coming.
	count := 0
	w.fault = func(string, client.Object) error {
		if count++; count > 1 {
			return errors.New("connection reset by peer")
		}
		return nil
	}
	_, _ = w.reconcile(key)
	w.source.Cut(w.member.MemberName)
	w.fault = nil
	d := w.settle(key, v1alpha1.ConditionReady, "Unknown", "NotConnected")
	if d.Status.ObservedRelease == "release-2" {
		t.Error("a release counts as applied in a cluster that is away")
	}
	w.source.Heal(w.member.MemberName)
	d = w.settle(key, v1alpha1.ConditionApplied, "True", "")
	if d.Status.ObservedRelease != "release-2" {
		t.Errorf("after it returned, the cluster is at %q", d.Status.ObservedRelease)
	}
}

func TestDeletionsOnTheHubRemoveNothing(t *testing.T) {
	if server == nil {
		t.Skip("a real API server is left out under -short")
	}
	fleet := kubetest.StartFleet(t, []string{"hub", "member"}, kubetest.WithScheme(crdScheme(t)), kubetest.WithCRDsOn("hub"))
	w := newWorld(t, fleet["hub"], fleet["member"])
	key := w.store(w.build("gone").Service("account", "v1", 1))
	d := w.settle(key, v1alpha1.ConditionApplied, "True", "")
	writes := w.writes.Load()

	w.must(w.hub.Delete(t.Context(), d))
	d.DeletionTimestamp = &metav1.Time{Time: d.CreationTimestamp.Time}
	if _, err := w.Reconcile(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	w.must(w.hub.Delete(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: d.Namespace}}))
	w.must(w.hub.Delete(t.Context(), &apiextensionsv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: "deliveries.delivery.fairway.cloud"}}))
	if now := w.writes.Load(); now != writes {
		t.Errorf("%d writes to the member: %v", now-writes, w.said[writes:])
	}
	if _, there := get(w, &appsv1.Deployment{}, d.Spec.Namespace, d.Spec.Workloads[0].Name); !there {
		t.Error("the Deployment is gone")
	}
}

func TestHubSetBackIsReadOnly(t *testing.T) {
	w := newWorld(t, server, server)
	key := w.store(w.build("back").Release(7).Service("account", "v2", 2))
	w.settle(key, v1alpha1.ConditionApplied, "True", "")
	// The hub is restored from a time before release 7.
	w.must(w.hub.Delete(t.Context(), w.delivery(key)))
	w.store(w.build("back").Release(5).Service("account", "v1", 2))
	writes := w.writes.Load()
	d := w.settle(key, v1alpha1.ConditionStalled, "True", "SetBack")
	if now := w.writes.Load(); now != writes {
		t.Errorf("%d writes although a person is needed: %v", now-writes, w.said[writes:])
	}
	if d.Status.ObservedRelease != "" {
		t.Errorf("release %q counts as applied", d.Status.ObservedRelease)
	}
}

func TestSupersededLeaderWritesNothing(t *testing.T) {
	fleet := kubetest.StartFleet(t, []string{"hub", "member"}, kubetest.WithScheme(scheme), kubetest.WithCRDsOn("hub"))
	w := newWorld(t, fleet["hub"], fleet["member"])
	w.Epoch = func() int64 { return 4 }
	key := w.store(w.build("epoch").Service("account", "v1", 1))
	d := w.settle(key, v1alpha1.ConditionApplied, "True", "")
	record, _ := get(w, &corev1.ConfigMap{}, "fairway-system", "fairway-epoch")
	if record.Data["epoch"] != "4" {
		t.Errorf("the member knows epoch %q, want 4", record.Data["epoch"])
	}

	// A later leader connects; the old one wakes up.
	later := &Reconciler{Hub: w.hub, Renderings: w.hub, Members: w.source, Fence: memberstest.Open{}, Gate: w.gate, Recorder: w.ledger, Epoch: func() int64 { return 5 }}
	w.must(later.engage(t.Context(), w.member))
	w.store(w.build("epoch").Release(2).Service("account", "v2", 1))
	writes := w.writes.Load()
	w.settle(key, v1alpha1.ConditionStalled, "True", "Superseded")
	if now := w.writes.Load(); now != writes {
		t.Errorf("the old leader wrote: %v", w.said[writes:])
	}
	_ = d
}

func TestLostLeaseWritesNothing(t *testing.T) {
	w := newWorld(t, server, server)
	w.Fence = memberstest.Closed{Err: errors.New("the lease may have ended")}
	key := w.store(w.build("lease").Service("account", "v1", 1))
	if _, err := w.reconcile(key); err == nil {
		t.Error("a write without a lease did not fail")
	}
	if w.writes.Load() != 0 || len(w.ledger.acts) != 0 {
		t.Errorf("without a lease: writes %v, acts %v", w.said, w.ledger.acts)
	}
}

func TestGateAndEvidence(t *testing.T) {
	w := newWorld(t, server, server)
	key := w.store(w.build("gate").Service("account", "v1", 2).Service("channel", "v1", 1))
	d := w.settle(key, v1alpha1.ConditionApplied, "True", "")

	w.gate.refuse = map[string]string{"delivery.delete": "outside the change window"}
	w.store(w.build("gate").Release(2).Service("account", "v1", 2).Service("ledger", "v1", 1))
	after := w.settle(key, v1alpha1.ConditionApplied, "False", "NotAllowed")
	if _, there := get(w, &appsv1.Deployment{}, d.Spec.Namespace, d.Spec.Workloads[1].Name); !there {
		t.Error("what the Gate refused was deleted")
	}
	if _, there := get(w, &appsv1.Deployment{}, d.Spec.Namespace, after.Spec.Workloads[1].Name); !there {
		t.Error("what destroys nothing did not happen")
	}
	acts := len(w.ledger.acts)
	for range 3 {
		_, _ = w.reconcile(key)
	}
	if len(w.ledger.acts) != acts {
		t.Errorf("a refused step fills the log: %v", w.ledger.acts[acts:])
	}

	w.gate.refuse = nil
	w.ledger.away = errors.New("no space left")
	w.settle(key, v1alpha1.ConditionApplied, "False", "EvidenceAway")
	if _, there := get(w, &appsv1.Deployment{}, d.Spec.Namespace, d.Spec.Workloads[1].Name); !there {
		t.Error("something was deleted without a record")
	}
	// The way back goes on without the log.
	back := w.build("gate").Release(2).Service("account", "v1", 2).Service("ledger", "v1", 1)
	back.Delivery.Spec.Way = "Back"
	w.store(back)
	w.settle(key, v1alpha1.ConditionApplied, "True", "")
}

func TestRetirement(t *testing.T) {
	fleet := kubetest.StartFleet(t, []string{"hub", "member"}, kubetest.WithScheme(scheme), kubetest.WithCRDsOn("hub"), kubetest.WithControllerManager())
	w := newWorld(t, fleet["hub"], fleet["member"])
	b := w.build("retire").Service("account", "v1", 2)
	key := w.store(b)
	d := w.settle(key, v1alpha1.ConditionApplied, "True", "")
	w.store(w.build("retire").Release(2).Retire())
	w.settle(key, v1alpha1.ConditionApplied, "True", "Applied")
	if _, there := get(w, &corev1.Namespace{}, "", d.Spec.Namespace); there {
		t.Error("the namespace is still there")
	}
	// A hub that was set back does not bring the application back.
	w.must(w.hub.Delete(t.Context(), w.delivery(key)))
	w.store(w.build("retire").Service("account", "v1", 2))
	w.settle(key, v1alpha1.ConditionStalled, "True", "SetBack")
	// A later release does.
	w.must(w.hub.Delete(t.Context(), w.delivery(key)))
	w.store(w.build("retire").Release(3).Service("account", "v1", 2))
	w.settle(key, v1alpha1.ConditionApplied, "True", "")
}

func TestWhatTheClusterRefusesNeedsAPerson(t *testing.T) {
	w := newWorld(t, server, server)
	bad := map[string]any{
		"apiVersion": "v1", "kind": "Service",
		"metadata": map[string]any{"name": "account", "namespace": w.build("refused").Delivery.Spec.Namespace},
		"spec":     map[string]any{"ports": []any{map[string]any{"port": int64(70000)}}},
	}
	key := w.store(w.build("refused").Object(bad).Service("account", "v1", 1))
	d := w.settle(key, v1alpha1.ConditionStalled, "True", "Refused")
	result, err := w.reconcile(key)
	if err != nil || result.RequeueAfter < stalled {
		t.Errorf("it is tried again after %s (%v)", result.RequeueAfter, err)
	}
	if d.Status.ObservedRelease != "" {
		t.Errorf("release %q counts as applied", d.Status.ObservedRelease)
	}
	w.store(w.build("refused").Release(2).Service("account", "v1", 1))
	w.settle(key, v1alpha1.ConditionApplied, "True", "")
}
