// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package agent

import (
	"context"
	"testing"
	"time"

	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/fairway-cloud/fairway/internal/platform/kubetest"
)

// TestWithARealAPIServer: rules follow a real API server within a second, stay
// while it is away, and follow again when it is back.
func TestWithARealAPIServer(t *testing.T) {
	l := newLab(t)
	server := kubetest.Start(t)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	api, err := kubernetes.NewForConfig(server.Config())
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range world(t) {
		if err := create(ctx, api, object); err != nil {
			t.Fatal(err)
		}
	}
	stop := start(ctx, t, l, Config{REST: server.Config()})
	defer stop()
	allowed, denied := path{channel, account + ":8080", true}, path{points, account + ":8080", false}
	l.expect(t, "with a real API server", []path{allowed, denied})

	policies := api.NetworkingV1().NetworkPolicies(bank)
	remove := func(name string) {
		if err := policies.Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	remove("asked")
	closing := l.becomes(ctx, t, path{channel, account + ":8080", false})
	add := func() {
		if err := create(ctx, api, policy(t, "asked", `{podSelector: {matchLabels: {component: account}},
			policyTypes: [Ingress], ingress: [{from: [{podSelector: {matchLabels: {component: channel}}}]}]}`)); err != nil {
			t.Fatal(err)
		}
	}
	add()
	opening := l.becomes(ctx, t, allowed)
	if closing > time.Second || opening > time.Second {
		t.Errorf("closing took %s and opening %s, want less than 1 s", closing, opening)
	}
	t.Logf("closing took %s (of which 0.1 s is the test's patience), opening %s", closing, opening)

	server.StopAPIServer()
	l.expect(t, "while the API server is away", []path{allowed, denied, allowed, denied})
	server.StartAPIServer(t)
	remove("asked")
	l.becomes(ctx, t, path{channel, account + ":8080", false})
	l.expect(t, "after the API server came back", []path{denied, {client, channel + ":8080", true}})
}

// create makes one object, a pod with its status.
func create(ctx context.Context, api kubernetes.Interface, object any) error {
	var err error
	switch o := object.(type) {
	case *core.Namespace:
		_, err = api.CoreV1().Namespaces().Create(ctx, o, metav1.CreateOptions{})
	case *core.Pod:
		status := o.Status
		o.Spec.Containers[0].Image = "registry.local/bank/service:v1"
		made, err := api.CoreV1().Pods(o.Namespace).Create(ctx, o, metav1.CreateOptions{})
		if err != nil {
			return err
		}
		made.Status = status
		made.Status.PodIP = status.PodIPs[0].IP
		_, err = api.CoreV1().Pods(o.Namespace).UpdateStatus(ctx, made, metav1.UpdateOptions{})
		return err
	case *networking.NetworkPolicy:
		_, err = api.NetworkingV1().NetworkPolicies(o.Namespace).Create(ctx, o, metav1.CreateOptions{})
	}
	return err
}
