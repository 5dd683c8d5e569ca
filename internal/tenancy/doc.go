// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package tenancy decides what a tenant gets: its namespaces, the bindings of its
// roles, and whether its quota has room.
package tenancy
