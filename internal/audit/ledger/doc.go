// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package ledger is the evidence log: an append-only Merkle log that one process
// writes, a log for each year, each chained to the last checkpoint of the year
// before.
//
// A record takes two steps. It is first appended to a file of pending records,
// which is synced: from then on it is durable, and Intent returns. A few times a
// second what is pending goes into the tree (package tiles) and a checkpoint is
// signed over it; a crash in between loses nothing, because the pending file is
// read again at the start. The checkpoint is what a reader sees, what a witness
// countersigns and what is copied to the second place.
//
//	<dir>/log.key, log.key.pub     the log's key, made at the first start
//	<dir>/2026/checkpoint          the newest checkpoint of the year's log
//	<dir>/2026/cosigned            the newest one that the witness signed too
//	<dir>/2026/tile/…              hashes and records, as C2SP tlog-tiles lays them out
//	<dir>/2026/pending-….log       what no checkpoint covers yet
//	<dir>/state.json               the count of every source; rebuilt when it is missing
//
// When the folder cannot be written, Intent fails and says so, and nothing that
// was acknowledged is lost; as soon as it can be written again, it is.
package ledger
