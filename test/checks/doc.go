// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package checks holds the list of the checks by which Fairway refuses, and shows of
// each that a test fails once it is taken away: the packages are built anew with each
// check behind a switch, by an overlay that no binary but those of this test is built
// with, and the named test is run without the one check. A check that is moved or
// written otherwise has to be named anew; one that no test misses fails.
package checks
