// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package app thinks about the bank's applications: it freezes an Application into the
// content of a Revision, compares two contents in words, checks whether an application may
// go live, and renders a Revision for what a member cluster serves.
//
//	Application --Freeze--> Content (canonical, digested) --Render--> objects for one member
//
// The model outlives Kubernetes (R36): the content of a Revision names nothing of it, and
// what a member's version cannot express is a reason in the output, never dropped silently.
//
// The package is pure: no client, clock, disk, network or randomness. The same input gives
// the same bytes.
package app
