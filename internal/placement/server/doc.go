// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package server answers what would follow of a change of the fleet, and how full
// pools are. It writes nothing.
package server
