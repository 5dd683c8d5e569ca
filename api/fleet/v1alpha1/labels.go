// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package v1alpha1

// Labels and taints that Fairway reads and writes on the nodes of members.
const (
	// LabelPool names the pool that owns a host. Only Fairway sets it: the
	// prefix is one that the NodeRestriction admission plugin keeps kubelets
	// from setting on themselves, so that a host cannot move itself into
	// another tenant's pool.
	LabelPool = "fairway.node-restriction.kubernetes.io/pool"
	// TaintPool keeps pods that do not name the pool off its hosts. Its value
	// is the pool's name, its effect NoSchedule.
	TaintPool = "fleet.fairway.cloud/pool"
	// LabelRack names the rack (TOR) of a host. Whoever registers the host sets it.
	LabelRack = "fleet.fairway.cloud/rack"
	// LabelSimulated marks a host that runs no containers. As a taint
	// (value "true", effect NoSchedule) it keeps real instances off.
	LabelSimulated = "fleet.fairway.cloud/simulated"
	// LabelCluster names the cluster on the hub's objects that belong to one
	// member, such as its namespace and its credentials.
	LabelCluster = "fleet.fairway.cloud/cluster"
	// AnnotationJoinedUID on a Cluster is the identity of the member that was
	// joined (the UID of its kube-system namespace), until status.uid has it.
	AnnotationJoinedUID = "fleet.fairway.cloud/joined-uid"
)

// ClusterNamespacePrefix precedes a cluster's name in the name of the hub
// namespace that holds its Deliveries: "fairway-cluster-east-1".
const ClusterNamespacePrefix = "fairway-cluster-"

// SystemNamespace holds what belongs to Fairway itself, on the hub and in members.
const SystemNamespace = "fairway-system"
