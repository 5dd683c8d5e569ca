// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package controller makes the approval requests for Releases and reports how far
// they are. What it reports decides nothing: the Gate judges anew.
package controller
