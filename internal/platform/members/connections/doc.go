// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package connections keeps the connections to member clusters: one goroutine
// and one context for each, so that a member that hangs holds up no other.
//
// Connect says that a member is wanted and with which credentials; the
// connection is then made, watched and made again until Disconnect:
//
//	wanted ──▶ probe (version, identity, what is served) ──▶ cache ──▶ engaged
//	   ▲                                                                 │
//	   └── back-off ◀── context ends ◀── a probe fails three times ◀─────┘
//
// New credentials or another address end a connection and begin a new one; the
// same ones change nothing.
package connections
