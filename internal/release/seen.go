// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package release

import (
	"fmt"
	"time"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	deliveryv1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
)

// Seen is everything that a decision looks at.
type Seen struct {
	Release *releasev1.Release
	// Application is nil when it is not there.
	Application *appv1.Application
	// Holder is the Release that holds the application, if it is another one that
	// still exists.
	Holder *releasev1.Release
	// HolderPlan is the holder's plan, if it has one that could be read.
	HolderPlan *Document
	// HighestSequence is the highest number that any Release of the application
	// bears, also one of an application of the same name that was retired and
	// deleted: members remember numbers longer than the hub's object lives.
	HighestSequence int64
	// RevisionFound says whether the Revision that the Release names exists. Only looked
	// at until the Release holds the application.
	RevisionFound bool
	// Plan is this Release's plan, nil before it is rendered.
	Plan *Document
	// PlanError says why the stored plan cannot be used.
	PlanError error
	// Deliveries of the application, by cluster. Only looked at once there is a plan, or
	// when one is drawn (Renders).
	Deliveries map[string]*deliveryv1.Delivery
	// Away says, by cluster, why a cluster cannot be reached now. Clusters that are
	// reached have no entry.
	Away   map[string]string
	Limits Limits
}

// Limits are the times that bound a Release.
type Limits struct {
	// Progress is how long nothing may move before a person is called. Default: 10 minutes.
	Progress time.Duration
	// Retry is how often what is refused is asked again. Default: 30 seconds.
	Retry time.Duration
}

func (l Limits) progress() time.Duration {
	if l.Progress > 0 {
		return l.Progress
	}
	return 10 * time.Minute
}

func (l Limits) retry() time.Duration {
	if l.Retry > 0 {
		return l.Retry
	}
	return 30 * time.Second
}

// Decision is what may be done now, and why.
type Decision struct {
	// Actions in order. Each is safe to repeat.
	Actions []Action
	// Reasons in sentences.
	Reasons []string
	// Facts are the conditions to report.
	Facts []Fact
	// Clusters is how far each cluster is.
	Clusters []releasev1.ClusterProgress
	// Next is when to look again if nothing is heard. 0: only when something is heard.
	Next time.Duration
}

// Fact is a condition in the making.
type Fact struct {
	Type    string
	True    bool
	Reason  string
	Message string
}

// Action is one thing to do. Its text is for people.
type Action interface{ String() string }

// Claim takes the application for this Release, under the next number.
type Claim struct {
	Sequence int64
	// From is the Release that held it until now. Empty: none.
	From string
}

// Place asks the scheduler for room.
type Place struct{}

// Render renders the plan for every cluster, digests and stores it.
type Render struct{}

// Start asks the Gate for the whole plan before the first step.
type Start struct{}

// Step gives one cluster its next state.
type Step struct {
	Cluster string
	// Name is bring, drain, clear, restart or retire.
	Name string
	Spec deliveryv1.DeliverySpec
	// Details lists what the step changes.
	Details []string
}

// Forget deletes a Delivery whose cluster holds nothing of the application any more.
type Forget struct{ Cluster string }

// Complete writes that everything was observed to be done.
type Complete struct{}

// HandBack writes the result into the application and gives up the claim.
type HandBack struct {
	// Released is the revision in service. Empty after a Retire.
	Released string
}

// FreeRoom releases Placements that nothing needs any more.
type FreeRoom struct {
	// Keep is the Placement in force. Empty: none.
	Keep string
}

func (a Claim) String() string {
	if a.From != "" {
		return fmt.Sprintf("take the application over from release %s as number %d", a.From, a.Sequence)
	}
	return fmt.Sprintf("claim the application as number %d", a.Sequence)
}
func (Place) String() string    { return "ask the scheduler for room" }
func (Render) String() string   { return "render and digest the plan" }
func (Start) String() string    { return "ask the gate for the plan" }
func (a Step) String() string   { return fmt.Sprintf("%s %s", a.Name, a.Cluster) }
func (a Forget) String() string { return "forget the delivery in " + a.Cluster }
func (Complete) String() string { return "complete the release" }
func (a HandBack) String() string {
	if a.Released == "" {
		return "hand the application back, with nothing in service"
	}
	return fmt.Sprintf("hand the application back, with revision %s in service", a.Released)
}
func (a FreeRoom) String() string {
	if a.Keep == "" {
		return "free all room of the application"
	}
	return "free the room of all placements but " + a.Keep
}
