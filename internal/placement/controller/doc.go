// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package controller is the scheduler's hands: it gathers the fleet from the
// hub's objects, has placement.Place decide, stores the decision as a Placement,
// and lets go of reservations that nobody uses.
package controller
