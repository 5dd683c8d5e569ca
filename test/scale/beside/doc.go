// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package beside measures Fairway's Placer beside Karmada's scheduler: how fast each decides
// and writes where applications run, on API servers of the same kind, in turn.
package beside
