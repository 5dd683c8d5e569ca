// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package config_test

import (
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairway-cloud/fairway/internal/fleet"
	"github.com/fairway-cloud/fairway/internal/platform/kubetest"
)

// Fairway's account in a member writes in Fairway's own namespaces and nowhere else.
func TestMembersAccount(t *testing.T) {
	member := kubetest.Start(t, kubetest.WithManifests("config/member"))
	fairway, masters := member.UserClient(t, "fairway", "fairway:hub"), member.Client()
	namespace := func(name, managedBy string) *corev1.Namespace {
		made := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
		if managedBy != "" {
			made.Labels = map[string]string{"app.kubernetes.io/managed-by": managedBy}
		}
		return made
	}
	settings := func(where string) *corev1.ConfigMap {
		return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: where, Name: "settings"}, Data: map[string]string{"a": "b"}}
	}
	workload := func(where string) *appsv1.Deployment {
		labels := map[string]string{"a": "b"}
		return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: where, Name: "web"}, Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "i"}}}},
		}}
	}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "try"}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "i"}}}}
	create(t, masters, namespace("theirs", ""), settings("theirs"), workload("theirs"))

	ours := namespace("retail-prod-shop", "fairway")
	create(t, fairway, ours, settings(ours.Name), workload(ours.Name))
	const bound = "writes only in namespaces that Fairway made"
	for _, where := range []string{"kube-system", "default", "theirs"} {
		refused(t, bound, func() error { return fairway.Create(t.Context(), workload(where)) })
		refused(t, bound, func() error { return fairway.Create(t.Context(), settings(where)) })
	}
	refused(t, bound, deleting(t, fairway, settings("theirs")))
	refused(t, bound, func() error {
		return fairway.Patch(t.Context(), workload("theirs"), client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"replicas":0}}`)))
	})
	const own = "only namespaces of its own"
	refused(t, own, func() error { return fairway.Create(t.Context(), namespace("x", "")) })
	refused(t, own, deleting(t, fairway, namespace("theirs", "")))
	refused(t, own, func() error {
		return fairway.Patch(t.Context(), namespace("theirs", ""), client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"labels":{"app.kubernetes.io/managed-by":"fairway"}}}`)))
	})
	allowed(t, func() error { return fairway.Create(t.Context(), pod.DeepCopy(), client.DryRunAll) })
	refused(t, bound, func() error { return fairway.Create(t.Context(), pod.DeepCopy()) })
	allowed(t, deleting(t, fairway, settings(ours.Name)))

	// It brings the rules about pods, and no others, and sees them kept.
	for _, guarded := range fleet.Guard("fairway") {
		for _, o := range []client.Object{guarded.Policy, guarded.Binding} {
			raw, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
			if err != nil {
				t.Fatal(err)
			}
			unstructured.RemoveNestedField(raw, "metadata", "creationTimestamp")
			unstructured.RemoveNestedField(raw, "status")
			applied := client.ApplyConfigurationFromUnstructured(&unstructured.Unstructured{Object: raw})
			allowed(t, func() error {
				return fairway.Apply(t.Context(), applied, client.FieldOwner("fairway"), client.ForceOwnership)
			})
		}
	}
	intruder := pod.DeepCopy()
	intruder.Spec.Tolerations = []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
	refused(t, "ValidatingAdmissionPolicy 'fairway-pods'", func() error { return fairway.Create(t.Context(), intruder.DeepCopy(), client.DryRunAll) })
	if err := fairway.Delete(t.Context(), &admissionv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: "fairway-account"}}); !apierrors.IsForbidden(err) {
		t.Errorf("Fairway's account took its own bounds away: %v", err)
	}

	for what, do := range map[string]func() error{
		"read Secrets": func() error { return fairway.List(t.Context(), &corev1.SecretList{}) },
		"made a Secret": func() error {
			return fairway.Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: ours.Name, Name: "x"}})
		},
		"made a role": func() error {
			return fairway.Create(t.Context(), &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "x"}})
		},
		"deleted a host": func() error {
			return fairway.Delete(t.Context(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "h"}})
		},
		"made a pod by itself": func() error {
			made := pod.DeepCopy()
			made.Namespace = ours.Name
			return fairway.Create(t.Context(), made)
		},
		"opened a shell": func() error {
			return fairway.SubResource("exec").Create(t.Context(), pod.DeepCopy(), pod.DeepCopy())
		},
	} {
		if err := do(); !apierrors.IsForbidden(err) {
			t.Errorf("Fairway's account %s: %v", what, err)
		}
	}
}
