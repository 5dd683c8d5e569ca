// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package print shows what the server answers: tables whose columns fit wide
// characters, ages, and values found by path. What came over the network is
// stripped of control characters before it reaches a terminal.
package print
