// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package obey has real members' own schedulers start what was placed through Fairway's API,
// and looks whether they do what the placement promises.
package obey
