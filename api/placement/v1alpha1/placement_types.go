// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Cell is the smallest unit that a Placement counts and a Release steps:
// cluster × pool × zone × rack × DCN.
type Cell struct {
	// cluster of the cell.
	// +required
	// +kubebuilder:validation:MaxLength=32
	Cluster string `json:"cluster"`
	// pool of the cell.
	// +required
	// +kubebuilder:validation:MaxLength=40
	Pool string `json:"pool"`
	// zone that the cell's instances attach to.
	// +required
	// +kubebuilder:validation:MaxLength=32
	Zone string `json:"zone"`
	// rack of the cell's hosts.
	// +required
	// +kubebuilder:validation:MaxLength=32
	Rack string `json:"rack"`
	// dcn that the cell's instances serve.
	// +required
	// +kubebuilder:validation:MaxLength=32
	DCN string `json:"dcn"`
}

// Key returns the cell as "cluster/pool/zone/rack/dcn", the text that names
// of objects are hashed from.
func (c Cell) Key() string {
	return c.Cluster + "/" + c.Pool + "/" + c.Zone + "/" + c.Rack + "/" + c.DCN
}

// PlacementSpec is one decision of the scheduler. It never changes.
//
// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="a Placement is a decision and never changes: ask for a new one"
type PlacementSpec struct {
	// application that was placed.
	// +required
	// +kubebuilder:validation:MaxLength=24
	Application string `json:"application"`
	// revision that was placed.
	// +required
	// +kubebuilder:validation:MaxLength=63
	Revision string `json:"revision"`
	// digest of assignments, hosts and policy, "sha256:…". The Placement's name contains it.
	// +required
	// +kubebuilder:validation:MaxLength=80
	Digest string `json:"digest"`
	// assignments say which seats run in which cell.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=4096
	Assignments []Assignment `json:"assignments"`
	// hosts are the hosts of each room that was counted on, each room once. In whatever order
	// the member's scheduler fills them, every instance fits.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=4096
	Hosts []RoomHosts `json:"hosts,omitempty"`
	// policy that the decision was made with. Left out by versions before it.
	// +optional
	Policy *DecidedBy `json:"policy,omitempty"`
	// reasons say, in the order of the decision, why.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=4096
	Reasons []Reason `json:"reasons,omitempty"`
	// cause says why it was proposed, where no Release asked for it.
	// +optional
	Cause *Cause `json:"cause,omitempty"`
	// expiresAt is when the reservation ends if no Release uses it.
	// +required
	ExpiresAt metav1.Time `json:"expiresAt"`
}

// Assignment puts seats of one component into one cell.
type Assignment struct {
	// component whose instances these are.
	// +required
	// +kubebuilder:validation:MaxLength=16
	Component string `json:"component"`
	// template is the digest of the component's template. Instances of two
	// templates stand side by side while a Release goes on, and both hold room;
	// Assignments of one template are the same instances.
	// +required
	// +kubebuilder:validation:MaxLength=80
	Template string `json:"template"`
	// cell that they run in.
	// +required
	Cell Cell `json:"cell"`
	// block is the first seat number of the cell: a multiple of 1,000 that the
	// component keeps for this cell for good.
	// +required
	// +kubebuilder:validation:Minimum=0
	Block int32 `json:"block"`
	// seats are the numbers of the instances, ascending. None: the component has
	// left the cell, which keeps its block.
	// +required
	// +listType=set
	// +kubebuilder:validation:MaxItems=1000
	Seats []int32 `json:"seats"`
	// hosts of the cell, as Placements listed them that were stored before spec.hosts was
	// there. They are read and never written; the field goes with the next version of the kind.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=1000
	Hosts []string `json:"hosts,omitzero"`
	// cpu that each instance reserves, in cores.
	// +required
	CPU resource.Quantity `json:"cpu"`
	// memory that each instance reserves, in bytes.
	// +required
	Memory resource.Quantity `json:"memory"`
	// maxPerHost is how many of these instances one host may hold, as their pods say it to the
	// cluster's scheduler. Left out: any number, or as many for each host of the cell as the
	// Revision says, where it is from before pods said a bound of 2 or more.
	// +optional
	// +kubebuilder:validation:Minimum=1
	MaxPerHost int32 `json:"maxPerHost,omitempty"`
	// architectures that the instances run on, as Kubernetes names them (amd64, arm64,
	// loong64). None: any.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MaxLength=16
	Architectures []string `json:"architectures,omitempty"`
	// antiAffinity names the components that the instances keep apart from, as the
	// Revision says. It holds for as long as the Assignment does, for whoever is placed
	// later, too.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	AntiAffinity []KeptApart `json:"antiAffinity,omitempty"`
}

// RoomHosts are the hosts of a room, which is one pool in one rack of a cluster.
type RoomHosts struct {
	// cluster of the room.
	// +required
	// +kubebuilder:validation:MaxLength=32
	Cluster string `json:"cluster"`
	// pool of the room.
	// +required
	// +kubebuilder:validation:MaxLength=40
	Pool string `json:"pool"`
	// rack of the room.
	// +required
	// +kubebuilder:validation:MaxLength=32
	Rack string `json:"rack"`
	// names of the hosts that were ready.
	// +required
	// +listType=set
	// +kubebuilder:validation:MaxItems=5000
	// +kubebuilder:validation:items:MaxLength=253
	Names []string `json:"names"`
}

// HostsOf are the hosts that an Assignment of the Placement counts on, wherever they are
// listed. None for one without seats.
func (s *PlacementSpec) HostsOf(a Assignment) []string {
	if len(a.Hosts) > 0 || len(a.Seats) == 0 {
		return a.Hosts
	}
	for i := range s.Hosts {
		if r := &s.Hosts[i]; r.Cluster == a.Cell.Cluster && r.Pool == a.Cell.Pool && r.Rack == a.Cell.Rack {
			return r.Names
		}
	}
	return nil
}

// KeptApart names a component that another one shares no host, rack or availability
// zone with.
type KeptApart struct {
	// application of the component, in the namespace of the Placement.
	// +required
	// +kubebuilder:validation:MaxLength=24
	Application string `json:"application"`
	// component of it.
	// +required
	// +kubebuilder:validation:MaxLength=16
	Component string `json:"component"`
	// scope is what the two do not share: AvailabilityZone, Rack or Host.
	// +required
	// +kubebuilder:validation:Enum=AvailabilityZone;Rack;Host
	Scope string `json:"scope"`
}

// Reason is one step of the scheduler's thinking.
type Reason struct {
	// component that it is about. Empty: the application.
	// +optional
	// +kubebuilder:validation:MaxLength=16
	Component string `json:"component,omitempty"`
	// dcn that it is about. Empty: all.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	DCN string `json:"dcn,omitempty"`
	// rule that spoke, for example "ZoneAcceptsLevel".
	// +required
	// +kubebuilder:validation:MaxLength=64
	Rule string `json:"rule"`
	// message says what the rule found, with its numbers.
	// +required
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message"`
}

// PlacementStatus says whether the reservation holds.
type PlacementStatus struct {
	// conditions: Reserved says whether the room is still held.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// release that uses the Placement. Empty: a proposal.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Release string `json:"release,omitempty"`
}

// ConditionReserved says whether a Placement that a Release uses, or has used, still holds its
// room. A proposal that no Release uses yet has no condition: it holds its room until it expires.
const ConditionReserved = "Reserved"

// Reasons of the condition Reserved.
const (
	// ReasonPlanned: a Release holds the room and has not taken a step yet: it waits for an
	// approval, or was stopped before.
	ReasonPlanned = "Planned"
	// ReasonInUse: what it placed runs, or a Release is bringing it about.
	ReasonInUse = "InUse"
	// ReasonSuperseded: a later Placement took its place.
	ReasonSuperseded = "Superseded"
	// ReasonWithdrawn: what it was proposed for is over. The message says how.
	ReasonWithdrawn = "Withdrawn"
	// ReasonRetired: the application was taken out of service.
	ReasonRetired = "Retired"
)

// Placement is one immutable decision: how many instances of each component,
// and which seats, run in which cell, and why (部署布局, R48, R49). It is the
// reservation of the room; one without a Release is a proposal.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:selectablefield:JSONPath=`.spec.application`
// +kubebuilder:printcolumn:name="Application",type=string,JSONPath=`.spec.application`
// +kubebuilder:printcolumn:name="Revision",type=string,JSONPath=`.spec.revision`
// +kubebuilder:printcolumn:name="Release",type=string,JSONPath=`.status.release`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type Placement struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec PlacementSpec `json:"spec"`
	// +optional
	Status PlacementStatus `json:"status,omitempty"`
}

// PlacementList is a list of Placements.
//
// +kubebuilder:object:root=true
type PlacementList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Placement `json:"items"`
}
