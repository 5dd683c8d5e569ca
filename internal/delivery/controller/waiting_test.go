// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	v1alpha1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/platform/kubetest"
	"github.com/fairway-cloud/fairway/internal/platform/metricstest"
)

// later is the machine's clock, ahead by what it is told.
type later struct{ ahead atomic.Int64 }

func (l *later) Now() time.Time                  { return time.Now().Add(time.Duration(l.ahead.Load())) }
func (l *later) Since(t time.Time) time.Duration { return l.Now().Sub(t) }

// A host is shrunk behind Fairway's back, and one of its instances goes: its successor finds
// no host with a real scheduler. That is told once it has lasted, once only, and is taken
// back when there is room again.
func TestShrunkHost(t *testing.T) {
	fleet := kubetest.StartFleet(t, []string{"hub", "member"}, kubetest.WithScheme(scheme), kubetest.WithCRDsOn("hub"),
		kubetest.WithControllerManager(), kubetest.WithScheduler(), kubetest.WithSimulator())
	w := newWorld(t, fleet["hub"], fleet["member"])
	clock := &later{}
	w.Clock = clock
	w.run(fleet["hub"])
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "host", Labels: map[string]string{fleetv1.LabelSimulated: "true"}, Annotations: map[string]string{"kwok.x-k8s.io/node": "fake"}}}
	w.must(w.plain().Create(t.Context(), node))
	w.resize("3200m")

	b := w.build("shrunk").Service("account", "v1", 3)
	key := w.store(b)
	d := w.reachesWithin(time.Minute, key, v1alpha1.ConditionReady)
	if meta.FindStatusCondition(d.Status.Conditions, v1alpha1.ConditionHosted) != nil {
		t.Errorf("nothing has waited, and the status says %+v", d.Status)
	}

	before := metricstest.Read(t, metrics.Registry)["fairway_delivery_no_room_total"]
	w.resize("2500m")
	gone := w.podsOf(b.Delivery.Spec.Namespace, b.Delivery.Spec.Workloads[0])[0]
	w.must(w.plain().Delete(t.Context(), &gone))
	eventually(t, func() error {
		for _, instance := range w.delivery(key).Status.Troubled {
			if instance.State == "Pending" && strings.Contains(instance.Message, "Insufficient cpu") {
				return nil
			}
		}
		return errorf("the successor does not wait: %+v", w.delivery(key).Status)
	})
	if waiting := w.delivery(key).Status.Waiting; waiting != nil {
		t.Errorf("before its time is over, %+v counts as waiting", waiting)
	}

	clock.ahead.Store(int64(30 * time.Second))
	w.links.wakeAll(w.member.MemberName)
	eventually(t, func() error {
		status := w.delivery(key).Status
		hosted := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionHosted)
		if len(status.Waiting) != 1 || status.Waiting[0].Instances != 1 || len(status.Waiting[0].Seats) != 1 || hosted == nil || hosted.Reason != "NoRoom" {
			return errorf("status: %+v", status)
		}
		if !strings.HasPrefix(hosted.Message, "1 instance of account in cell "+b.Cell().Key()+" had no host for more than 30 s") {
			return errorf("it says %q", hosted.Message)
		}
		return nil
	})
	for range 3 {
		if _, err := w.reconcile(key); err != nil {
			t.Fatal(err)
		}
	}
	if n := metricstest.Read(t, metrics.Registry)["fairway_delivery_no_room_total"] - before; n != 1 {
		t.Errorf("%v instances were counted, want 1", n)
	}
	eventually(t, func() error {
		events := &corev1.EventList{}
		w.must(w.hub.List(t.Context(), events, client.InNamespace(key.Namespace)))
		for _, e := range events.Items {
			if e.Reason == "NoRoom" && e.InvolvedObject.Name == key.Name {
				return nil
			}
		}
		return errorf("no event tells of it")
	})

	w.resize("3200m")
	eventually(t, func() error {
		if status := w.delivery(key).Status; len(status.Waiting) > 0 || !meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionHosted) {
			return errorf("status: %+v", status)
		}
		return nil
	})
}

// resize changes what the only host offers.
func (w *world) resize(cpu string) {
	w.t.Helper()
	node := &corev1.Node{}
	w.must(w.plain().Get(w.t.Context(), client.ObjectKey{Name: "host"}, node))
	before := node.DeepCopy()
	room := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu), corev1.ResourceMemory: resource.MustParse("64Gi"), corev1.ResourcePods: resource.MustParse("110")}
	node.Status.Capacity, node.Status.Allocatable = room, room
	w.must(w.plain().Status().Patch(w.t.Context(), node, client.StrategicMergeFrom(before)))
}

// reachesWithin is reaches for what takes its time.
func (w *world) reachesWithin(most time.Duration, key client.ObjectKey, condition string) *v1alpha1.Delivery {
	w.t.Helper()
	for end := time.Now().Add(most); ; time.Sleep(200 * time.Millisecond) {
		d := w.delivery(key)
		if meta.IsStatusConditionTrue(d.Status.Conditions, condition) {
			return d
		}
		if time.Now().After(end) {
			w.t.Fatalf("status: %+v", d.Status)
		}
	}
}
