// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package notify tells people of approvals by mail and webhook: a request waits
// for them, was decided, is void or expires soon, an emergency change happened, a
// review is overdue.
//
// What is told is computed from the request as it stands (Due), after the fact and
// beside it: no act waits for a notice, and none fails because of one. Each notice
// is kept in the outbox under a name of its own, so that it goes out at least once
// and is put in once, however often the request is looked at.
package notify
