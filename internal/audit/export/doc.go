// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package export writes evidence for people outside Fairway: as CSV, as JSON
// lines, and as a page that an examiner prints. What people wrote is masked. A
// signed statement goes with each file: its digest, what was asked for and by
// whom, and the checkpoint of the log that the records come from.
package export
