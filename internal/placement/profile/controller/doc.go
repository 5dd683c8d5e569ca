// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package controller writes the Profiles of applications: it gathers what the
// Application, imports and measurements say, has package profile combine it, and stores
// what came of it where that differs.
package controller
