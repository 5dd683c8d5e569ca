// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package v1alpha1 holds the kinds of the app room: Application, the bank's own model
// of what shall run, and Revision, its frozen, digested snapshot.
//
// +kubebuilder:object:generate=true
// +groupName=app.fairway.cloud
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is the API group and version of the app room.
var GroupVersion = schema.GroupVersion{Group: "app.fairway.cloud", Version: "v1alpha1"}

var (
	// SchemeBuilder collects what AddToScheme registers.
	SchemeBuilder = runtime.NewSchemeBuilder(addKnownTypes)
	// AddToScheme registers the kinds of this package in a scheme.
	AddToScheme = SchemeBuilder.AddToScheme
)

func addKnownTypes(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion,
		&Application{}, &ApplicationList{},
		&Revision{}, &RevisionList{},
	)
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
