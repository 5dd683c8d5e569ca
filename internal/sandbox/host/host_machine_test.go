// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package host

import (
	"context"
	"fmt"
	"io"
	"log"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"
)

type unstructuredObject = unstructured.Unstructured

func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

// TestHosts is the proof that hosts are real: pods answer by address, service
// and name, across hosts and sites; a host that lost power comes back; nothing
// is left behind.
func TestHosts(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	w := startWorld(t, ctx, "one", "two")

	one, two := w.pod(ctx, "one", "one"), w.pod(ctx, "two", "two")
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "answer"},
		Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeNodePort, Selector: map[string]string{"app": "answer"},
			Ports: []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(8080), NodePort: 30080}},
		},
	}
	must(t, w.client.Create(ctx, service))

	expect := func(what string, ask func() (string, error), want ...string) {
		t.Helper()
		w.eventually(ctx, what, func() error {
			got, err := ask()
			if err != nil {
				return err
			}
			for _, name := range want {
				if got == name {
					return nil
				}
			}
			return fmt.Errorf("%q answered", got)
		})
	}
	all := func(reason string) {
		t.Helper()
		expect(reason+": a pod's address from the machine", func() (string, error) { return get("http://" + one + ":8080/") }, "one")
		expect(reason+": a pod's address from another site's pod", func() (string, error) { return fetch(two, "http://"+one+":8080/") }, "one")
		expect(reason+": and back", func() (string, error) { return fetch(one, "http://"+two+":8080/") }, "two")
		expect(reason+": a pod itself", func() (string, error) { return fetch(one, "http://"+one+":8080/") }, "one")
		for range 4 {
			expect(reason+": a ClusterIP", func() (string, error) { return fetch(one, "http://"+service.Spec.ClusterIP+"/") }, "one", "two")
			expect(reason+": a node port from the machine", func() (string, error) { return get("http://10.222.2.11:30080/") }, "one", "two")
			expect(reason+": a node port of the other host from a pod", func() (string, error) { return fetch(one, "http://10.222.2.11:30080/") }, "one", "two")
		}
		expect(reason+": a service's name", func() (string, error) { return fetch(two, "http://answer.default.svc.cluster.local/") }, "one", "two")
		expect(reason+": its short name", func() (string, error) { return fetch(one, "http://answer/") }, "one", "two")
	}
	all("both hosts up")
	expect("logs through the API server", func() (string, error) { return w.kubectl("logs", "one"), nil }, "started one\n")
	expect("a command in a pod through the API server", func() (string, error) { return w.kubectl("exec", "two", "--", "/answer", "hello"), nil }, "two hello\n")
	volumes(t, ctx, w)
	policies(t, ctx, w, one, two)
	all("policies gone")

	h := w.hosts[0]
	began := time.Now()
	for _, p := range h.Processes() {
		w.run.kill(p.Name)
	}
	must(t, h.PowerOff(ctx, 0))
	must(t, w.net.HostDown(ctx, h.Name))
	t.Logf("host off after %v", time.Since(began).Round(time.Millisecond))
	if _, err := get("http://" + one + ":8080/"); err == nil {
		t.Error("a pod answers on a host without power")
	}
	if alive, err := h.Alive(); alive || err != nil {
		t.Errorf("something of the host lives: %v", err)
	}
	must(t, w.net.HostUp(ctx, h.Name))
	w.boot(ctx, h)
	w.eventually(ctx, "the pod is started again", func() error {
		ip := w.podReady(ctx, "one")
		one = ip
		_, err := get("http://" + ip + ":8080/")
		return err
	})
	all("after the loss of power")
}

// volumes proves that a shared volume is one folder for pods on two hosts, and
// that a local one takes its pod to its host.
func volumes(t *testing.T, ctx context.Context, w *world) {
	t.Helper()
	claim := func(name, class string, mode corev1.PersistentVolumeAccessMode) corev1.Volume {
		must(t, w.client.Create(ctx, &corev1.PersistentVolumeClaim{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
			Spec: corev1.PersistentVolumeClaimSpec{
				StorageClassName: &class, AccessModes: []corev1.PersistentVolumeAccessMode{mode},
				Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
			},
		}))
		return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: name}}}
	}
	shared := claim("shared", SharedClass, corev1.ReadWriteMany)
	first, second := w.pod(ctx, "shared-one", "one", shared), w.pod(ctx, "shared-two", "two", shared)
	local := w.pod(ctx, "local", "two", claim("local", LocalClass, corev1.ReadWriteOnce))
	for _, step := range []struct{ ip, want string }{
		{first, "shared-one\n"}, {second, "shared-one\nshared-two\n"}, {local, "local\n"},
	} {
		got, err := get("http://" + step.ip + ":8080/append")
		if err != nil || got != step.want {
			t.Errorf("volume of %s: got %q, %v, want %q", step.ip, got, err, step.want)
		}
	}
	for _, name := range []string{"shared-one", "shared-two", "local"} {
		must(t, w.client.Delete(ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}}))
	}
}

// policies proves that the enforcer's rules meet the pods' packets: on the way
// between hosts, from outside, not from the host itself, and not to its DNS.
func policies(t *testing.T, ctx context.Context, w *world, one, two string) {
	t.Helper()
	policy := &networkingv1.NetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "closed"},
		Spec: networkingv1.NetworkPolicySpec{
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress},
			Ingress: []networkingv1.NetworkPolicyIngressRule{{From: []networkingv1.NetworkPolicyPeer{{
				IPBlock: &networkingv1.IPBlock{CIDR: "10.222.2.2/32"}, // the machine in dc-west
			}}}},
		},
	}
	must(t, w.client.Create(ctx, policy))
	refused := func(what string, ask func() (string, error)) {
		t.Helper()
		w.eventually(ctx, what+" is refused", func() error {
			if got, err := ask(); err == nil {
				return fmt.Errorf("%q answered", got)
			}
			return nil
		})
	}
	refused("the machine in dc-east to a pod there", func() (string, error) { return get("http://" + one + ":8080/") })
	refused("pod to pod across hosts", func() (string, error) { return fetch(two, "http://"+one+":8080/") })
	w.eventually(ctx, "a name resolves although the pod may call nobody", func() error {
		_, err := fetch(two, "http://answer.default.svc.cluster.local/")
		if err == nil || !strings.Contains(err.Error(), "dial tcp 10.224.") {
			return fmt.Errorf("got %v, want a connection that fails", err)
		}
		return nil
	})
	if _, err := get("http://" + two + ":8080/"); err != nil {
		t.Errorf("the machine in dc-west is let in by its block: %v", err)
	}
	w.podReady(ctx, "one") // probes go on
	must(t, w.client.Delete(ctx, policy))
}
