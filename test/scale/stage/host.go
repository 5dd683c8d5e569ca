// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package stage

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/sandbox/controlplane"
)

// Host is a simulated host of a member.
type Host struct {
	Name, Rack string
	// Arch of its processor. Default: amd64.
	Arch string
	// CPU in cores, Memory in GiB, Instances that it takes.
	CPU, Memory, Instances int64
}

// Raise makes the host. The simulator does not know it before it says what it offers, or
// else it would say so itself.
func (h Host) Raise(ctx context.Context, api client.Client) error {
	if h.Arch == "" {
		h.Arch = "amd64"
	}
	node := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name:        h.Name,
			Labels:      map[string]string{corev1.LabelHostname: h.Name, corev1.LabelOSStable: "linux", corev1.LabelArchStable: h.Arch, fleetv1.LabelRack: h.Rack},
			Annotations: map[string]string{"kwok.x-k8s.io/node": "fake", "node.alpha.kubernetes.io/ttl": "0"},
		},
		Spec: corev1.NodeSpec{Taints: []corev1.Taint{{Key: fleetv1.LabelSimulated, Value: "true", Effect: corev1.TaintEffectNoSchedule}}},
	}
	if err := api.Create(ctx, node); err != nil {
		return fmt.Errorf("could not make host %q: %w", h.Name, err)
	}
	before := node.DeepCopy()
	room := corev1.ResourceList{
		corev1.ResourceCPU: *resource.NewQuantity(h.CPU, resource.DecimalSI), corev1.ResourceMemory: *resource.NewQuantity(h.Memory<<30, resource.BinarySI),
		corev1.ResourcePods: *resource.NewQuantity(h.Instances, resource.DecimalSI),
	}
	node.Status.Capacity, node.Status.Allocatable = room, room
	node.Status.NodeInfo = corev1.NodeSystemInfo{Architecture: h.Arch, OperatingSystem: "linux", KubeletVersion: "simulated"}
	if err := api.Status().Patch(ctx, node, client.StrategicMergeFrom(before)); err != nil {
		return fmt.Errorf("could not say what host %q offers: %w", h.Name, err)
	}
	before = node.DeepCopy()
	node.Labels[fleetv1.LabelSimulated] = "true"
	return api.Patch(ctx, node, client.MergeFrom(before))
}

// Silence has a host say nothing any more, as one that has lost its power.
func Silence(ctx context.Context, api client.Client, host string) error {
	patch := fmt.Appendf(nil, `{"metadata":{"labels":{%q:"true"}}}`, controlplane.LabelSilent)
	return api.Patch(ctx, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: host}}, client.RawPatch("application/merge-patch+json", patch))
}
