// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ApplicationStatus is what Fairway observed.
type ApplicationStatus struct {
	// conditions are the facts: Ready sums up, Stalled needs a person, Revised says that the
	// spec has become a Revision, Released says that the latest Revision is in service, Fits
	// is false while instances that a loss took, or that wait for room, find no place.
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// observedGeneration is the generation of the spec that this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// latestRevision is the newest Revision made from the spec.
	// +kubebuilder:validation:MaxLength=63
	// +optional
	LatestRevision string `json:"latestRevision,omitempty"`

	// releasedRevision is the Revision that the last finished Release brought into service.
	// +kubebuilder:validation:MaxLength=63
	// +optional
	ReleasedRevision string `json:"releasedRevision,omitempty"`

	// activeRelease is the Release that holds the application now; there is at most one.
	// +kubebuilder:validation:MaxLength=63
	// +optional
	ActiveRelease string `json:"activeRelease,omitempty"`

	// releaseSequence counts the Releases of this application; it only grows.
	// +optional
	ReleaseSequence int64 `json:"releaseSequence,omitempty"`

	// running counts instances per component and DCN.
	// +kubebuilder:validation:MaxItems=2048
	// +listType=atomic
	// +optional
	Running []RunningCount `json:"running,omitempty"`

	// onMachines counts the instances that still run on virtual machines, as MachineImports
	// tell of them (R50). Absent: none is known of.
	// +optional
	OnMachines *OnMachines `json:"onMachines,omitempty"`

	// findings are what the go-live checks say about the spec (R47).
	// +kubebuilder:validation:MaxItems=100
	// +listType=atomic
	// +optional
	Findings []Finding `json:"findings,omitempty"`

	// notCarriedOut lists fields that are stored and checked, but which this version of
	// Fairway does not carry out yet.
	// +kubebuilder:validation:MaxItems=100
	// +listType=atomic
	// +optional
	NotCarriedOut []NotCarriedOut `json:"notCarriedOut,omitempty"`
}

// RunningCount counts the instances of one component in one DCN.
type RunningCount struct {
	// component is the component's name.
	// +required
	Component ComponentName `json:"component"`

	// dcn is the DCN's name.
	// +kubebuilder:validation:MaxLength=32
	// +required
	DCN string `json:"dcn"`

	// wanted is how many instances the released Revision and Placement ask for.
	// +required
	Wanted int32 `json:"wanted"`

	// ready is how many are ready.
	// +required
	Ready int32 `json:"ready"`
}

// OnMachines counts the instances of an application that still run on virtual machines.
type OnMachines struct {
	// instances in all. A number that two sources name counts once.
	// +required
	Instances int32 `json:"instances"`

	// counts by component and source.
	// +kubebuilder:validation:MaxItems=2048
	// +listType=atomic
	// +optional
	Counts []MachineCount `json:"counts,omitempty"`
}

// MachineCount counts the instances of one component on virtual machines that one source
// tells of.
type MachineCount struct {
	// component is the component's name.
	// +kubebuilder:validation:MaxLength=16
	// +required
	Component string `json:"component"`

	// source that says so, such as "cmdb".
	// +kubebuilder:validation:MaxLength=32
	// +required
	Source string `json:"source"`

	// instances that it tells of.
	// +required
	Instances int32 `json:"instances"`

	// observedAt is when the source saw it so.
	// +required
	ObservedAt metav1.Time `json:"observedAt"`

	// validUntil is until when that may be relied on. Afterwards the instances still count,
	// and whatever acts by itself keeps off the application.
	// +required
	ValidUntil metav1.Time `json:"validUntil"`
}

// Severity is how heavy a finding is.
//
// +kubebuilder:validation:Enum=Error;Warning
type Severity string

const (
	// SeverityError prevents a Revision.
	SeverityError Severity = "Error"
	// SeverityWarning is shown and prevents nothing.
	SeverityWarning Severity = "Warning"
)

// Finding is something that a go-live check found.
type Finding struct {
	// severity is Error or Warning.
	// +required
	Severity Severity `json:"severity"`

	// rule is the check's name, for example "MissingProbe".
	// +kubebuilder:validation:MaxLength=63
	// +required
	Rule string `json:"rule"`

	// component is the component concerned; empty for the whole application.
	// +kubebuilder:validation:MaxLength=16
	// +optional
	Component string `json:"component,omitempty"`

	// message says what to change.
	// +kubebuilder:validation:MaxLength=1024
	// +required
	Message string `json:"message"`
}

// NotCarriedOut is a field that waits for a later version.
type NotCarriedOut struct {
	// field is the path within spec.
	// +kubebuilder:validation:MaxLength=256
	// +required
	Field string `json:"field"`

	// reason says what will carry it out, and what happens meanwhile.
	// +kubebuilder:validation:MaxLength=512
	// +required
	Reason string `json:"reason"`
}
