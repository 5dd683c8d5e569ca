// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package e2e tests the whole of Fairway on a sandbox of its own: real API
// servers, kubelets and containers, driven by the commands that people type.
// It needs root and containerd, and says so where they are missing.
package e2e
