// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package placement decides where the instances of an application run (R48,
// R49): how many of each component, and which seats, in which cell of the
// whole fleet, and why. It is pure: Place gets a Snapshot of the fleet and a
// Request, and returns a Decision that prints the same whatever the order of
// what it was given.
//
// A cell is cluster × pool × zone × rack × DCN. Filters, in the order of
// Filters(), say which cells may take a component's instances; scores, in the
// order of Scores(), say which of them takes the next one. The counts that the
// Revision names per DCN are met exactly or the whole Request is refused with
// the numbers that are missing: half a placement helps nobody.
//
// Least disruption comes first: seats stay where they are as long as their
// cell may take them, also while their cluster is away. Numbers are kept too:
// each component owns a block of 1,000 seat numbers per cell, for good, and
// takes the lowest free ones.
//
// Room is counted host by host and for the worst order in which a member's own
// scheduler may fill the hosts. What is reserved counts, whether it runs yet or
// not; while a Release replaces instances, old and new ones both hold room.
package placement
