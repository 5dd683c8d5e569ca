// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package host

import (
	"context"
	"fmt"
	"io"
	"log"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
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
	w := startWorld(t, ctx)

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
