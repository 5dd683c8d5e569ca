// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// MachineImportSpec is what one source says of one application's instances on virtual
// machines.
//
// +kubebuilder:validation:XValidation:rule="self.application == oldSelf.application && self.source == oldSelf.source",message="application and source stay: make another MachineImport"
type MachineImportSpec struct {
	// application whose instances these are, in the same namespace.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=24
	Application string `json:"application"`
	// source that says so, such as "cmdb". Two sources that name one instance contradict
	// each other, which blocks automation.
	// +required
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Source string `json:"source"`
	// observedAt is when the source saw it so.
	// +required
	ObservedAt metav1.Time `json:"observedAt"`
	// validFor is for how long that may be relied on, such as "24h". Afterwards the
	// instances still count, and whatever acts by itself keeps off the application.
	// Default: 24h.
	// +optional
	// +kubebuilder:default="24h"
	ValidFor metav1.Duration `json:"validFor,omitempty"`
	// instances that run on virtual machines. None: the source knows of none any more.
	// +required
	// +listType=map
	// +listMapKey=component
	// +listMapKey=seat
	// +kubebuilder:validation:MaxItems=1000
	Instances []MachineInstance `json:"instances"`
}

// MachineInstance is an instance on a virtual machine.
type MachineInstance struct {
	// component that it runs.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=16
	Component string `json:"component"`
	// seat is the number of the instance in the bank's CMDB, from 1. Containers of the
	// component get no number of the thousand in which it lies.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=999999
	Seat int32 `json:"seat"`
	// dcn that it serves.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	DCN string `json:"dcn"`
	// dataCenter that it runs in.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	DataCenter string `json:"dataCenter"`
	// rack of its host.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	Rack string `json:"rack"`
	// host is the name of the virtual machine.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Host string `json:"host"`
	// address is its IP address.
	// +required
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=45
	Address string `json:"address"`
}

// MachineImportStatus says whether the data may be relied on.
type MachineImportStatus struct {
	// conditions: Ready says whether the data may be relied on.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// instances by number.
	// +optional
	Instances int32 `json:"instances"`
}

// ConditionReady says whether what the source said may be relied on.
const ConditionReady = "Ready"

// Reasons of the condition Ready of a MachineImport.
const (
	// ReasonCurrent: the data are recent and contradict nothing.
	ReasonCurrent = "Current"
	// ReasonStale: nobody has confirmed them for too long: import them again.
	ReasonStale = "Stale"
	// ReasonContradicted: another source, or a Placement, gives the same number away.
	ReasonContradicted = "Contradicted"
)

// MachineImport is what one source, such as the bank's CMDB, says of an application's
// instances that still run on virtual machines (R50). They count towards the number per
// DCN and the spread over racks, and take no room of a pool. Fairway changes nothing on
// those machines.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:printcolumn:name="Application",type=string,JSONPath=`.spec.application`
// +kubebuilder:printcolumn:name="Source",type=string,JSONPath=`.spec.source`
// +kubebuilder:printcolumn:name="Instances",type=integer,JSONPath=`.status.instances`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Observed",type=date,JSONPath=`.spec.observedAt`
// +kubebuilder:validation:XValidation:rule="self.metadata.name == self.spec.application + '.' + self.spec.source",message="the name is <application>.<source>, so that a source speaks once of an application"
type MachineImport struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec MachineImportSpec `json:"spec"`
	// +optional
	Status MachineImportStatus `json:"status,omitempty"`
}

// MachineImportList is a list of MachineImports.
//
// +kubebuilder:object:root=true
type MachineImportList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []MachineImport `json:"items"`
}
