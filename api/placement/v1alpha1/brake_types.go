// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// BrakeSpec says what is stopped, who stopped it and why. It is fixed when the Brake is
// set; later it can only be released, once.
//
// +kubebuilder:validation:XValidation:rule="self.by == oldSelf.by && self.reason == oldSelf.reason && has(self.environments) == has(oldSelf.environments) && (!has(self.environments) || self.environments == oldSelf.environments)",message="a brake does not change once set, except that it is released: set another one"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.released) || has(self.released) && self.released == oldSelf.released",message="a brake that was released stays so: set another one"
type BrakeSpec struct {
	// environments in which automation is stopped. Empty: all.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=8
	Environments []string `json:"environments,omitempty"`
	// reason why, for whoever finds automation stopped.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Reason string `json:"reason"`
	// by is the person who set it, or "fairway" where a guard did. The API sets it to the
	// authenticated person; admission refuses another.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	By string `json:"by"`
	// released says that it holds no more, who released it and why.
	// +optional
	Released *BrakeRelease `json:"released,omitempty"`
}

// BrakeRelease says who released a brake, when and why.
type BrakeRelease struct {
	// by is the person who released it. Admission refuses another.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	By string `json:"by"`
	// reason why automation may go on.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Reason string `json:"reason"`
	// at is when.
	// +required
	At metav1.Time `json:"at"`
}

// Brake stops automation (急停, R86): while one holds, Fairway starts no Release by itself
// after a loss or for lack of room, and those that it started take no further step. Releases
// that people started go on, and so do those that carry out a person's change by
// releasePolicy Automatic (R63). Anybody may set one; releasing it is a right of its own. It
// stays on record: it is released, not deleted.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Cluster
// +kubebuilder:printcolumn:name="Environments",type=string,JSONPath=`.spec.environments`
// +kubebuilder:printcolumn:name="By",type=string,JSONPath=`.spec.by`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.spec.reason`
// +kubebuilder:printcolumn:name="Released",type=string,JSONPath=`.spec.released.at`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type Brake struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec BrakeSpec `json:"spec"`
}

// BrakeList is a list of Brakes.
//
// +kubebuilder:object:root=true
type BrakeList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Brake `json:"items"`
}
