// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package hooks keeps evidence of writes to Fairway's kinds that do not come
// through the server: a cluster administrator with kubectl is seen too. The hub
// asks before every write (a ValidatingWebhookConfiguration that fails closed),
// an intent is recorded, and the outcome is read back from the object afterwards.
//
// What the server's own chain sends carries a mark and is recorded by the chain
// alone; Fairway's own account is recorded by its controllers. When the log cannot
// be written nothing is changed past the server either, the way back excepted: a
// rollback, and stopping a Release.
//
// What other admission refuses before it comes here leaves no record, and what is
// refused after it is recorded as refused.
package hooks
