// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package delivery

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
)

// Instance is one running instance as people see it, listed like a virtual machine
// is today (R41): a seat, and who sits on it.
type Instance struct {
	// Namespace on the hub, "<tenant>-<environment>".
	Namespace string `json:"namespace"`
	// Application that it belongs to.
	Application string `json:"application"`
	// Component that it runs.
	Component string `json:"component"`
	// Seat is its number for good, "<component>-<number>". Empty while it waits for
	// an older instance to leave.
	Seat string `json:"seat"`
	// IP that it has.
	IP string `json:"ip"`
	// DCN that it serves.
	DCN string `json:"dcn"`
	// DataCenter that it runs in.
	DataCenter string `json:"dataCenter"`
	// Zone that it is attached to.
	Zone string `json:"zone"`
	// Rack of its host.
	Rack string `json:"rack"`
	// Host that it runs on.
	Host string `json:"host"`
	// Cluster that it runs in.
	Cluster string `json:"cluster"`
	// Pool of its host.
	Pool string `json:"pool"`
	// Revision that it runs.
	Revision string `json:"revision"`
	// State in one word.
	State string `json:"state"`
	// Message says why the state is what it is.
	Message string `json:"message,omitempty"`
	// Ready says that it answers its probes.
	Ready bool `json:"ready"`
	// Restarts of its containers.
	Restarts int32 `json:"restarts"`
	// CreatedAt is when it was made.
	CreatedAt time.Time `json:"createdAt"`
	// Simulated says that it runs on a simulated host.
	Simulated bool `json:"simulated"`
	// UID of its pod.
	UID string `json:"uid"`
	// Pod is its pod's name, PodNamespace the member namespace that it is in.
	Pod          string `json:"pod"`
	PodNamespace string `json:"podNamespace"`
	// Image of its first container, with its digest where it is known.
	Image string `json:"image"`
}

// Place is where a member cluster is, and which cells its deliveries name.
type Place struct {
	// Cluster and the data centre that it stands in.
	Cluster, DataCenter string
	// Cells by their hash, as labels carry it.
	Cells map[string]placementv1.Cell
}

// InstanceOf reads an instance from its pod. Node is its host, or nil while it has
// none or the host is not known.
func InstanceOf(pod *corev1.Pod, node *corev1.Node, place Place) Instance {
	lost := IsLost(node)
	state, message := StateOf(pod, lost)
	instance := Instance{
		Namespace:    pod.Labels[appv1.LabelTenant] + "-" + pod.Labels[appv1.LabelEnvironment],
		Application:  pod.Labels[appv1.LabelApplication],
		Component:    pod.Labels[appv1.LabelComponent],
		Seat:         pod.Labels[appv1.LabelSeat],
		IP:           pod.Status.PodIP,
		DCN:          pod.Labels[appv1.LabelDCN],
		DataCenter:   place.DataCenter,
		Host:         pod.Spec.NodeName,
		Cluster:      place.Cluster,
		Revision:     pod.Labels[appv1.LabelRevision],
		State:        state,
		Message:      message,
		Ready:        pod.DeletionTimestamp == nil && !lost && isReady(pod),
		CreatedAt:    pod.CreationTimestamp.UTC(),
		UID:          string(pod.UID),
		Pod:          pod.Name,
		PodNamespace: pod.Namespace,
	}
	if cell, known := place.Cells[pod.Labels[appv1.LabelCell]]; known {
		instance.Zone, instance.Rack, instance.Pool = cell.Zone, cell.Rack, cell.Pool
	}
	if node != nil {
		instance.Rack = orElse(node.Labels[fleetv1.LabelRack], instance.Rack)
		instance.Pool = orElse(node.Labels[fleetv1.LabelPool], instance.Pool)
		instance.Simulated = node.Labels[fleetv1.LabelSimulated] == "true"
	}
	for i, container := range pod.Status.ContainerStatuses {
		instance.Restarts += container.RestartCount
		if i == 0 {
			instance.Image = orElse(container.ImageID, container.Image)
		}
	}
	if instance.Image == "" && len(pod.Spec.Containers) > 0 {
		instance.Image = pod.Spec.Containers[0].Image
	}
	return instance
}

// IsLost says whether a host does not answer. A host that is not known is not lost.
func IsLost(node *corev1.Node) bool {
	if node == nil {
		return false
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			return condition.Status == corev1.ConditionUnknown
		}
	}
	return false
}

// InstanceSink takes the instances of members, for reading. The server's read model
// implements it; it must not block long.
type InstanceSink interface {
	// Replace says which instances a member has, all of them. It follows each
	// connection; what is not named is gone.
	Replace(cluster string, instances []Instance)
	// Upsert says that one instance is new or has changed. Its UID identifies it.
	Upsert(cluster string, instance Instance)
	// Remove says that an instance is gone.
	Remove(cluster string, uid string)
}
