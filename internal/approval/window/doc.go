// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package window decides whether a change may happen at a moment: from the
// calendars that a policy names, and from the freezes and running batches that
// hold for what is changed.
//
// A calendar that is not there or cannot be read is closed. Calendars hold
// together: the moment is open where each of them is. Of a freeze it counts whom
// it names; an act that leaves open whom it touches is taken to touch them all.
//
// Clock times are those of the calendar's zone. Where clocks go forward over a
// time, the moment at which they do counts for it. Where a time comes twice,
// everything begins at the first; a window ends at the first, a closed period at
// the second: a doubtful hour is a closed one.
//
// The package is pure: the time comes in as an argument. The rules of time zones
// are those of the machine, or, where it has none, those in the binary.
package window
