// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package delivery

import (
	"fmt"
	"time"
)

// Verb is what an action does.
type Verb string

// The verbs, in the order in which a plan uses them.
const (
	// WriteInventory stores Decision.Inventory with what became known since.
	WriteInventory Verb = "write inventory"
	// Create makes an object that must not exist.
	Create Verb = "create"
	// Apply brings an object to what is wanted.
	Apply Verb = "apply"
	// Annotate sets or clears the pod-deletion-cost of a pod.
	Annotate Verb = "annotate"
	// Label sets seat and revision of a pod.
	Label Verb = "label"
	// Evict asks for the replacement of a pod. A disruption budget may refuse.
	Evict Verb = "evict"
	// Delete removes an object.
	Delete Verb = "delete"
	// Remember stores that the application was taken out by this release.
	Remember Verb = "remember retirement"
)

// Action is one write to the member. Repeating it does no harm.
type Action struct {
	// Verb says what is done.
	Verb Verb
	// Object that it is done to.
	Object Identity
	// UID that the object must have. Empty where it does not exist yet.
	UID string
	// ResourceVersion that the object must have, for deletes.
	ResourceVersion string
	// Wanted is what is created or applied.
	Wanted *Wanted
	// Set holds labels or annotations. An empty value takes one away.
	Set map[string]string
	// Gather says that ownership is to be gathered before the object is applied.
	Gather bool
	// Drift says what somebody else did to the object. Empty: nothing.
	Drift string
	// Lowers says that instances go.
	Lowers bool
	// Why in a few words.
	Why string
}

// Destructive says whether the Gate is asked before the action, and under which
// verb. Putting back what somebody else changed is not destructive unless
// instances go.
func (a Action) Destructive() (verb string, yes bool) {
	switch {
	case a.Verb == Delete:
		return "delivery.delete", true
	case a.Verb == Evict:
		return "delivery.restart", true
	case a.Verb == Apply && a.Lowers:
		return "delivery.scale-down", true
	}
	return "", false
}

// String tells the action in a line, for evidence and logs.
func (a Action) String() string {
	line := fmt.Sprintf("%s %s", a.Verb, a.Object)
	if a.UID != "" {
		line += " (" + a.UID + ")"
	}
	if a.Why != "" {
		line += ": " + a.Why
	}
	if a.Drift != "" {
		line += "; put back: " + a.Drift
	}
	return line
}

// Decision is what Plan decides.
type Decision struct {
	// Actions in the order in which they are carried out. The first that fails ends
	// the round.
	Actions []Action
	// Inventory as it is to be stored before objects are touched.
	Inventory Inventory
	// Stalled says why a person is needed. Nothing that advances is done then.
	Stalled *Problem
	// Reasons tell, in order, what was found.
	Reasons []string
	// Waits tell what the Delivery waits for. Empty: with the actions done, the
	// member is as wished.
	Waits []string
	// Restarted lists the UIDs of replaced instances whose successors answer.
	Restarted []string
	// Next is when to look again although nothing is reported. Zero: not soon.
	Next time.Duration
}

func (d *Decision) say(format string, args ...any) {
	d.Reasons = append(d.Reasons, fmt.Sprintf(format, args...))
}

// lookAgain says something and has the member looked at soon.
func (d *Decision) lookAgain(format string, args ...any) {
	d.say(format, args...)
	d.Next = waitPeriod
}

// wait says what keeps the member from being as wished.
func (d *Decision) wait(format string, args ...any) {
	d.Waits = append(d.Waits, fmt.Sprintf(format, args...))
	d.Next = waitPeriod
}

// waitPeriod is how soon the member is looked at again while something is
// awaited. Its own reports come sooner; this is for those that get lost.
const waitPeriod = 10 * time.Second
