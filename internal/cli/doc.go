// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package cli is the command line's own work: finding the server, calling the
// REST API, reading files, and showing objects. It knows no kinds: kinds,
// columns and schemas come from the server, so that a new kind works at once.
package cli
