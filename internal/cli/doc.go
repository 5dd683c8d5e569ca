// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package cli is the command line of Fairway: nouns are rooms or kinds, verbs are
// kubectl's, and everything goes through the REST API.
package cli
