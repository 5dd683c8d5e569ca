// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package delivery

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	v1alpha1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
)

func TestRead(t *testing.T) {
	spec := func() v1alpha1.DeliverySpec {
		return v1alpha1.DeliverySpec{Namespace: "ns", Shared: []v1alpha1.RenderingReference{{Name: "shared"}}}
	}
	cases := map[string]struct {
		reason  string
		objects []Object
		want    string
	}{
		"OwnNamespace":   {reason: "its own namespace is fine", objects: []Object{object("v1", "Namespace", "ns")}},
		"OtherNamespace": {reason: "another one is not", objects: []Object{object("v1", "Namespace", "kube-system")}, want: ReasonOutOfBounds},
		"ClusterRole":    {reason: "nor is a right over the cluster", objects: []Object{{Identity: Identity{Group: "rbac.authorization.k8s.io", Kind: "ClusterRole", Name: "x"}, Body: map[string]any{}}}, want: ReasonOutOfBounds},
		"Elsewhere":      {reason: "nor an object in another namespace", objects: []Object{{Identity: Identity{Kind: "Secret", Namespace: "cards", Name: "x"}, Body: map[string]any{}}}, want: ReasonOutOfBounds},
		"Inventory":      {reason: "nor the inventory", objects: []Object{object("v1", "ConfigMap", "fairway-inventory")}, want: ReasonOutOfBounds},
		"Twice": {
			reason:  "one object has one content",
			objects: []Object{object("v1", "ConfigMap", "a"), {Identity: object("v1", "ConfigMap", "a").Identity, Body: map[string]any{"data": "other"}}},
			want:    ReasonBadRendering,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, problem := Read(spec(), map[string][]Object{"shared": tc.objects})
			got := ""
			if problem != nil {
				got = problem.Reason
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("\n%s\nRead(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestAutoscaledWorkloadKeepsItsCount(t *testing.T) {
	w := service("account-a", 3)
	wish := wishOf(w)
	hpa := object("autoscaling/v2", "HorizontalPodAutoscaler", "account-a")
	hpa.Body["spec"] = map[string]any{"scaleTargetRef": map[string]any{"kind": "Deployment", "name": "account-a"}}
	wish.Objects = append(wish.Objects, Wanted{Object: hpa})
	markAutoscaled(wish.Objects)
	wanted := wish.Objects[2]
	replicas := func(body map[string]any) any { return body["spec"].(map[string]any)["replicas"] }
	if got := replicas(wanted.ToCreate()); got != int64(3) {
		t.Errorf("it is created with %v replicas, want 3", got)
	}
	if got := replicas(wanted.ToApply()); got != nil {
		t.Errorf("it is applied with %v replicas: they are the autoscaler's", got)
	}
	none := *wanted.Workload
	none.Replicas = 0
	wanted.Workload = &none
	if got := replicas(wanted.ToApply()); got != int64(0) {
		t.Errorf("a workload that is to go is applied with %v replicas, want 0", got)
	}
}
