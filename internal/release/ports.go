// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package release

import (
	"context"
	"errors"
	"time"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
)

// Placer is the scheduler as a Release needs it.
type Placer interface {
	// Place decides where the Revision runs, reserves the room under the Release's
	// name and returns the Placement. Called again for the same Release it returns
	// the same Placement. A *Refusal says what lacks.
	Place(ctx context.Context, r *releasev1.Release, revision *appv1.Revision) (*placementv1.Placement, error)
	// Begin says, before the first step of a Release is taken, that what runs is from then
	// on what its Placement says. Said again it changes nothing.
	Begin(ctx context.Context, r *releasev1.Release) error
	// Free gives back the room of every Placement of the application except the
	// named one. Empty: of every one.
	Free(ctx context.Context, namespace, application, keep string) error
}

// AskAway is how long after a cluster was not connected it is asked again. That it connects
// is not always heard: right after a restart the hub still calls it reachable.
const AskAway = 5 * time.Second

// Renderer makes objects of a Revision.
type Renderer interface {
	// Render returns what the Revision is in one cluster, at a Placement. A *Refusal
	// says what the member cannot express, or that nobody knows since it is away.
	Render(ctx context.Context, revision *appv1.Revision, placement *placementv1.Placement, cluster string) (Rendered, error)
}

// InstanceFinder finds who sits on a seat.
type InstanceFinder interface {
	// Find returns the instances of the seats, such as "account-1", of an application
	// ("<hub namespace>/<name>"), and the application's clusters that could not be asked
	// since they are not connected. Seats on which nobody sits are left out.
	Find(ctx context.Context, application string, seats []string) (found []Instance, away []string, err error)
}

// Instance is a pod on a seat.
type Instance struct {
	Seat    string
	Cluster string
	Pod     string
	UID     string
}

// Stops knows of stops that somebody asked for and that the hub has not taken yet.
type Stops interface {
	// Holds says whether one of a Release waits: no step is taken before it is written.
	Holds(r *releasev1.Release) bool
}

// Brakes knows whether automation is stopped.
type Brakes interface {
	// Hold says why no step of a Release may be taken while automation is stopped; empty:
	// one may. What people started is never held.
	Hold(ctx context.Context, r *releasev1.Release) string
}

// Refusal says that something cannot be done now, and what to do about it.
type Refusal struct {
	// Reason is one of the Release's condition reasons.
	Reason  string
	Message string
	// Again is when to ask again if nothing is heard. 0: after Limits.Retry.
	Again time.Duration
}

func (r *Refusal) Error() string { return r.Message }

// Refused returns the refusal in an error, or nil.
func Refused(err error) *Refusal {
	var r *Refusal
	if errors.As(err, &r) {
		return r
	}
	return nil
}
