// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package build tells which version of the bank's services this binary is.
package build

// Version is set at link time, so that two images of one source differ
// visibly: -ldflags "-X github.com/fairway-cloud/fairway/examples/bank/services/build.Version=v2".
var Version = "dev"
