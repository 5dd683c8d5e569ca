// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// PoolSpec describes a set of hosts with one owner and one security level.
//
// +kubebuilder:validation:XValidation:rule="has(self.tenant) != (has(self.sharedBy) && self.sharedBy.size() > 0)",message="a pool belongs to one tenant (tenant) or is shared by a named list (sharedBy): set exactly one of them"
type PoolSpec struct {
	// tenant owns the pool alone (R03). Set either tenant or sharedBy.
	// +optional
	// +kubebuilder:validation:MaxLength=20
	Tenant string `json:"tenant,omitempty"`
	// sharedBy names the tenants that share the pool (R07). Set either tenant or sharedBy.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=20
	SharedBy []string `json:"sharedBy,omitempty"`
	// securityLevel is the one level that the pool's hosts carry (R04).
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	SecurityLevel string `json:"securityLevel"`
	// zones lists the network zones that the pool's hosts can attach instances to.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=32
	Zones []string `json:"zones"`
	// hosts lists the pool's hosts by cluster. A host is in at most one pool:
	// the pool that was created first keeps it, and the other reports it.
	// +optional
	// +listType=map
	// +listMapKey=cluster
	// +kubebuilder:validation:MaxItems=200
	Hosts []PoolHosts `json:"hosts,omitempty"`
	// hostKind says whether the pool holds real or simulated hosts. A pool holds
	// either real or simulated hosts, never both. Default: Real.
	// +optional
	// +kubebuilder:default=Real
	// +kubebuilder:validation:Enum=Real;Simulated
	HostKind string `json:"hostKind,omitempty"`
	// packing says how new instances fill the pool's hosts, once the component's own spread
	// over zones and racks is as even as it can be: Spread puts them where most is free, Pack
	// where least is, so that some hosts stay empty for large instances or can be switched
	// off. What runs stays where it is. Default: Spread.
	// +optional
	// +kubebuilder:default=Spread
	Packing Packing `json:"packing,omitempty"`
	// sizes lists the sizing classes (R09) of which the pool takes instances. Default: every
	// size. Instances of one size fit exactly, in whatever order the member's scheduler takes
	// them, so that a pool of one class can be filled to its last place; of several sizes,
	// each host keeps room for the largest.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=6
	// +kubebuilder:validation:items:Enum=XSmall;Small;Medium;Large;XLarge;XXLarge
	Sizes []string `json:"sizes,omitempty"`
}

// Packing is how instances fill hosts.
//
// +kubebuilder:validation:Enum=Pack;Spread
type Packing string

const (
	// PackingSpread puts instances where most is free.
	PackingSpread Packing = "Spread"
	// PackingPack fills hosts that are in use first.
	PackingPack Packing = "Pack"
)

// PoolHosts names hosts of one cluster.
type PoolHosts struct {
	// cluster that the hosts belong to.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	Cluster string `json:"cluster"`
	// names of the hosts, as their kubelets registered them.
	// +required
	// +listType=set
	// +kubebuilder:validation:MaxItems=5000
	// +kubebuilder:validation:items:MaxLength=253
	Names []string `json:"names"`
}

// PoolStatus is what Fairway sees of a pool.
type PoolStatus struct {
	// conditions: Ready says whether every listed host is there, owned and ready.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// observedGeneration is the spec's generation that this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// hosts counts the pool's hosts.
	// +optional
	Hosts HostCounts `json:"hosts,omitempty"`
	// instances counts the pods of Fairway's that run on the pool's hosts, as it
	// was last seen. A Pool with instances cannot be deleted.
	// +optional
	Instances int64 `json:"instances,omitempty"`
	// racks reports capacity, use and room by cluster and rack.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=2000
	Racks []PoolRack `json:"racks,omitempty"`
	// away lists the racks of which no host of the pool reports that it is ready, and
	// those that were so until lately.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=2000
	Away []RackAway `json:"away,omitempty"`
}

// RackAway is a rack of which no host of the pool reports that it is ready, or of which
// none did lately.
type RackAway struct {
	// cluster of the hosts.
	// +required
	// +kubebuilder:validation:MaxLength=32
	Cluster string `json:"cluster"`
	// rack of the hosts.
	// +required
	// +kubebuilder:validation:MaxLength=64
	Rack string `json:"rack"`
	// hosts of the pool in the rack.
	// +optional
	Hosts   int32 `json:"hosts,omitempty"`
	Absence `json:",inline"`
}

// Absence is how long and how often something was away.
type Absence struct {
	// since when it is away, as far as was seen; of what is back, when it went last.
	// +required
	Since metav1.Time `json:"since"`
	// back is when it was back. Left out: it is away.
	// +optional
	Back *metav1.Time `json:"back,omitempty"`
	// times that it went away, each for a minute at least, with less than two hours
	// between them.
	// +optional
	Times int32 `json:"times,omitempty"`
}

// PoolRack is the pool's room in one rack.
type PoolRack struct {
	// cluster of the hosts.
	Cluster string `json:"cluster"`
	// rack of the hosts.
	Rack string `json:"rack"`
	// hosts that are ready and take instances.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=5000
	Hosts []string `json:"hosts,omitempty"`
	// classes counts hosts by size class, for example {"4c16g": 12}.
	// +optional
	Classes map[string]int32 `json:"classes,omitempty"`
	// capacity is what the hosts could hold in all.
	Capacity Resources `json:"capacity"`
	// used is what running instances and node agents have reserved.
	Used Resources `json:"used"`
	// free is what is left.
	Free Resources `json:"free"`
	// room says, host by host, what each ready host could hold of Fairway's
	// instances: what it can allocate less what node agents and other pods that
	// are not Fairway's reserve. The scheduler packs instances into it.
	// +optional
	// +listType=map
	// +listMapKey=host
	// +kubebuilder:validation:MaxItems=5000
	Room []HostRoom `json:"room,omitempty"`
}

// HostRoom is what one host could hold of Fairway's instances.
type HostRoom struct {
	// host is the node's name.
	// +required
	// +kubebuilder:validation:MaxLength=253
	Host string `json:"host"`
	// architecture of its processor, as its kubelet registered it (kubernetes.io/arch):
	// amd64, arm64, loong64. Empty: not known.
	// +optional
	// +kubebuilder:validation:MaxLength=16
	Architecture string `json:"architecture,omitempty"`
	// resources that instances may reserve on it, whether or not they do now.
	Resources `json:",inline"`
}

// Pool is a set of hosts dedicated to one tenant and one security level, or
// shared by a named list (资源池, R03, R04, R07).
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster
// +kubebuilder:printcolumn:name="Tenant",type=string,JSONPath=`.spec.tenant`
// +kubebuilder:printcolumn:name="Level",type=string,JSONPath=`.spec.securityLevel`
// +kubebuilder:printcolumn:name="Zones",type=string,JSONPath=`.spec.zones`
// +kubebuilder:printcolumn:name="Hosts",type=integer,JSONPath=`.status.hosts.ready`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 40 && self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="a pool's name has at most 40 lower-case letters, digits and dashes"
type Pool struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec PoolSpec `json:"spec"`
	// +optional
	Status PoolStatus `json:"status,omitempty"`
}

// PoolList is a list of Pools.
//
// +kubebuilder:object:root=true
type PoolList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Pool `json:"items"`
}
