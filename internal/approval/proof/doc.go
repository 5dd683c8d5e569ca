// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package proof makes and checks the proof that a Decision, a Delegation or an
// ApprovalRequest was made by the server itself: the first two in answer to a call of
// the very person whom they name. On the hub an administrator may write in anybody's
// name, and read every login's id; he cannot read the key, which is in the server's
// database, and unreadable there without the key file beside it.
//
// A proof is public. It is an HMAC over the object's kind, namespace, name and all that
// it says, so that it is of no use for anything else: not under another name, on another
// request, nor with another word. It holds for an object that the hub made within Holds
// of it, so that nothing is made again later that was taken back or deleted meanwhile.
package proof
