// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
)

// ScoreName names a score by which the scheduler prefers one cell to another. What each
// counts is in docs/reference/placement-policy.md.
//
// +kubebuilder:validation:Enum=PreferredPool;SpreadOverZones;SpreadOverRacks;KnownCell;Profile;NearCalled;Room
type ScoreName string

// The scores.
const (
	// ScorePreferredPool prefers the pools that the application names first.
	ScorePreferredPool ScoreName = "PreferredPool"
	// ScoreSpreadOverZones prefers availability zones with fewer instances of the component.
	ScoreSpreadOverZones ScoreName = "SpreadOverZones"
	// ScoreSpreadOverRacks prefers racks with fewer instances of the component.
	ScoreSpreadOverRacks ScoreName = "SpreadOverRacks"
	// ScoreKnownCell prefers cells that the component has been in.
	ScoreKnownCell ScoreName = "KnownCell"
	// ScoreProfile keeps tags apart as the policy's pairs say (R53).
	ScoreProfile ScoreName = "Profile"
	// ScoreNearCalled prefers cells near the components that it calls.
	ScoreNearCalled ScoreName = "NearCalled"
	// ScoreRoom prefers the emptier hosts, or in a pool that packs the fuller ones.
	ScoreRoom ScoreName = "Room"
)

// PlacementPolicySpec says whom a policy holds for and what it tells the scheduler.
// What it leaves out is as the built-in policy has it.
type PlacementPolicySpec struct {
	// environments that the policy holds for, by name. A policy that names the
	// environment goes before one that names its class, and that before one that names
	// neither and holds everywhere; of several the first by name holds, alone.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=8
	Environments []string `json:"environments,omitempty"`
	// environmentClasses of the environments that the policy holds for, besides those
	// named.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=3
	EnvironmentClasses []tenancyv1.EnvironmentClass `json:"environmentClasses,omitempty"`
	// weights of the scores, where they differ from the built-in ones.
	// +optional
	// +listType=map
	// +listMapKey=score
	// +kubebuilder:validation:MaxItems=16
	Weights []Weight `json:"weights,omitempty"`
	// apart lists pairs of tags that do not go well together in one rack. They stand in
	// for the built-in pairs. To keep no tags apart give score Profile the weight 0.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Apart []Apart `json:"apart,omitempty"`
	// spareFrom is how many hosts a cell has at least that keeps one host's worth of room
	// free: whichever host is lost, its instances come back on the others. A cell of fewer
	// hosts keeps none, and may be filled. 0: no cell does. Default: 3.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	SpareFrom *int32 `json:"spareFrom,omitempty"`
	// surge is room that only successors of running instances may take, so that a
	// Release finds it. Default: none.
	// +optional
	Surge *Surge `json:"surge,omitempty"`
	// lost says what follows when a rack, a cluster or a data centre is lost. Left out:
	// proposals, after the default times.
	// +optional
	Lost *LostPolicy `json:"lost,omitempty"`
}

// Weight is how much a score counts.
type Weight struct {
	// score that the weight is for.
	// +required
	Score ScoreName `json:"score"`
	// weight that what the score counts is multiplied by. 0: it does not count.
	// +required
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=10000000
	Weight int64 `json:"weight"`
}

// Apart is the price of two instances in one rack of which one carries tag and the other
// carries other.
type Apart struct {
	// tag of one instance, for example "io-heavy".
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Tag string `json:"tag"`
	// other is the tag of the other one. With both the same, look-alikes keep apart.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Other string `json:"other"`
	// price of each such pair. The weight of score Profile multiplies it.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	Price int64 `json:"price"`
}

// Surge is room kept for successors. While a Release replaces instances side by side, old
// and new ones both hold room.
type Surge struct {
	// hostsPercent is how many of each hundred hosts of a pool in a data centre keep
	// their worth free, rounded up to whole hosts and spread over its racks. A rack never
	// keeps its last host. Components that ask for more or for larger instances than they
	// have find room beside it; all others may take it.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=50
	HostsPercent int32 `json:"hostsPercent"`
}

// PlacementPolicy says how the scheduler weighs cells and what room it keeps free (布局策略,
// R48, R53), and what follows a loss (R86). Weights and reserves hold for decisions from then
// on, and move nothing that runs; every Placement names the policy that it was decided with,
// and its content.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Cluster
// +kubebuilder:printcolumn:name="Environments",type=string,JSONPath=`.spec.environments`
// +kubebuilder:printcolumn:name="Classes",type=string,JSONPath=`.spec.environmentClasses`
// +kubebuilder:printcolumn:name="Spare from",type=integer,JSONPath=`.spec.spareFrom`
// +kubebuilder:printcolumn:name="Surge %",type=integer,JSONPath=`.spec.surge.hostsPercent`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name != 'built-in'",message="built-in is the policy that holds where no other does: choose another name"
type PlacementPolicy struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec PlacementPolicySpec `json:"spec"`
}

// PlacementPolicyList is a list of PlacementPolicies.
//
// +kubebuilder:object:root=true
type PlacementPolicyList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []PlacementPolicy `json:"items"`
}

// PolicyBuiltIn is the name of the policy that holds where no PlacementPolicy does.
const PolicyBuiltIn = "built-in"

// DecidedBy is the policy that a decision was made with, as it was then.
type DecidedBy struct {
	// name of the PlacementPolicy; "built-in" where none held.
	// +required
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// generation of the PlacementPolicy. Left out for the built-in one.
	// +optional
	Generation int64 `json:"generation,omitempty"`
	// digest of the weights, pairs and reserves below, "sha256:…".
	// +required
	// +kubebuilder:validation:MaxLength=80
	Digest string `json:"digest"`
	// weights of all scores.
	// +optional
	// +listType=map
	// +listMapKey=score
	// +kubebuilder:validation:MaxItems=32
	Weights []DecidedWeight `json:"weights,omitempty"`
	// apart lists the pairs of tags.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Apart []Apart `json:"apart,omitempty"`
	// spareFrom is from how many hosts on a cell kept one host's worth free. 0: none did.
	// +optional
	SpareFrom int32 `json:"spareFrom,omitempty"`
	// surgePercent is how many of each hundred hosts kept their worth free for
	// successors. 0: none did.
	// +optional
	SurgePercent int32 `json:"surgePercent,omitempty"`
}

// DecidedWeight is how much a score counted. Scores of other versions of Fairway may have
// other names.
type DecidedWeight struct {
	// score by name.
	// +required
	// +kubebuilder:validation:MaxLength=64
	Score string `json:"score"`
	// weight that it had.
	// +required
	Weight int64 `json:"weight"`
}
