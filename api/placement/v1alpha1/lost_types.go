// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// LostAction says who carries out what is proposed after a loss.
//
// +kubebuilder:validation:Enum=Propose;Release
type LostAction string

const (
	// LostPropose leaves it to a person to start a Release.
	LostPropose LostAction = "Propose"
	// LostRelease starts the Release too. It passes the Gate as any other does.
	LostRelease LostAction = "Release"
)

// LostPolicy says what follows when a rack, a cluster or a data centre is lost (R86).
// Recovery inside a cell is the member's and goes on whatever it says.
type LostPolicy struct {
	// action says what follows of a proposal. Propose: a person starts a Release with it.
	// Release: Fairway starts it, for applications of which nothing keeps an identity or
	// runs once only; the Gate decides as about any Release, so that production takes one
	// only where an approval policy lets standard changes pass. Default: Propose.
	// +optional
	// +kubebuilder:default=Propose
	Action LostAction `json:"action,omitempty"`
	// ticket of the standing change under which automation acts: a change in production
	// names one. Default: none, so that nothing is automatic in production.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Ticket string `json:"ticket,omitempty"`
	// after is how long something is away before it counts as lost.
	// +optional
	After LostAfter `json:"after,omitzero"`
	// sickSharePercent is from how many of each hundred hosts of the environment that do
	// not answer on nothing is automatic any more, and a Brake is set. Default: 55.
	// +optional
	// +kubebuilder:default=55
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	SickSharePercent int32 `json:"sickSharePercent,omitempty"`
	// budget is how many instances automation moves at most.
	// +optional
	Budget LostBudget `json:"budget,omitzero"`
	// return says what follows once the place is back. Propose: a Placement back to where
	// the instances were; a person starts the Release. Never: they stay. Default: Propose.
	// +optional
	// +kubebuilder:default=Propose
	// +kubebuilder:validation:Enum=Propose;Never
	Return string `json:"return,omitempty"`
	// returnAfter is how long the place has been well before a return is proposed.
	// Default: 30m.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1m') && duration(self) <= duration('168h')",message="returnAfter is at least 1m and at most 168h: leave it out for half an hour, or have return Never"
	ReturnAfter *metav1.Duration `json:"returnAfter,omitempty"`
}

// LostAfter is how long something is away before it counts as lost. Something that comes
// and goes counts later each time: twice as long, up to two hours, or up to what is said here
// where that is longer.
type LostAfter struct {
	// rack of which no host reports that it is ready, while its cluster answers.
	// Default: 5m.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1m') && duration(self) <= duration('24h')",message="rack is at least 1m and at most 24h: a shorter silence is no loss; leave it out for the default"
	Rack *metav1.Duration `json:"rack,omitempty"`
	// cluster that does not answer. Default: 10m.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1m') && duration(self) <= duration('24h')",message="cluster is at least 1m and at most 24h: a shorter silence is no loss; leave it out for the default"
	Cluster *metav1.Duration `json:"cluster,omitempty"`
	// dataCenter of which no cluster answers. Default: 10m.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1m') && duration(self) <= duration('24h')",message="dataCenter is at least 1m and at most 24h: a shorter silence is no loss; leave it out for the default"
	DataCenter *metav1.Duration `json:"dataCenter,omitempty"`
}

// LostBudget bounds what automation moves.
type LostBudget struct {
	// instances that automation moves to one cluster within the time of per. Default: 100.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100000
	Instances int32 `json:"instances,omitempty"`
	// per is the time. Default: 1h.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1m') && duration(self) <= duration('168h')",message="per is at least 1m and at most 168h: leave it out for an hour"
	Per *metav1.Duration `json:"per,omitempty"`
}

// CauseKind says why a Placement was proposed.
//
// +kubebuilder:validation:Enum=Lost;Recovered;NoRoom
type CauseKind string

const (
	// CauseLost: a place is lost, and the instances that it held go elsewhere.
	CauseLost CauseKind = "Lost"
	// CauseRecovered: a place is back, and the instances that it held before return.
	CauseRecovered CauseKind = "Recovered"
	// CauseNoRoom: instances that were placed have no host, since their cell offers less than
	// was counted, and go elsewhere in their DCN.
	CauseNoRoom CauseKind = "NoRoom"
)

// LostKind is what is lost.
//
// +kubebuilder:validation:Enum=Rack;Cluster;DataCenter
type LostKind string

// What can be lost.
const (
	LostRack       LostKind = "Rack"
	LostCluster    LostKind = "Cluster"
	LostDataCenter LostKind = "DataCenter"
)

// Cause says why a Placement was proposed without a Release that asked for it.
type Cause struct {
	// kind says why.
	// +required
	Kind CauseKind `json:"kind"`
	// places that are lost, or are back. None for NoRoom. All of them are listed, as many as
	// the Placement in force may have cells: the way back and what is to be cut off go by them.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=4096
	Places []LostPlace `json:"places"`
	// waits are the instances that have no host, for NoRoom.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=4096
	Waits []RoomWait `json:"waits,omitempty"`
	// from is the Placement in force that the proposal starts from. Once another is in
	// force the proposal is of no use.
	// +required
	// +kubebuilder:validation:MaxLength=63
	From string `json:"from"`
	// policy is the PlacementPolicy by which it was proposed; "built-in" where none held.
	// +required
	// +kubebuilder:validation:MaxLength=253
	Policy string `json:"policy"`
	// gains says how many instances come to each cluster.
	// +optional
	// +listType=map
	// +listMapKey=cluster
	// +kubebuilder:validation:MaxItems=200
	Gains []ClusterGain `json:"gains,omitempty"`
	// check lists what a person makes sure of before a Release uses it; of many places the first
	// are named and the others counted.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=512
	Check []string `json:"check,omitempty"`
	// fence names the components that keep an identity, or run once only, and start elsewhere:
	// a Release with the proposal says how their old hosts were cut off (spec.fenced), or is
	// refused.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=16
	Fence []string `json:"fence,omitempty"`
	// proposedAt is when it was proposed.
	// +required
	ProposedAt metav1.Time `json:"proposedAt"`
}

// LostPlace is what is lost, or is back.
type LostPlace struct {
	// kind of it.
	// +required
	Kind LostKind `json:"kind"`
	// name of it. A rack is named "<data centre>/<rack>".
	// +required
	// +kubebuilder:validation:MaxLength=128
	Name string `json:"name"`
	// since when it is away, or back.
	// +required
	Since metav1.Time `json:"since"`
}

// RoomWait is instances of a component that have no host in their cell.
type RoomWait struct {
	// component that they are of.
	// +required
	// +kubebuilder:validation:MaxLength=16
	Component string `json:"component"`
	// cell in which they wait.
	// +required
	Cell Cell `json:"cell"`
	// seats that they sit on.
	// +required
	// +listType=set
	// +kubebuilder:validation:MaxItems=1000
	Seats []int32 `json:"seats"`
}

// ClusterGain is how many instances come to a cluster.
type ClusterGain struct {
	// cluster that they come to.
	// +required
	// +kubebuilder:validation:MaxLength=32
	Cluster string `json:"cluster"`
	// instances that come.
	// +required
	Instances int32 `json:"instances"`
}
