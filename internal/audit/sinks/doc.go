// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package sinks passes evidence on to the bank's own systems as it is written: by
// syslog (RFC 5424 over TLS) and to webhooks. Each sink reads the log from a
// position of its own, which is on disk and moves only once the receiver has what
// was sent: every record arrives at least once, a receiver that is slow or away
// keeps nobody waiting, and what it missed follows when it is back. Records are
// masked.
package sinks
