// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package placing measures how fast applications are placed through a real hub.
package placing
