// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// GroupMappingSpec says what belonging to a group means.
// +kubebuilder:validation:XValidation:rule="has(self.groups) && size(self.groups) > 0 || has(self.duty) && self.duty != 'None'",message="a mapping gives groups, or a duty, or both"
type GroupMappingSpec struct {
	// from is the group as a way of logging in names it, such as
	// "CN=cloud-ops,OU=groups,DC=bank,DC=example".
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[^\p{C}\p{Zl}\p{Zp}]+$`
	From string `json:"from"`
	// groups that everybody in it belongs to as well. Tenants bind them to roles. Groups
	// of Kubernetes ("system:") and of Fairway ("fairway:") are refused.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	// +kubebuilder:validation:items:Pattern=`^[^\p{C}\p{Zl}\p{Zp}]+$`
	// +kubebuilder:validation:XValidation:rule="self.all(g, !g.startsWith('system:') && !g.startsWith('fairway:'))",message="groups that begin with 'system:' or 'fairway:' belong to Kubernetes and to the platform: name a group of the bank, or set the duty"
	Groups []string `json:"groups,omitempty"`
	// duty that everybody in it has: None, System, Security or Audit. Whoever gets a
	// second one by it, or beside the one of his Person, is refused at login.
	// Default: None.
	// +optional
	// +kubebuilder:default=None
	Duty Duty `json:"duty,omitempty"`
}

// GroupMapping says what a group of the bank's directory means here: further
// groups, or one of the platform's three duties. Groups without a mapping keep
// their names.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Cluster
// +kubebuilder:printcolumn:name="From",type=string,JSONPath=`.spec.from`
// +kubebuilder:printcolumn:name="Groups",type=string,JSONPath=`.spec.groups`
// +kubebuilder:printcolumn:name="Duty",type=string,JSONPath=`.spec.duty`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type GroupMapping struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec GroupMappingSpec `json:"spec"`
}

// GroupMappingList is a list of GroupMappings.
//
// +kubebuilder:object:root=true
type GroupMappingList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []GroupMapping `json:"items"`
}
