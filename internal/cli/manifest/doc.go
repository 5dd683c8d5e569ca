// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package manifest reads the files that people apply: several documents per
// file, folders, standard input. What it reads it holds to the kinds and schemas
// that the server tells, finds all mistakes rather than the first, and puts the
// objects into the order in which they depend on each other.
package manifest
