// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ConnectionType names the way the hub reaches a member.
// +kubebuilder:validation:Enum=Push
type ConnectionType string

// ConnectionPush means that the hub dials the member's API server.
const ConnectionPush ConnectionType = "Push"

// ClusterSpec describes a member cluster.
type ClusterSpec struct {
	// dataCenter is the site that the cluster lives in. It cannot change.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="a cluster does not change its data centre: join it under another name"
	DataCenter string `json:"dataCenter"`
	// environment is the one environment that the cluster serves. It cannot change.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=8
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="a cluster does not change its environment: join it under another name"
	Environment string `json:"environment"`
	// connection says how the hub reaches the cluster.
	// +required
	Connection ClusterConnection `json:"connection"`
	// storageClasses maps the model's kinds of volume to the cluster's storage classes.
	// A kind without an entry cannot be placed here.
	// +optional
	// +listType=map
	// +listMapKey=kind
	// +kubebuilder:validation:MaxItems=8
	StorageClasses []StorageClass `json:"storageClasses,omitempty"`
	// diskIO says whether the cluster's hosts limit the disk IO of instances, or why not (R53):
	// BlockIO, where every host has cgroup v2, a runtime with classes of disk IO (containerd
	// 1.7 or newer, CRI-O) and the classes of Fairway; CgroupV1; or RuntimeWithout. Kubernetes
	// does not tell, so whoever runs the hosts does. Say BlockIO only when all of them do: a
	// host without the classes does not start instances that wish for one. Left out: nobody
	// has said, and nothing is limited.
	// +optional
	DiskIO DiskIOLimit `json:"diskIO,omitempty"`
}

// DiskIOLimit is what limits the disk IO of instances on the hosts of a cluster.
//
// +kubebuilder:validation:Enum=BlockIO;CgroupV1;RuntimeWithout
type DiskIOLimit string

const (
	// DiskIOBlockIO hosts limit it by classes of their runtime.
	DiskIOBlockIO DiskIOLimit = "BlockIO"
	// DiskIOCgroupV1 hosts do not: they have cgroup v1.
	DiskIOCgroupV1 DiskIOLimit = "CgroupV1"
	// DiskIORuntimeWithout hosts do not: their runtime has no classes, or was not told them.
	DiskIORuntimeWithout DiskIOLimit = "RuntimeWithout"
)

// ClusterConnection says how the hub reaches a member.
type ClusterConnection struct {
	// type is the way of connecting. Push: the hub dials the member's API server.
	// Default: Push.
	// +optional
	// +kubebuilder:default=Push
	Type ConnectionType `json:"type,omitempty"`
	// secretName names the Secret in fairway-system that holds the credentials
	// under the key "kubeconfig". Changing the Secret's content rotates them.
	// Default: "cluster-" and the cluster's name.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	SecretName string `json:"secretName,omitempty"`
}

// StorageClass maps one kind of volume of the application model.
type StorageClass struct {
	// kind of volume in the application model.
	// +required
	// +kubebuilder:validation:Enum=Local;Shared;Block
	Kind string `json:"kind"`
	// className is the member's storage class that provides it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	ClassName string `json:"className"`
}

// ClusterStatus is what Fairway sees of a member.
type ClusterStatus struct {
	// conditions: Ready sums up; Reachable says whether the member answers;
	// Stalled says that a person is needed, and what for; Audited says whether the
	// audit log of the member's API server is read and accounts for what happened.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// observedGeneration is the spec's generation that this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// version is the member's Kubernetes version, for example "v1.36.3".
	// +optional
	Version string `json:"version,omitempty"`
	// uid is the UID of the member's kube-system namespace: the identity by
	// which a cluster that is joined twice is recognised.
	// +optional
	UID string `json:"uid,omitempty"`
	// apiDigest changes when the kinds or fields that the member serves change.
	// +optional
	APIDigest string `json:"apiDigest,omitempty"`
	// podAdmission says how the member keeps foreign pods off pools: Policy
	// (ValidatingAdmissionPolicy), Webhook, or None. High security levels are
	// refused on a cluster with None.
	// +optional
	// +kubebuilder:validation:Enum=Policy;Webhook;None
	PodAdmission string `json:"podAdmission,omitempty"`
	// away is since when the member does not answer, or did not until lately.
	// +optional
	Away *Absence `json:"away,omitempty"`
	// hosts counts the member's nodes.
	// +optional
	Hosts HostCounts `json:"hosts,omitempty"`
	// instances counts the pods of Fairway's that run in the member, as it was
	// last seen. A Cluster with instances cannot be deleted.
	// +optional
	Instances int64 `json:"instances,omitempty"`
	// capacity is what the ready hosts could hold in all.
	// +optional
	Capacity Resources `json:"capacity,omitempty"`
}

// HostCounts counts nodes.
type HostCounts struct {
	// total counts all nodes.
	Total int32 `json:"total"`
	// ready counts nodes whose kubelet reports Ready.
	Ready int32 `json:"ready"`
	// simulated counts nodes that run no containers.
	Simulated int32 `json:"simulated"`
}

// Resources is an amount of what hosts offer.
type Resources struct {
	// cpu in cores.
	// +optional
	CPU resource.Quantity `json:"cpu,omitempty"`
	// memory in bytes.
	// +optional
	Memory resource.Quantity `json:"memory,omitempty"`
	// instances is how many instances fit by number.
	// +optional
	Instances int64 `json:"instances,omitempty"`
}

// Condition types of a Cluster.
const (
	// ConditionReady sums up whether Fairway can use the object.
	ConditionReady = "Ready"
	// ConditionReachable says whether the member answers its hub.
	ConditionReachable = "Reachable"
	// ConditionAudited says whether what the member's API server noted agrees with
	// evidence. True: it does. False, reason Unaudited: no audit log is read. False,
	// reason Unaccounted: there are writes without a record. Unknown: the log is stale
	// (Stale), cannot be read in part (Incomplete), begins to be read (Waiting), or its
	// clock is ahead (ClockApart).
	ConditionAudited = "Audited"
	// ConditionStalled says that nothing moves until a person acts.
	ConditionStalled = "Stalled"
)

// Cluster is a member cluster: one Kubernetes of the fleet, which serves one
// environment in one data centre (R01). Deleting it forgets the cluster and
// touches nothing that runs in it; it is refused while Fairway runs instances there.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster
// +kubebuilder:printcolumn:name="Data centre",type=string,JSONPath=`.spec.dataCenter`
// +kubebuilder:printcolumn:name="Environment",type=string,JSONPath=`.spec.environment`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Audit",type=string,JSONPath=`.status.conditions[?(@.type=="Audited")].reason`
// +kubebuilder:printcolumn:name="Version",type=string,JSONPath=`.status.version`
// +kubebuilder:printcolumn:name="Hosts",type=integer,JSONPath=`.status.hosts.total`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 32 && self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="a cluster's name has at most 32 lower-case letters, digits and dashes"
type Cluster struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec ClusterSpec `json:"spec"`
	// +optional
	Status ClusterStatus `json:"status,omitempty"`
}

// ClusterList is a list of Clusters.
//
// +kubebuilder:object:root=true
type ClusterList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Cluster `json:"items"`
}
