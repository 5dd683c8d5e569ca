// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package lost decides what follows when a rack, a cluster or a data centre is lost, and
// when it is back (R86). It is pure: Decide gets what was seen and returns what to do, with
// the reasons of what is held back.
//
// A host that is lost is its member's matter: instances come back inside their cell. A
// place that is lost leads to a proposal: a Placement that reserves room elsewhere and that
// no Release uses yet. A person starts a Release with it; where the policy says so,
// automation does, and the Gate decides as about any other.
//
// What cannot be reached may run happily: being away is not being gone. So a place counts
// as lost only after a time, a proposal says what may run twice and what to make sure of,
// and nothing that keeps an identity or runs once only is ever moved by automation.
//
// Automation holds, and says why, when a Brake is set, when too many hosts of the
// environment are sick, when every cluster of it is away (then more likely the hub is),
// when what is known of an application is in doubt, and when the budget of a target
// cluster is used up. Proposals move nothing and go on.
package lost
