// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package served

import (
	"os"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/fairway-cloud/fairway/internal/platform/kubetest"
)

var member *kubetest.Cluster

func TestMain(m *testing.M) { os.Exit(kubetest.Main(m, &member)) }

func TestDiscover(t *testing.T) {
	if member == nil {
		t.Skip("no cluster under -short")
	}
	httpClient, err := rest.HTTPClientFor(member.Config())
	if err != nil {
		t.Fatal(err)
	}
	var library Library
	api, err := library.Discover(t.Context(), member.Config(), httpClient)
	if err != nil {
		t.Fatal(err)
	}
	if api.Version() != "v1.36.3" {
		t.Errorf("version is %q", api.Version())
	}
	kinds := map[string]bool{
		"apps/v1 Deployment":                 true,
		"v1 Pod":                             true,
		"policy/v1 PodDisruptionBudget":      true,
		"policy/v1beta1 PodSecurityPolicy":   false,
		"extensions/v1beta1 Ingress":         false,
		"networking.k8s.io/v1 NetworkPolicy": true,
	}
	for key, want := range kinds {
		if got := api.kinds[key]; got != want {
			t.Errorf("kind %s served: %v, want %v", key, got, want)
		}
	}
	fields := []struct {
		apiVersion, kind, path string
		want                   bool
	}{
		{"apps/v1", "StatefulSet", "spec.ordinals.start", true},
		{"apps/v1", "StatefulSet", "spec.ordinals.end", false},
		{"apps/v1", "Deployment", "spec.template.spec.containers.lifecycle.preStop.sleep.seconds", true},
		{"apps/v1", "Deployment", "spec.template.spec.containers[].image", true},
		{"v1", "Pod", "metadata.labels", true},
		{"v1", "Pod", "spec.noSuchField", false},
		{"v1", "NoSuchKind", "spec", false},
		{"batch/v1", "CronJob", "spec.timeZone", true},
	}
	for _, tc := range fields {
		if got := api.Field(tc.apiVersion, tc.kind, tc.path); got != tc.want {
			t.Errorf("%s %s has %s: %v, want %v", tc.apiVersion, tc.kind, tc.path, got, tc.want)
		}
	}
	now, err := Digest(t.Context(), member.Config(), httpClient, api)
	if err != nil || now != api.Digest() {
		t.Errorf("an unchanged server keeps its digest: %q, want %q, %v", now, api.Digest(), err)
	}
}

func TestDocumentInCircle(t *testing.T) {
	doc, err := parse([]byte(`{"components":{"schemas":{"a":{"$ref":"#/components/schemas/b","x-kubernetes-group-version-kind":[{"version":"v1","kind":"A"}]},"b":{"$ref":"#/components/schemas/a"}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	if doc.has("v1", "A", "spec.x") {
		t.Error("references in a circle lead nowhere")
	}
}

func TestDocumentOfVersion2(t *testing.T) {
	doc, err := parse([]byte(`{"definitions":{"io.A":{"properties":{"spec":{"$ref":"#/definitions/io.B"}},"x-kubernetes-group-version-kind":[{"group":"g","version":"v1","kind":"A"}]},"io.B":{"properties":{"x":{"type":"object","additionalProperties":{"type":"string"}},"l":{"items":{"properties":{"y":{}}}}}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{"spec": true, "spec.x": true, "spec.l.y": true, "spec.z": false} {
		if got := doc.has("g/v1", "A", path); got != want {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	}
}
