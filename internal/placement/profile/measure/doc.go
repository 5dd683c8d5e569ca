// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package measure asks Prometheus what TagRules want to know of the components that run
// (R51), and keeps what each rule knows of each of them. What follows of an answer is
// decided by package profile. Without an answer nothing changes but how old the last
// good one is shown to be.
//
// Which Prometheus knows which clusters is in a file of the server, never in an object:
// it names addresses, and files with credentials. Nothing but the networks that it names
// is dialled.
package measure
