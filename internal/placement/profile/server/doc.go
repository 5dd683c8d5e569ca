// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package server takes tags in that a CMDB, or whatever finds profiles, gives back: a CSV
// or JSON file, all or nothing, written as the person who brings it (R51).
package server
