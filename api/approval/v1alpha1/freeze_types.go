// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// FreezeKind says why nothing changes.
// +kubebuilder:validation:Enum=Freeze;Batch;Protection
type FreezeKind string

const (
	// FreezeOrdered is a freeze that somebody ordered (封网).
	FreezeOrdered FreezeKind = "Freeze"
	// FreezeBatch is a running batch: the bank's scheduler makes it when the batch
	// begins and ends it when the batch has ended.
	FreezeBatch FreezeKind = "Batch"
	// FreezeProtection is a special protection period (重保).
	FreezeProtection FreezeKind = "Protection"
)

// FreezeScope says what a freeze holds for: what all given lists name.
type FreezeScope struct {
	// environments that are frozen. Empty: all.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=8
	Environments []string `json:"environments,omitempty"`
	// tenants that are frozen. Empty: all.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=20
	Tenants []string `json:"tenants,omitempty"`
	// applications that are frozen, by name. Empty: all.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=24
	Applications []string `json:"applications,omitempty"`
}

// FreezeSpec says what does not change, and how long. All of it is fixed when the
// freeze is made, except that it can be ended.
// +kubebuilder:validation:XValidation:rule="self.scope == oldSelf.scope && self.kind == oldSelf.kind && self.from == oldSelf.from && self.reason == oldSelf.reason && has(self.to) == has(oldSelf.to) && (!has(self.to) || self.to == oldSelf.to) && has(self.ticket) == has(oldSelf.ticket) && (!has(self.ticket) || self.ticket == oldSelf.ticket)",message="a freeze does not change: end it, and start another one"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.ended) || (has(self.ended) && self.ended == oldSelf.ended)",message="the freeze was ended: start another one"
// +kubebuilder:validation:XValidation:rule="!has(self.to) || self.from < self.to",message="the freeze ends before it begins: exchange from and to"
type FreezeSpec struct {
	// kind says why nothing changes. Default: Freeze.
	// +optional
	// +kubebuilder:default=Freeze
	Kind FreezeKind `json:"kind,omitempty"`
	// scope says what is frozen. Default: everything.
	// +optional
	// +kubebuilder:default={}
	Scope FreezeScope `json:"scope,omitzero"`
	// from is when the freeze begins.
	// +required
	From metav1.Time `json:"from"`
	// to is when the freeze ends by itself. Empty: it holds until it is ended.
	// +optional
	To *metav1.Time `json:"to,omitempty"`
	// reason why nothing changes, as whoever is refused reads it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="!self.matches('[\\x00-\\x1f\\x7f\\u202a-\\u202e\\u2066-\\u2069]')",message="the reason is one line of text without control characters: write it on one line"
	Reason string `json:"reason"`
	// ticket of the change process.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Ticket string `json:"ticket,omitempty"`
	// ended is when somebody ended the freeze. It is set once. A freeze that is
	// ended before it begins never holds.
	// +optional
	Ended *metav1.Time `json:"ended,omitempty"`
}

// Freeze keeps changes from happening (封网): until a moment, or until it is ended.
// Stop, pause, drain and the way back to the revision before are never frozen.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Cluster
// +kubebuilder:printcolumn:name="Kind",type=string,JSONPath=`.spec.kind`
// +kubebuilder:printcolumn:name="Environments",type=string,JSONPath=`.spec.scope.environments`
// +kubebuilder:printcolumn:name="From",type=string,JSONPath=`.spec.from`
// +kubebuilder:printcolumn:name="To",type=string,JSONPath=`.spec.to`
// +kubebuilder:printcolumn:name="Ended",type=string,JSONPath=`.spec.ended`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.spec.reason`
// +kubebuilder:printcolumn:name="Tenants",type=string,JSONPath=`.spec.scope.tenants`,priority=1
// +kubebuilder:printcolumn:name="Applications",type=string,JSONPath=`.spec.scope.applications`,priority=1
type Freeze struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec FreezeSpec `json:"spec"`
}

// FreezeList is a list of Freezes.
//
// +kubebuilder:object:root=true
type FreezeList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Freeze `json:"items"`
}
