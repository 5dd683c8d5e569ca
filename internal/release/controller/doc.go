// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package controller carries Releases out: it observes, has release.Plan decide,
// writes, and reports. Only the leader runs it.
package controller
