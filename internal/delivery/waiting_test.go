// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package delivery

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
)

func TestWaiting(t *testing.T) {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	since := func(seconds time.Duration) func(*Pod) {
		return func(p *Pod) { p.Ready, p.State, p.NoHostSince = false, StatePending, now.Add(-seconds*time.Second) }
	}
	one, other := service("account-a", 3), service("account-b", 3)
	seen := there(wishOf(one, other))
	seen.Pods = []Pod{
		podOf(one, "p1", "account-1"), podOf(one, "p2", "account-2", since(31)), podOf(one, "p3", "account-3", since(45)), podOf(one, "p4", "", since(30)),
		podOf(one, "p5", "", since(300), leaving),
		podOf(other, "q1", "account-1", since(29)), podOf(other, "q2", "account-2", since(5)),
	}
	got, next := Waiting(seen, now)
	want := []v1alpha1.WaitingWorkload{{Name: "account-a", Component: "account", Cell: cell, Instances: 3, Seats: []int32{2, 3}, Since: metav1.NewTime(now.Add(-45 * time.Second))}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Waiting(...): -want, +got:\n%s", diff)
	}
	if next != time.Second {
		t.Errorf("the next one has waited too long in %s, want 1s", next)
	}
	if n := NewlyWaiting(nil, got); n != 3 {
		t.Errorf("%d instances are new, want 3", n)
	}
	if n := NewlyWaiting(got, got); n != 0 {
		t.Errorf("%d instances are new although none is", n)
	}
	if _, next := Waiting(there(wishOf(one)), now); next != 0 {
		t.Errorf("nothing waits, and it is looked at again in %s", next)
	}
}

func TestNoHostSince(t *testing.T) {
	at := metav1.NewTime(time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC))
	pending := func(reason, message string) corev1.Pod {
		return corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodPending, Conditions: []corev1.PodCondition{
			{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: reason, Message: message, LastTransitionTime: at},
		}}}
	}
	bound := pending("Unschedulable", "0/3 nodes are available: 3 Insufficient cpu.")
	bound.Spec.NodeName = "host"
	leaves := pending("Unschedulable", "0/3 nodes are available: 3 Insufficient cpu.")
	leaves.DeletionTimestamp = &at
	for name, c := range map[string]struct {
		pod  corev1.Pod
		want bool
	}{
		"no room":           {pending("Unschedulable", "0/3 nodes are available: 3 Insufficient cpu."), true},
		"no host at all":    {pending("Unschedulable", "no nodes available to schedule pods"), true},
		"a volume":          {pending("Unschedulable", "0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims."), false},
		"a gate":            {pending("SchedulingGated", "Scheduling is blocked due to non-empty scheduling gates"), false},
		"not looked at yet": {corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodPending}}, false},
		"bound":             {bound, false},
		"leaving":           {leaves, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := PodOf(&c.pod, false).NoHostSince; got.IsZero() == c.want || c.want && !got.Equal(at.Time) {
				t.Errorf("it finds no host since %s", got)
			}
		})
	}
}
