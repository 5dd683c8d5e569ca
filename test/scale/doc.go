// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package scale proves, on real members with simulated hosts, what holds only where there
// are many of them.
package scale
