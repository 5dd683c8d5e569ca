// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package inventory

// Purpose is what messages to a CMDB are signed for: a signature for another purpose does
// not hold.
const Purpose = "fairway.placement.inventory.v1"

// Message tells a receiver what changed of one application. The next message of the
// application is sent once this one was taken.
//
// It may come more than once, with the same Idempotency-Key, and late: a receiver keeps of
// each seat what has the highest sequence.
type Message struct {
	// Version of the protocol, 1.
	Version int `json:"version"`
	// Receiver that it is for, as the server's configuration names it.
	Receiver string `json:"receiver"`
	// ID is the message's own through all repetitions.
	ID string `json:"id"`
	// Epoch names the list. With another one than before the receiver forgets what it knew:
	// everything is told anew.
	Epoch string `json:"epoch"`
	// Namespace and Application that it is about.
	Namespace   string `json:"namespace"`
	Application string `json:"application"`
	// After and Through: the message tells what changed of the application after one number
	// of the sequence, up to another. After is Through of the message before it; where it is
	// higher than what the receiver has, one is missing, and the receiver asks for it:
	// GET /api/v1/placement/inventory?since=….
	After   int64 `json:"after"`
	Through int64 `json:"through"`
	// Instances that changed, each as it is, in the order of the sequence.
	Instances []Instance `json:"instances"`
}
