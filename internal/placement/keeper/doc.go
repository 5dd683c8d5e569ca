// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package keeper keeps one Fleet for the scheduler up to date (R48): it follows what
// the hub says of the fleet, of what is known of applications and of Placements, and
// takes over its own writes at once. Its state can be had again at any time from
// Placements and observation alone.
package keeper
