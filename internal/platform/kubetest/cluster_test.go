// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package kubetest_test

import (
	"os"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairway-cloud/fairway/internal/platform/kubetest"
)

var hub *kubetest.Cluster

func TestMain(m *testing.M) { os.Exit(kubetest.Main(m, &hub)) }

func TestClusterKeepsObjects(t *testing.T) {
	hub.Needed(t)
	namespace := hub.Namespace(t)
	want := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "x"}, Data: map[string]string{"a": "b"}}
	if err := hub.Client().Create(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.RESTConfigFromKubeConfig(hub.Kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	other, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	got := &corev1.ConfigMap{}
	if err := other.Get(t.Context(), client.ObjectKeyFromObject(want), got); err != nil || got.Data["a"] != "b" {
		t.Errorf("the kubeconfig must reach the same objects: %v, %v", got.Data, err)
	}
}

func TestUserIsBoundByRBAC(t *testing.T) {
	hub.Needed(t)
	err := hub.UserClient(t, "teller", "branch").List(t.Context(), &corev1.SecretList{})
	if !apierrors.IsForbidden(err) {
		t.Errorf("a person without roles must be refused, got %v", err)
	}
}

func TestFleetOutlivesItsAPIServer(t *testing.T) {
	began := time.Now()
	fleet := kubetest.StartFleet(t, []string{"hub", "east-1"})
	t.Logf("two API servers were there after %s", time.Since(began).Round(time.Millisecond))
	east := fleet["east-1"]
	namespace := east.Namespace(t)
	if err := fleet["hub"].Client().Get(t.Context(), client.ObjectKey{Name: namespace}, &corev1.Namespace{}); !apierrors.IsNotFound(err) {
		t.Errorf("the hub must not see a member's namespace, got %v", err)
	}
	east.StopAPIServer()
	if err := east.Client().Get(t.Context(), client.ObjectKey{Name: namespace}, &corev1.Namespace{}); err == nil {
		t.Error("a stopped API server must not answer")
	}
	east.StartAPIServer(t)
	if err := east.Client().Get(t.Context(), client.ObjectKey{Name: namespace}, &corev1.Namespace{}); err != nil {
		t.Errorf("a restarted API server must still know its objects: %v", err)
	}
}
