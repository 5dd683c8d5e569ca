// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package inventory publishes which instances there are and where, seat by seat, for the
// bank's CMDB (R54): a list that is read through the API, and signed messages that say what
// changed.
//
// Every change of a seat gets the next number of one sequence, which is durable before
// anybody learns of the change. A reader that remembers the last number it has seen asks
// for what came after it, and misses nothing. A seat that is gone stays in the list as gone.
//
// Absence of data is no change: a seat is gone when a Placement or an import says so, never
// because neither could be found; host and address stay what they were last seen to be.
package inventory
