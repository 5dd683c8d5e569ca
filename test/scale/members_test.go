// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package scale

import (
	"context"
	"fmt"
	"testing"

	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app"
	"github.com/fairway-cloud/fairway/internal/sandbox/controlplane"
)

// labelLarger is on the hosts of the larger class.
const labelLarger = "scale.test/larger"

// offers is what a host of so many cores for instances offers, and has with its node agents.
func offers(cores int64, larger bool) corev1.ResourceList {
	agents := int64(200)
	if larger {
		agents += 300
	}
	return corev1.ResourceList{
		corev1.ResourceCPU: *resource.NewMilliQuantity(cores*1000+agents, resource.DecimalSI), corev1.ResourceMemory: *resource.NewQuantity((cores*4+2)<<30, resource.BinarySI),
		corev1.ResourcePods: *resource.NewQuantity(max(110, 2*cores), resource.DecimalSI),
	}
}

// host is a simulated host of a pool, with so many cores for instances, or twice as many.
func host(name, pool, rack string, cores int64, larger bool) *corev1.Node {
	labels := map[string]string{
		corev1.LabelHostname: name, corev1.LabelOSStable: "linux", corev1.LabelArchStable: "amd64",
		fleetv1.LabelPool: pool, fleetv1.LabelRack: rack, fleetv1.LabelSimulated: "true", controlplane.LabelSilent: "true",
	}
	if larger {
		cores *= 2
		labels[labelLarger] = "true"
	}
	room := offers(cores, larger)
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels, Annotations: map[string]string{"kwok.x-k8s.io/node": "fake", "node.alpha.kubernetes.io/ttl": "0"}},
		Spec: corev1.NodeSpec{Taints: []corev1.Taint{
			{Key: fleetv1.LabelSimulated, Value: "true", Effect: corev1.TaintEffectNoSchedule},
			{Key: fleetv1.TaintPool, Value: pool, Effect: corev1.TaintEffectNoSchedule},
		}},
		Status: corev1.NodeStatus{
			Capacity: room, Allocatable: room,
			NodeInfo: corev1.NodeSystemInfo{Architecture: "amd64", OperatingSystem: "linux", KubeletVersion: "simulated"},
		},
	}
}

// raise makes the hosts of a member, each with what it offers before the simulator knows it.
func raise(ctx context.Context, api client.Client, nodes []*corev1.Node) error {
	group, parallel := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for _, node := range nodes {
		group.Go(func() error {
			status := node.Status
			if err := api.Create(parallel, node); err != nil {
				return fmt.Errorf("could not make host %q: %w", node.Name, err)
			}
			before := node.DeepCopy()
			node.Status.Capacity, node.Status.Allocatable, node.Status.NodeInfo = status.Capacity, status.Allocatable, status.NodeInfo
			if err := api.Status().Patch(parallel, node, client.StrategicMergeFrom(before)); err != nil {
				return err
			}
			return api.Patch(parallel, node, client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"metadata":{"labels":{%q:null}}}`, controlplane.LabelSilent)))
		})
	}
	return group.Wait()
}

// agents are the DaemonSets of a member: one on every host, one on the larger ones.
func agents() []*appsv1.DaemonSet {
	one := func(name, cpu, memory string, on map[string]string) *appsv1.DaemonSet {
		labels := map[string]string{"agent": name}
		return &appsv1.DaemonSet{
			ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: name},
			Spec: appsv1.DaemonSetSpec{
				Selector: &metav1.LabelSelector{MatchLabels: labels},
				Template: corev1.PodTemplateSpec{
					ObjectMeta: metav1.ObjectMeta{Labels: labels},
					Spec: corev1.PodSpec{
						NodeSelector: on, Tolerations: []corev1.Toleration{{Operator: corev1.TolerationOpExists}},
						Containers: []corev1.Container{{Name: name, Image: "registry.bank:5000/" + name + ":1", Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
							corev1.ResourceCPU: resource.MustParse(cpu), corev1.ResourceMemory: resource.MustParse(memory),
						}}}},
					},
				},
			},
		}
	}
	return []*appsv1.DaemonSet{
		one("agent", "200m", "256Mi", nil), one("collector", "300m", "512Mi", map[string]string{labelLarger: "true"}),
	}
}

// serves asks an API server what it serves.
func serves(t *testing.T, config *rest.Config) app.Served {
	t.Helper()
	d, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	document, err := d.OpenAPISchema()
	if err != nil {
		t.Fatal(err)
	}
	text, err := document.YAMLValue("")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := yaml.YAMLToJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	version, err := d.ServerVersion()
	if err != nil {
		t.Fatal(err)
	}
	served, err := app.ReadServed(version.GitVersion, raw)
	if err != nil {
		t.Fatal(err)
	}
	return served
}
