// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package index finds evidence. It follows the log from where it stopped, joins
// the intent and the outcome of each act into one row of SQL, and answers who did
// what, where and when. Everything in it is derived: a damaged index is thrown
// away and made anew from the log, and what it says is shown with how much of the
// log it has read.
package index
