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
	// ConditionFits is there only while part of the fleet is lost, or instances wait for
	// room, and instances of the application find no place elsewhere: it is false then, and
	// the message counts them. Once they have a place, or the loss is over, it is gone.
	ConditionFits = "Fits"
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
	// ReasonRegistryRefused: an image names a registry that is not one of the platform's, or
	// no registry at all; correct it.
	ReasonRegistryRefused = "RegistryRefused"
	// ReasonRegistryDenied: the registry does not let Fairway read an image; give the server a
	// login that may.
	ReasonRegistryDenied = "RegistryDenied"
	// ReasonImageUnreadable: the registry gives something that is no image or not what its
	// digest promises; push the image again.
	ReasonImageUnreadable = "ImageUnreadable"
	// ReasonNotFrozen: the spec could not be frozen; the message says what to correct.
	ReasonNotFrozen = "NotFrozen"
	// ReasonContentTooLarge: the snapshot is larger than a Revision can hold.
	ReasonContentTooLarge = "ContentTooLarge"
)

// Reasons of the conditions Released and Ready.
const (
	// ReasonReleased: the latest Revision is in service.
	ReasonReleased = "Released"
	// ReasonNotReleased: the latest Revision waits for a Release; start one.
	ReasonNotReleased = "NotReleased"
	// ReasonNeverReleased: no Revision has been released yet; start a Release.
	ReasonNeverReleased = "NeverReleased"
	// ReasonReady: every instance that is wanted is ready.
	ReasonReady = "Ready"
	// ReasonInstancesMissing: fewer instances are ready than wanted; the message counts them.
	ReasonInstancesMissing = "InstancesMissing"
	// ReasonNotObserved: a cluster does not report now, so that nobody knows; the message names it.
	ReasonNotObserved = "NotObserved"
	// ReasonNothingStalled: nobody is needed.
	ReasonNothingStalled = "NothingStalled"
)

// Reasons of the condition Fits.
const (
	// ReasonWouldNotFit: the places that may take the instances have too little room or
	// quota; the message says how much lacks.
	ReasonWouldNotFit = "WouldNotFit"
	// ReasonNowhereElse: no other place may take the instances: their volumes do not move, what
	// keeps an identity waits for a host, or their DCN has no partner.
	ReasonNowhereElse = "NowhereElse"
)
