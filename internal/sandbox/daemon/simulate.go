// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package daemon

import (
	"context"
	"fmt"
	"maps"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	fleetv1alpha1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/sandbox/topology"
)

// What a simulated host offers unless the topology says otherwise.
const (
	simulatedCPU    = "16"
	simulatedMemory = "64Gi"
	simulatedPods   = "110"
)

// SimulatorUser is the account that plays simulated hosts: it starts their pods.
const SimulatorUser = "system:fairway-sandbox-simulator"

// simulate makes the cluster's simulated hosts and starts what plays them.
func (s *Sandbox) simulate(ctx context.Context, c topology.ClusterPlan) error {
	hosts := s.Plan.HostsOf(topology.Simulated, c.Name)
	if len(hosts) == 0 {
		return nil
	}
	api, err := s.Client(c.Name)
	if err != nil {
		return err
	}
	group, parallel := errgroup.WithContext(ctx)
	group.SetLimit(20)
	for _, h := range hosts {
		group.Go(func() error { return ensureSimulated(parallel, api, h) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	kubeconfig, err := s.planes[c.Name].LocalKubeconfig("simulator", SimulatorUser, "system:masters")
	if err != nil {
		return err
	}
	process, err := s.planes[c.Name].Simulator(ctx, s.Options.Folder.Cluster(c.Name), kubeconfig, fmt.Sprintf("127.0.0.1:%d", c.SimulatorPort), c.SimulatedPods)
	if err != nil {
		return err
	}
	if err := s.Supervise(process); err != nil {
		return err
	}
	return s.Await(ctx, process.Name)
}

// simulatedNode is the node that stands for a simulated host.
func simulatedNode(h topology.HostPlan) *corev1.Node {
	labels := map[string]string{
		corev1.LabelHostname: h.Name, corev1.LabelOSStable: "linux", corev1.LabelArchStable: "amd64",
		corev1.LabelTopologyZone: h.AvailabilityZone, fleetv1alpha1.LabelRack: h.Rack,
		fleetv1alpha1.LabelSimulated: "true",
	}
	maps.Copy(labels, h.Labels)
	cpu, memory := h.CPU, h.Memory
	if cpu == "" {
		cpu = simulatedCPU
	}
	if memory == "" {
		memory = simulatedMemory
	}
	room := corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse(cpu), corev1.ResourceMemory: resource.MustParse(memory),
		corev1.ResourcePods: resource.MustParse(simulatedPods),
	}
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name: h.Name, Labels: labels,
			Annotations: map[string]string{"kwok.x-k8s.io/node": "fake", "node.alpha.kubernetes.io/ttl": "0"},
		},
		Spec: corev1.NodeSpec{
			Taints: []corev1.Taint{{Key: fleetv1alpha1.LabelSimulated, Value: "true", Effect: corev1.TaintEffectNoSchedule}},
		},
		Status: corev1.NodeStatus{
			Capacity: room, Allocatable: room,
			Addresses: []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: h.IP.String()}, {Type: corev1.NodeHostName, Address: h.Name}},
			NodeInfo:  corev1.NodeSystemInfo{Architecture: "amd64", OperatingSystem: "linux", KubeletVersion: "simulated"},
		},
	}
}

// ensureSimulated makes the node with its taint already on, and says what it
// offers before the simulator makes it ready; what is there stays.
func ensureSimulated(ctx context.Context, api client.Client, h topology.HostPlan) error {
	node := simulatedNode(h)
	status := node.Status
	err := api.Create(ctx, node)
	if apierrors.IsAlreadyExists(err) {
		err = api.Get(ctx, client.ObjectKeyFromObject(node), node)
	}
	if err == nil && len(node.Status.Capacity) == 0 {
		before := node.DeepCopy()
		node.Status = status
		err = api.Status().Patch(ctx, node, client.StrategicMergeFrom(before))
	}
	if err != nil {
		return fmt.Errorf("could not make simulated host %q: %w", h.Name, err)
	}
	return nil
}
