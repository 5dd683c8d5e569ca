// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package v1alpha1 holds the kinds of the approval room: which acts need whose
// agreement, who agreed to what, and when changes may happen.
//
// +kubebuilder:object:generate=true
// +groupName=approval.fairway.cloud
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var (
	// GroupVersion is the group and version of every kind in this package.
	GroupVersion = schema.GroupVersion{Group: "approval.fairway.cloud", Version: "v1alpha1"}

	// SchemeBuilder collects the kinds of this package.
	SchemeBuilder = runtime.NewSchemeBuilder(addKnownTypes)

	// AddToScheme adds the kinds of this package to a scheme.
	AddToScheme = SchemeBuilder.AddToScheme
)

func addKnownTypes(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion,
		&ApprovalPolicy{}, &ApprovalPolicyList{},
		&ApprovalRequest{}, &ApprovalRequestList{},
		&Decision{}, &DecisionList{},
		&Delegation{}, &DelegationList{},
		&ChangeCalendar{}, &ChangeCalendarList{},
		&Freeze{}, &FreezeList{},
	)
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
