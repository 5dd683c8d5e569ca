// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package delivery decides which writes bring one application in one member
// cluster from what is there to what its Delivery wishes (下发).
//
// Words:
//
//   - A wish is the Delivery with the objects of its renderings, parsed and
//     checked (Read).
//   - The inventory is what Fairway has made, or is about to make, for the
//     application in the member. It lives in the member, so that a hub set back
//     to an old snapshot meets what the newer hub did.
//   - Drift is a change to one of our objects by somebody else.
//   - A seat is a numbered instance; pods come and go on it.
//
// The order of acts, each safe to repeat, so that a process killed between any
// two of them is followed by one that goes on:
//
//	namespace → inventory (intended) → shared objects → new workloads →
//	other workloads → labels on pods → restarts → removals → inventory (results)
//
// What it refuses to do: take over an object that somebody else made, apply
// bytes whose digest is not the approved one, apply anything outside the
// application's namespace, delete because something could not be read, write
// where a newer release or hub has been, remove volume claims before the
// application is retired.
package delivery
