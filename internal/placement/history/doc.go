// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package history remembers what each pool held, day by day, in the server's database
// (R06). Placements cannot tell: those that are given back are deleted after a while, and
// what is left of them looks like growth.
//
// Each day (UTC) is recorded once, by the first look of the server that leads, and never
// changed. A day on which nobody could look is left out: nobody invents what it held.
package history
