// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package bundle holds the tests of `make bundle`: what hack/build.sh takes
// from an unpacked bundle and what it refuses, and whether an archive in dist/
// is whole. It needs no network and runs within seconds.
package bundle
