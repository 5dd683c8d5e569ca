// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package itsm lets a system of the bank, such as its ITSM, take part in approvals
// (R75): requests go out to it, its verdicts come in.
//
// Both directions are signed JSON (docs/howto/connect-itsm.md). A request goes out
// at least once: it waits in the outbox until the system has taken it, and carries
// the same id each time. A verdict comes in through the API under the system's
// machine account, signed as well, within five minutes of its signature and once.
// It becomes a Decision of author "itsm:<system>", made in the name of the person
// who agreed over there, and counts by the Gate's rules like any other.
//
// What a verdict cannot do: speak of another plan than the request states, of a
// request whose policy does not ask the system, or of one that is closed.
package itsm
