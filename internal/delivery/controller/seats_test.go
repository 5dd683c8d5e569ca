// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	v1alpha1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
)

// rolledOut makes a workload's status as its controller would.
func (w *world) rolledOut(namespace, name string, replicas int32) {
	w.t.Helper()
	deployment, there := get(w, &appsv1.Deployment{}, namespace, name)
	if !there {
		w.t.Fatalf("Deployment %s is missing", name)
	}
	deployment.Status.ObservedGeneration, deployment.Status.Replicas, deployment.Status.UpdatedReplicas = deployment.Generation, replicas, replicas
	w.must(w.plain().Status().Update(w.t.Context(), deployment))
}

// leave has a pod begin to leave: something holds it up, as the kubelet would.
func (w *world) leave(pod *corev1.Pod) {
	w.t.Helper()
	w.must(w.plain().Patch(w.t.Context(), pod, client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"finalizers":["test.fairway.cloud/drain"]}}`))))
	w.must(w.plain().Delete(w.t.Context(), pod))
}

func TestSeatsPassFromOldToNew(t *testing.T) {
	w := newWorld(t, server, server)
	b := w.build("seats").Service("account", "v1", 2)
	key := w.store(b)
	w.settle(key, v1alpha1.ConditionApplied, "True", "")
	old := b.Delivery.Spec.Workloads[0]
	a, c := w.pod(b, old, "old-a", true), w.pod(b, old, "old-b", true)
	w.rolledOut(b.Delivery.Spec.Namespace, old.Name, 2)
	d := w.settle(key, v1alpha1.ConditionReady, "True", "Available")
	w.must(w.seats(b, map[string]string{"old-a": "account-1", "old-b": "account-2"}))

	// Old and new side by side.
	b = w.build("seats").Release(2).Service("account", "v1", 2).Service("account", "v2", 2)
	w.store(b)
	w.settle(key, v1alpha1.ConditionApplied, "True", "")
	fresh := b.Delivery.Spec.Workloads[1]
	w.pod(b, fresh, "new-a", true)
	w.pod(b, fresh, "new-b", true)
	w.rolledOut(b.Delivery.Spec.Namespace, fresh.Name, 2)
	eventually(t, func() error {
		if _, err := w.reconcile(key); err != nil {
			return err
		}
		d = w.delivery(key)
		if s := d.Status.Workloads; len(s) != 2 || s[1].Ready != 2 {
			return errorf("counts: %+v", s)
		}
		pod, _ := get(w, &corev1.Pod{}, b.Delivery.Spec.Namespace, "new-a")
		if pod.Labels[appv1.LabelRevision] != "revision-2" {
			return errorf("labels of new-a: %v", pod.Labels)
		}
		return w.seats(b, map[string]string{"old-a": "account-1", "old-b": "account-2", "new-a": "", "new-b": ""})
	})
	pod, _ := get(w, &corev1.Pod{}, b.Delivery.Spec.Namespace, "old-a")
	if got := pod.Labels[appv1.LabelRevision]; got == "revision-2" {
		t.Errorf("an old instance is shown as %q", got)
	}

	// The old leave, one after the other.
	w.leave(a)
	eventually(t, func() error {
		_, _ = w.reconcile(key)
		return w.seats(b, map[string]string{"old-b": "account-2", "new-a": "account-1", "new-b": ""})
	})
	b = w.build("seats").Release(2).Service("account", "v2", 2)
	w.store(b)
	w.leave(c)
	w.settle(key, v1alpha1.ConditionReady, "True", "Available")
	w.must(w.seats(b, map[string]string{"new-a": "account-1", "new-b": "account-2"}))
}

func TestStatefulSeatsAreOrdinals(t *testing.T) {
	w := newWorld(t, server, server)
	b := w.build("state").Stateful("ledger", "v1", 2)
	key := w.store(b)
	w.settle(key, v1alpha1.ConditionApplied, "True", "")
	w.pod(b, b.Delivery.Spec.Workloads[0], "ledger-0-1", true)
	w.pod(b, b.Delivery.Spec.Workloads[0], "ledger-0-0", true)
	eventually(t, func() error {
		if _, err := w.reconcile(key); err != nil {
			return err
		}
		return w.seats(b, map[string]string{"ledger-0-0": "ledger-0", "ledger-0-1": "ledger-1"})
	})
}

func TestRestart(t *testing.T) {
	w := newWorld(t, server, server)
	b := w.build("restart").Service("account", "v1", 2)
	key := w.store(b)
	w.settle(key, v1alpha1.ConditionApplied, "True", "")
	workload := b.Delivery.Spec.Workloads[0]
	first, second := w.pod(b, workload, "a", true), w.pod(b, workload, "b", true)
	w.rolledOut(b.Delivery.Spec.Namespace, workload.Name, 2)
	w.settle(key, v1alpha1.ConditionReady, "True", "")

	// A budget that allows nothing.
	zero := intstr.FromInt32(0)
	budget := &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Namespace: b.Delivery.Spec.Namespace, Name: "account"},
		Spec:       policyv1.PodDisruptionBudgetSpec{MaxUnavailable: &zero, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{appv1.LabelComponent: "account"}}},
	}
	w.must(w.plain().Create(t.Context(), budget))
	budget.Status.ObservedGeneration = budget.Generation // as the disruption controller does
	w.must(w.plain().Status().Update(t.Context(), budget))
	b = w.build("restart").Release(2).Service("account", "v1", 2)
	b.Delivery.Spec.Restarts = []v1alpha1.InstanceRestart{
		{Seat: "account-1", Pod: "a", UID: string(first.UID)},
		{Seat: "account-2", Pod: "b", UID: string(second.UID)},
		{Seat: "account-2", Pod: "b", UID: "another-uid-of-that-name"},
	}
	w.store(b)
	for range 3 {
		if _, err := w.reconcile(key); err != nil {
			t.Fatal(err)
		}
	}
	if pod, _ := get(w, &corev1.Pod{}, b.Delivery.Spec.Namespace, "a"); pod.DeletionTimestamp != nil {
		t.Fatal("the disruption budget was passed over")
	}
	acts := len(w.ledger.acts)
	_, _ = w.reconcile(key)
	if len(w.ledger.acts) != acts {
		t.Errorf("waiting for the budget fills the log: %v", w.ledger.acts[acts:])
	}
	w.must(w.plain().Delete(t.Context(), budget))

	gone := func(name string) func() error {
		return func() error {
			_, _ = w.reconcile(key)
			if _, there := get(w, &corev1.Pod{}, b.Delivery.Spec.Namespace, name); there {
				return errorf("pod %s is still there: %v", name, w.said)
			}
			return nil
		}
	}
	eventually(t, gone("a"))
	_, _ = w.reconcile(key)
	if _, there := get(w, &corev1.Pod{}, b.Delivery.Spec.Namespace, "b"); !there {
		t.Error("the second was restarted before the first answered again")
	}
	w.pod(b, workload, "a2", true)
	eventually(t, gone("b"))
	w.pod(b, workload, "b2", true)
	eventually(t, func() error {
		_, _ = w.reconcile(key)
		if d := w.delivery(key); len(d.Status.Restarted) != 3 {
			return errorf("restarted: %v", d.Status.Restarted)
		}
		return w.seats(b, map[string]string{"a2": "account-1", "b2": "account-2"})
	})
}

func seatsOf(pods []corev1.Pod) []string {
	var seats []string
	for _, pod := range pods {
		seats = append(seats, pod.Labels[appv1.LabelSeat])
	}
	slices.Sort(seats)
	return seats
}
