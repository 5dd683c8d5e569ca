// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package delivery

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
)

func TestStateOf(t *testing.T) {
	yes, no := true, false
	ready := func(status corev1.ConditionStatus) []corev1.PodCondition {
		return []corev1.PodCondition{{Type: corev1.PodReady, Status: status, Message: "containers with unready status: [main]"}}
	}
	running := corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
	cases := map[string]struct {
		reason string
		pod    corev1.Pod
		lost   bool
		want   string
	}{
		"Pending": {reason: "no host yet", pod: corev1.Pod{}, want: "Pending"},
		"Starting": {
			reason: "a host, and no container yet",
			pod:    corev1.Pod{Spec: corev1.PodSpec{NodeName: "h"}}, want: "Starting",
		},
		"StartupProbe": {
			reason: "it runs and its startup probe has not answered",
			pod: corev1.Pod{Spec: corev1.PodSpec{NodeName: "h"}, Status: corev1.PodStatus{
				Conditions: ready(corev1.ConditionFalse), ContainerStatuses: []corev1.ContainerStatus{{State: running, Started: &no}},
			}}, want: "Starting",
		},
		"NotReady": {
			reason: "it started and does not answer now",
			pod: corev1.Pod{Spec: corev1.PodSpec{NodeName: "h"}, Status: corev1.PodStatus{
				Conditions: ready(corev1.ConditionFalse), ContainerStatuses: []corev1.ContainerStatus{{State: running, Started: &yes}},
			}}, want: "NotReady",
		},
		"Running": {
			reason: "it answers",
			pod:    corev1.Pod{Spec: corev1.PodSpec{NodeName: "h"}, Status: corev1.PodStatus{Conditions: ready(corev1.ConditionTrue)}}, want: "Running",
		},
		"CrashLoop": {
			reason: "Kubernetes' own word is shown",
			pod: corev1.Pod{Spec: corev1.PodSpec{NodeName: "h"}, Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{
				{Name: "main", RestartCount: 4, State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}},
			}}}, want: "CrashLoopBackOff",
		},
		"InitImage": {
			reason: "an init container's image counts too",
			pod: corev1.Pod{Spec: corev1.PodSpec{NodeName: "h"}, Status: corev1.PodStatus{InitContainerStatuses: []corev1.ContainerStatus{
				{State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff"}}},
			}}}, want: "ImagePullBackOff",
		},
		"Stopping": {
			reason: "it is being removed",
			pod:    corev1.Pod{ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: &metav1.Time{Time: start}}}, want: "Stopping",
		},
		"Lost": {
			reason: "its host does not answer, whatever it said last",
			pod:    corev1.Pod{Spec: corev1.PodSpec{NodeName: "h"}, Status: corev1.PodStatus{Conditions: ready(corev1.ConditionTrue)}}, lost: true, want: "Lost",
		},
		"Evicted": {
			reason: "the kubelet says why it ended",
			pod:    corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodFailed, Reason: "Evicted"}}, want: "Evicted",
		},
		"Succeeded": {reason: "a job that is done", pod: corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodSucceeded}}, want: "Succeeded"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, _ := StateOf(&tc.pod, tc.lost)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("\n%s\nStateOf(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestInstanceOf(t *testing.T) {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "retail-prod-mobile-bank", Name: "account-1-x", UID: "u", CreationTimestamp: metav1.Time{Time: start}, Labels: map[string]string{
			"app.fairway.cloud/tenant": "retail", "app.fairway.cloud/environment": "prod", "app.fairway.cloud/application": "mobile-bank",
			"app.fairway.cloud/component": "account", "app.fairway.cloud/dcn": "dcn-east-1", "app.fairway.cloud/cell": "0a1b2c3d",
			"app.fairway.cloud/seat": "account-1", "app.fairway.cloud/revision": "mobile-bank-1234567890",
		}},
		Spec: corev1.PodSpec{NodeName: "east-biz-1", Containers: []corev1.Container{{Image: "r/account:1"}}},
		Status: corev1.PodStatus{PodIP: "10.1.2.3",
			Conditions:        []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
			ContainerStatuses: []corev1.ContainerStatus{{RestartCount: 2, ImageID: "r/account@sha256:1"}},
		},
	}
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "east-biz-1", Labels: map[string]string{"fleet.fairway.cloud/rack": "east-a"}}}
	place := Place{Cluster: "east-1", DataCenter: "dc-east", Cells: map[string]placementv1.Cell{
		"0a1b2c3d": {Cluster: "east-1", Pool: "retail-business", Zone: "business", Rack: "east-a", DCN: "dcn-east-1"},
	}}
	want := Instance{
		Namespace: "retail-prod", Application: "mobile-bank", Component: "account", Seat: "account-1", IP: "10.1.2.3",
		DCN: "dcn-east-1", DataCenter: "dc-east", Zone: "business", Rack: "east-a", Host: "east-biz-1", Cluster: "east-1",
		Pool: "retail-business", Revision: "mobile-bank-1234567890", State: "Running", Ready: true, Restarts: 2, CreatedAt: start,
		UID: "u", Pod: "account-1-x", PodNamespace: "retail-prod-mobile-bank", Image: "r/account@sha256:1",
	}
	if diff := cmp.Diff(want, InstanceOf(pod, node, place)); diff != "" {
		t.Errorf("InstanceOf(...): -want, +got:\n%s", diff)
	}
}

func TestCounts(t *testing.T) {
	old := service("account-a", 2)
	seen := there(wishOf(old))
	trouble := func(p *Pod) { p.Ready, p.State = false, "CrashLoopBackOff" }
	for i := range 30 {
		seen.Pods = append(seen.Pods, podOf(old, fmt.Sprintf("p%02d", i), SeatName("account", int32(i)), trouble))
	}
	seen.Pods = append(seen.Pods, podOf(old, "good", "account-99"), podOf(old, "gone", "account-98", leaving))
	seen.Rollouts = map[Identity]Rollout{deployment("account-a"): {Generation: 1, Observed: 1, Updated: 31}}
	want := []v1alpha1.WorkloadStatus{{
		Name: "account-a", Component: "account", Template: old.Template, Cell: cell, Instances: 31, Updated: 31, Ready: 1, Leaving: 1,
	}}
	if diff := cmp.Diff(want, Counts(seen)); diff != "" {
		t.Errorf("Counts(...): -want, +got:\n%s", diff)
	}
	if got := len(Troubled(seen)); got != 20 {
		t.Errorf("the status holds %d troubled instances, want 20", got)
	}
	// Kubernetes has not acted on the last change yet: nothing counts as updated.
	seen.Rollouts[deployment("account-a")] = Rollout{Generation: 2, Observed: 1, Updated: 31}
	if got := Counts(seen)[0]; got.Updated != 0 || got.Ready != 0 || got.Instances != 31 {
		t.Errorf("before the rollout is seen, counts are %+v", got)
	}
}

func TestInventoryRoundTrip(t *testing.T) {
	want := there(wishOf(service("account-a", 2))).Inventory
	got, err := DecodeInventory(want.Encode())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-before, +after:\n%s", diff)
	}
	if _, err := DecodeInventory(map[string]string{"sequence": "soon"}); err == nil {
		t.Error("an inventory without a number was taken")
	}
}

func FuzzParseRendering(f *testing.F) {
	f.Add(`[{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","namespace":"b"},"data":{"n":1,"f":1.5}}]`)
	f.Add(`[null]`)
	f.Add(`[{"metadata":[]}]`)
	f.Add(`[] []`)
	f.Fuzz(func(t *testing.T, content string) {
		objects, err := ParseRendering(content, Digest(content))
		if err != nil {
			return
		}
		for _, o := range objects {
			if o.Identity.Name == "" || o.Identity.Kind == "" {
				t.Errorf("an object without a name: %+v", o)
			}
			(Wanted{Object: o}).ToApply()
		}
	})
}

func FuzzDecodeInventory(f *testing.F) {
	f.Add("1", `[{"kind":"ConfigMap","name":"a","apiVersion":"v1"}]`)
	f.Add("-1", `{}`)
	f.Fuzz(func(t *testing.T, sequence, objects string) {
		inventory, err := DecodeInventory(map[string]string{"sequence": sequence, "objects": objects})
		if err != nil {
			return
		}
		again, err := DecodeInventory(inventory.Encode())
		if err != nil || !again.Equal(inventory) {
			t.Errorf("an inventory does not come back: %+v, %+v, %v", inventory, again, err)
		}
	})
}

// TestWhatHasEndedIsNotWaitedFor: pods of finished jobs and evicted pods stay, often for
// good; a Release that counted them as leaving would never come to its end.
func TestWhatHasEndedIsNotWaitedFor(t *testing.T) {
	now := metav1.Now()
	for reason, tc := range map[string]struct {
		pod         corev1.Pod
		lost        bool
		wantLeaving int32
	}{
		"a job that is done":                {pod: corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodSucceeded}}},
		"an instance that was evicted":      {pod: corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodFailed, Reason: "Evicted"}}},
		"a job that is done on a lost host": {pod: corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodSucceeded}}, lost: true},
		"one that is being removed":         {pod: corev1.Pod{ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: &now}}, wantLeaving: 1},
		"one that may still run, unseen":    {pod: corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodRunning}}, lost: true, wantLeaving: 1},
	} {
		t.Run(reason, func(t *testing.T) {
			w := service("account-a", 0)
			pod := podOf(w, "p", "account-0")
			seen := PodOf(&tc.pod, tc.lost)
			pod.Leaving, pod.Ended, pod.Ready = seen.Leaving, seen.Ended, seen.Ready
			world := there(wishOf(w))
			world.Pods = []Pod{pod}
			got := Counts(world)[0]
			if got.Instances != 0 || got.Leaving != tc.wantLeaving {
				t.Errorf("%s: %d instances and %d leaving, want 0 and %d", reason, got.Instances, got.Leaving, tc.wantLeaving)
			}
		})
	}
}
