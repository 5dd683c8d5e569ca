// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Revision is the frozen snapshot of an Application: images resolved to digests,
// configuration included, hardening and availability rules as they were, makers recorded.
// Its name is "<application>-<first 10 hex digits of the digest>". It never changes.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,categories=fairway
// +kubebuilder:printcolumn:name="Application",type=string,JSONPath=`.spec.application`
// +kubebuilder:printcolumn:name="Digest",type=string,JSONPath=`.spec.digest`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name == self.spec.application + '-' + self.spec.digest.substring(7, 17)",message="a Revision is named <application>-<first 10 hex digits of its digest>"
type Revision struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is the snapshot.
	// +required
	Spec RevisionSpec `json:"spec"`

	// status holds facts about the snapshot, never the snapshot itself.
	// +optional
	Status RevisionStatus `json:"status,omitempty"`
}

// RevisionList is a list of Revisions.
//
// +kubebuilder:object:root=true
type RevisionList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Revision `json:"items"`
}

// RevisionSpec is the snapshot with its digest.
//
// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="a Revision never changes; change the Application and make a new one"
type RevisionSpec struct {
	// application is the name of the Application it was made from, in the same namespace.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=24
	// +required
	Application string `json:"application"`

	// content is the snapshot as canonical JSON (RFC 8785), without schema defaults. Whoever
	// relies on it recomputes the digest over exactly these bytes.
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=1000000
	// +required
	Content string `json:"content"`

	// digest is "sha256:" and 64 hex digits over content.
	// +kubebuilder:validation:MinLength=71
	// +kubebuilder:validation:MaxLength=71
	// +kubebuilder:validation:Pattern=`^sha256:[0-9a-f]{64}$`
	// +required
	Digest string `json:"digest"`

	// makers are the person ids of everyone who wrote the Application since the last
	// released Revision. None of them may approve its Release (R73).
	// +kubebuilder:validation:MaxItems=100
	// +kubebuilder:validation:items:MaxLength=128
	// +listType=set
	// +optional
	Makers []string `json:"makers,omitempty"`
}

// RevisionStatus holds facts about a Revision.
type RevisionStatus struct {
	// conditions are the facts, for example Verified: the digest was recomputed and agrees.
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}
