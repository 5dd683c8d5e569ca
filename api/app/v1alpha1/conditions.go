// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package v1alpha1

// Condition types of an Application.
const (
	// ConditionReady sums up: what the released Revision asks for runs and is ready.
	ConditionReady = "Ready"
	// ConditionStalled is true when a person is needed; the message says for what.
	ConditionStalled = "Stalled"
	// ConditionRevised is true when the current spec has become a Revision.
	ConditionRevised = "Revised"
	// ConditionReleased is true when the latest Revision is the one in service.
	ConditionReleased = "Released"
)

// Reasons of the conditions Revised and Stalled.
const (
	// ReasonRevised: the spec has become the Revision that the message names.
	ReasonRevised = "Revised"
	// ReasonChecksFailed: go-live checks found errors; correct the spec.
	ReasonChecksFailed = "ChecksFailed"
	// ReasonImageNotFound: the registry does not have an image; push it or correct the name.
	ReasonImageNotFound = "ImageNotFound"
	// ReasonRegistryUnreachable: the registry did not answer; it is asked again.
	ReasonRegistryUnreachable = "RegistryUnreachable"
	// ReasonReferenceMissing: the spec names a level, class or zone that does not exist.
	ReasonReferenceMissing = "ReferenceMissing"
	// ReasonContentTooLarge: the snapshot is larger than a Revision can hold.
	ReasonContentTooLarge = "ContentTooLarge"
)
