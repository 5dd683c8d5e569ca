// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package v1alpha1 holds the kinds of the placement room: the scheduler's decisions
// and what it is told.
//
// +kubebuilder:object:generate=true
// +groupName=placement.fairway.cloud
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var (
	// GroupVersion is the group and version of every kind in this package.
	GroupVersion = schema.GroupVersion{Group: "placement.fairway.cloud", Version: "v1alpha1"}

	// SchemeBuilder collects the kinds of this package.
	SchemeBuilder = runtime.NewSchemeBuilder(addKnownTypes)

	// AddToScheme adds the kinds of this package to a scheme.
	AddToScheme = SchemeBuilder.AddToScheme
)

func addKnownTypes(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion,
		&Placement{}, &PlacementList{},
		&PlacementPolicy{}, &PlacementPolicyList{},
		&Profile{}, &ProfileList{},
		&TagRule{}, &TagRuleList{},
		&MachineImport{}, &MachineImportList{},
		&Brake{}, &BrakeList{},
	)
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
