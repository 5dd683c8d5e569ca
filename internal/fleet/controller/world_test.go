// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"

	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/approval"
	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/platform/kubetest"
)

func init() { ctrl.SetLogger(logr.Discard()) }

func hubScheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, fleetv1.AddToScheme, tenancyv1.AddToScheme} {
		if err := add(scheme); err != nil {
			panic(err)
		}
	}
	return scheme
}

// notes is a Recorder that keeps what it is told.
type notes struct {
	mu    sync.Mutex
	acts  []audit.Act
	away  error
	ended map[string]audit.Outcome
}

func (n *notes) Intent(_ context.Context, act audit.Act) (string, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.away != nil {
		return "", n.away
	}
	n.acts = append(n.acts, act)
	return fmt.Sprint(len(n.acts)), nil
}

func (n *notes) Outcome(_ context.Context, id string, outcome audit.Outcome) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ended == nil {
		n.ended = map[string]audit.Outcome{}
	}
	n.ended[id] = outcome
	return nil
}

func (n *notes) verbs() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var all []string
	for _, act := range n.acts {
		all = append(all, act.Verb)
	}
	return all
}

// closed is a Gate that lets nothing pass.
type closed struct{}

func (closed) Check(context.Context, approval.Act) (approval.Verdict, error) {
	return approval.Verdict{Reason: "there is a freeze until Monday: wait for its end"}, nil
}

func eventually(t *testing.T, what string, check func() error) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s: %v", what, err)
		}
		<-time.After(20 * time.Millisecond)
	}
}

func pod(namespace, name string, change func(*corev1.PodSpec)) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "registry/x:1"}}},
	}
	if change != nil {
		change(&p.Spec)
	}
	return p
}

type runtimeObject = runtime.Object

func requests(cpu, memory string) corev1.ResourceRequirements {
	return corev1.ResourceRequirements{Requests: corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse(cpu), corev1.ResourceMemory: resource.MustParse(memory),
	}}
}

func serverOf(kubeconfig string) string {
	_, rest, _ := strings.Cut(kubeconfig, "server: ")
	server, _, _ := strings.Cut(rest, "\n")
	return server
}

func swapServer(kubeconfig, server string) string {
	return strings.Replace(kubeconfig, serverOf(kubeconfig), server, 1)
}

// runOn puts an instance onto a host, as a tenant's pod and by the scheduler's hand.
func runOn(t *testing.T, cluster *kubetest.Cluster, instance *corev1.Pod, host string) {
	t.Helper()
	admin := cluster.Client()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: instance.Namespace, Labels: map[string]string{"app.kubernetes.io/managed-by": "fairway"},
		Annotations: map[string]string{"fleet.fairway.cloud/pools": "retail-business"},
	}}
	fairway := cluster.UserClient(t, "fairway", "system:masters")
	if err := fairway.Create(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	instance.Spec.NodeSelector = map[string]string{poolLabel: "retail-business"}
	if err := admin.Create(t.Context(), instance); err != nil {
		t.Fatal(err)
	}
	scheduler := cluster.UserClient(t, "system:kube-scheduler", "system:masters")
	if err := scheduler.SubResource("binding").Create(t.Context(), instance, &corev1.Binding{Target: corev1.ObjectReference{Kind: "Node", Name: host}}); err != nil {
		t.Fatal(err)
	}
}

// account makes Fairway's account in a member and returns its kubeconfig.
func account(t *testing.T, member *kubetest.Cluster) []byte {
	t.Helper()
	member.Apply(t, "config/member")
	return member.UserKubeconfig(t, "fairway", "fairway:hub")
}
