// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package house holds the tests that keep the house in order: every package
// says what it is, our API types read alike, and rooms use each other's doors.
package house
