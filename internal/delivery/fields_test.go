// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package delivery

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func entry(manager, operation, subresource, fields string) metav1.ManagedFieldsEntry {
	return metav1.ManagedFieldsEntry{
		Manager: manager, Operation: metav1.ManagedFieldsOperationType(operation), Subresource: subresource, APIVersion: "apps/v1",
		FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(fields), Time: &metav1.Time{Time: start},
	}
}

const oursFields = `{"f:spec":{"f:replicas":{},"f:paused":{}}}`

func TestOwnershipOf(t *testing.T) {
	ours := entry("fairway-delivery", "Apply", "", oursFields)
	cases := map[string]struct {
		reason     string
		entries    []metav1.ManagedFieldsEntry
		autoscaled bool
		want       []string
		mixed      bool
	}{
		"Ours":     {reason: "applied by us alone", entries: []metav1.ManagedFieldsEntry{ours}},
		"Created":  {reason: "what was created is gathered before it is applied", entries: []metav1.ManagedFieldsEntry{entry("fairway-delivery", "Update", "", oursFields)}, mixed: true},
		"Status":   {reason: "statuses are others' to write", entries: []metav1.ManagedFieldsEntry{ours, entry("kubelet", "Update", "status", `{"f:status":{"f:x":{}}}`)}},
		"Revision": {reason: "Kubernetes numbers revisions", entries: []metav1.ManagedFieldsEntry{ours, entry("kube-controller-manager", "Update", "", `{"f:metadata":{"f:annotations":{".":{},"f:deployment.kubernetes.io/revision":{}}}}`)}},
		"Spoofed": {
			reason:  "a writer that takes a controller's name may not write more than it",
			entries: []metav1.ManagedFieldsEntry{ours, entry("kube-controller-manager", "Update", "", `{"f:spec":{"f:template":{"f:spec":{"f:hostNetwork":{}}}}}`)},
			want:    []string{"kube-controller-manager: .spec.template.spec.hostNetwork"}, mixed: true,
		},
		"Fairway": {
			reason:  "another room of Fairway lists the pools on a namespace",
			entries: []metav1.ManagedFieldsEntry{ours, entry("fairway-fleet", "Update", "", `{"f:metadata":{"f:annotations":{"f:fleet.fairway.cloud/pools":{}}}}`)},
		},
		"Scaled": {
			reason:  "nobody but an autoscaler changes counts",
			entries: []metav1.ManagedFieldsEntry{ours, entry("kubectl", "Update", "scale", `{"f:spec":{"f:replicas":{}}}`)},
			want:    []string{"kubectl: .spec.replicas"}, mixed: true,
		},
		"Autoscaled": {
			reason:     "an autoscaler does",
			entries:    []metav1.ManagedFieldsEntry{ours, entry("kube-controller-manager", "Update", "scale", `{"f:spec":{"f:replicas":{}}}`)},
			autoscaled: true,
		},
		"Restarted": {
			reason:  "kubectl rollout restart goes past the one door",
			entries: []metav1.ManagedFieldsEntry{ours, entry("kubectl-rollout", "Update", "", `{"f:metadata":{"f:annotations":{"f:kubectl.kubernetes.io/restartedAt":{}}}}`)},
			want:    []string{"kubectl-rollout: .metadata.annotations.kubectl.kubernetes.io/restartedAt"}, mixed: true,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := OwnershipOf(tc.entries, tc.autoscaled)
			if !got.Ours {
				t.Error("it is not ours")
			}
			if diff := cmp.Diff(tc.want, got.Foreign); diff != "" {
				t.Errorf("\n%s\nForeign: -want, +got:\n%s", tc.reason, diff)
			}
			if got.Mixed != tc.mixed {
				t.Errorf("\n%s\nMixed is %v", tc.reason, got.Mixed)
			}
			// Once gathered, nothing foreign is left.
			after := OwnershipOf(Gather("apps/v1", tc.entries, tc.autoscaled), tc.autoscaled)
			if !after.Ours || len(after.Foreign) > 0 || after.Mixed {
				t.Errorf("\n%s\nafter gathering: %+v", tc.reason, after)
			}
		})
	}
}

func TestFingerprint(t *testing.T) {
	ours := OwnershipOf([]metav1.ManagedFieldsEntry{entry("fairway-delivery", "Apply", "", oursFields)}, false)
	less := OwnershipOf([]metav1.ManagedFieldsEntry{entry("fairway-delivery", "Apply", "", `{"f:spec":{"f:paused":{}}}`)}, false)
	if ours.Fields == less.Fields {
		t.Error("a field that somebody took does not show")
	}
	scaled := OwnershipOf([]metav1.ManagedFieldsEntry{entry("fairway-delivery", "Apply", "", oursFields)}, true)
	taken := OwnershipOf([]metav1.ManagedFieldsEntry{entry("fairway-delivery", "Apply", "", `{"f:spec":{"f:paused":{}}}`)}, true)
	if scaled.Fields != taken.Fields {
		t.Error("an autoscaler that sets the count looks like drift")
	}
	later := entry("fairway-delivery", "Apply", "", oursFields)
	later.Time = &metav1.Time{Time: start.Add(1000)}
	later.Time.Time = start.Add(5e9)
	if OwnershipOf([]metav1.ManagedFieldsEntry{later}, false).Fields == ours.Fields {
		t.Error("a write under our own name that we do not know of does not show")
	}
	if OwnershipOf([]metav1.ManagedFieldsEntry{entry("kubectl", "Apply", "", oursFields)}, false).Ours {
		t.Error("somebody else's object counts as ours")
	}
}
