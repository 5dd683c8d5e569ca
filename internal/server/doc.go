// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package server holds the handlers of the REST API and puts them into one route
// table. One generic set serves every kind from its definition; special verbs
// (check, diff, join, logs, instances, events) are written on top; /hub lets
// kubectl through under the person's own name.
//
// Reads are filtered by what the hub's RBAC lets the person list; writes are
// calls to the hub that impersonate the person. A foreign object answers exactly
// as a missing one.
package server

//go:generate go test -short -run TestOpenAPIIsCurrent -update .
