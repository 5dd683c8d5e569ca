// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package fleet decides about member clusters and their hosts: which
// credentials may be used to reach a member (R01), which pool owns a host and
// how it is marked (R03, R04, R07), how much room a pool has rack by rack, and
// which rules keep foreign pods off a pool.
//
// It touches nothing: controller/ and join/ carry its decisions out.
package fleet
