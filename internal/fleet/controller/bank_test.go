// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"encoding/json"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairway-cloud/fairway/internal/app"
	"github.com/fairway-cloud/fairway/internal/app/apptest"
	"github.com/fairway-cloud/fairway/internal/platform/members"
)

// bankPasses makes the pods of the example application, exactly as they are
// rendered, with namespace and Pod Security of their own.
func bankPasses(t *testing.T, m members.Member) {
	fairway := m.Client()
	application := apptest.MobileBank()
	frozen, err := app.Freeze(application, apptest.Images(application), apptest.Bank())
	if err != nil {
		t.Fatal(err)
	}
	input := apptest.East(frozen.Content)
	out, err := app.Render(input, app.Ask(m.Served()))
	if err != nil {
		t.Fatal(err)
	}
	for i := range out.Shared {
		if out.Shared[i].GetKind() != "Namespace" {
			continue
		}
		object := out.Shared[i].DeepCopy()
		if err := fairway.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(object), client.FieldOwner("fairway"), client.ForceOwnership); err != nil {
			t.Fatal(err)
		}
	}
	var tried int
	for _, workload := range out.Workloads {
		object := workload.Objects[len(workload.Objects)-1]
		template, found, err := unstructured.NestedMap(object.Object, "spec", "template")
		if err != nil || !found {
			continue
		}
		raw, err := json.Marshal(template)
		if err != nil {
			t.Fatal(err)
		}
		var parts corev1.PodTemplateSpec
		if err := json.Unmarshal(raw, &parts); err != nil {
			t.Fatal(err)
		}
		instance := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: out.Namespace, Name: workload.Name + "-x", Labels: parts.Labels}, Spec: parts.Spec}
		if err := fairway.Create(t.Context(), instance); err != nil {
			t.Errorf("a pod of %s must pass: %v", workload.Component, err)
		}
		tried++
	}
	if tried < 3 {
		t.Errorf("only %d components were tried", tried)
	}
}
