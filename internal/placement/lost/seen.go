// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package lost

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement"
)

// Seen is everything that a decision looks at.
type Seen struct {
	// Fleet is what the scheduler sees: of what is away it takes nothing new.
	Fleet placement.Snapshot
	// Clusters of the fleet.
	Clusters []Cluster
	// Racks of which no host answers, or none did lately.
	Racks []Rack
	// Applications that run, with the Placement that each runs by.
	Applications []Application
	// Unread are applications ("<namespace>/<name>") that run, and of which nobody can read what
	// they ask for: what was proposed for them and said of them stands.
	Unread []string
	// Proposals that hold room and that no Release uses.
	Proposals []Proposal
	// Started are the Releases that automation started, after a loss and for room.
	Started []Started
	// Brakes that were set, those that were released included.
	Brakes []Brake
	// Policies by environment. One without takes the defaults.
	Policies map[string]Policy
}

// Absence is how long and how often something was away.
type Absence struct {
	// Away says whether it is away now.
	Away bool
	// Since is when it went, Back when it came back.
	Since, Back time.Time
	// Times that it went lately.
	Times int
}

// Cluster is a member as it was seen last.
type Cluster struct {
	Name, DataCenter, Environment string
	// Hosts and Ready count its hosts.
	Hosts, Ready int
	// Broken says that Fairway cannot reach it for a reason of its own, which a person has
	// to put right: nothing says that the cluster is ill.
	Broken bool
	Absence
}

// Rack is a pool's hosts in one rack of a cluster.
type Rack struct {
	Cluster, Name string
	Absence
}

// Application is one that runs.
type Application struct {
	// Request asks for what it runs, with its Placement in force as Previous. Its
	// Application is "<namespace>/<name>".
	Request placement.Request
	// By is how a Placement names the policy of that Request.
	By placementv1.DecidedBy
	// Revision that runs, and Placement that it runs by.
	Revision, Placement string
	// Cause of that Placement; nil: a Release asked for it.
	Cause *placementv1.Cause
	// Before is where it ran before that Placement, which has a Cause; nil: not known.
	Before []placement.Assignment
	// Busy is the Release that holds it. Empty: none.
	Busy string
	// Waits are the seats that wait for room and that a person has placed elsewhere: where
	// automation does, they are Anew.
	Waits, Anew []placement.Wait
	// Silent are the seats on hosts that do not answer.
	Silent []placement.Sits
}

// Proposal is a Placement that no Release uses.
type Proposal struct {
	// Application as "<namespace>/<name>", and the proposal's own name.
	Application, Name string
	Revision          string
	Cause             placementv1.Cause
	// Assignments of it.
	Assignments []placement.Assignment
}

// Started is a Release that automation started.
type Started struct {
	// Application as "<namespace>/<name>", and the Release's own name.
	Application, Name string
	Environment       string
	// Placement that it brings.
	Placement string
	// At is when it was started, Gains how many instances it brings to each cluster.
	At    time.Time
	Gains []placementv1.ClusterGain
	// Going says that it is not over and not stopped.
	Going bool
	// ForRoom says that it was started since instances waited for room, not after a loss. It
	// counts towards the budget; a Brake holds it and does not stop it.
	ForRoom bool
}

// Brake is a stop of automation.
type Brake struct {
	Name         string
	Environments []string
	Reason, By   string
	// Released is when it was released. Zero: it holds.
	Released time.Time
}

// Holds reports whether a brake stops automation in an environment.
func (b Brake) Holds(environment string) bool { return b.Released.IsZero() && b.covers(environment) }

func (b Brake) covers(environment string) bool {
	if len(b.Environments) == 0 {
		return true
	}
	for _, e := range b.Environments {
		if e == environment {
			return true
		}
	}
	return false
}

// Policy is what a PlacementPolicy says, defaults filled in.
type Policy struct {
	// Name of the PlacementPolicy.
	Name string
	// Release says that automation starts Releases.
	Release bool
	// Ticket that these name.
	Ticket string
	// Rack, Cluster and DataCenter are how long each is away before it is lost.
	Rack, Cluster, DataCenter time.Duration
	// SickShare is from how many of each hundred hosts on automation holds.
	SickShare int
	// Budget is how many instances automation moves to one cluster within Per.
	Budget int
	Per    time.Duration
	// Return says that a return is proposed, ReturnAfter after the place has been well.
	Return      bool
	ReturnAfter time.Duration
}

// PolicyOf fills in what a PlacementPolicy leaves out. nil: all of it.
func PolicyOf(name string, p *placementv1.LostPolicy) Policy {
	out := Policy{
		Name: name, Rack: 5 * time.Minute, Cluster: 10 * time.Minute, DataCenter: 10 * time.Minute,
		SickShare: 55, Budget: 100, Per: time.Hour, Return: true, ReturnAfter: 30 * time.Minute,
	}
	if p == nil {
		return out
	}
	out.Ticket = p.Ticket
	out.Release, out.Return = p.Action == placementv1.LostRelease, p.Return != "Never"
	if p.SickSharePercent > 0 {
		out.SickShare = int(p.SickSharePercent)
	}
	if p.Budget.Instances > 0 {
		out.Budget = int(p.Budget.Instances)
	}
	for to, from := range map[*time.Duration]*metav1.Duration{
		&out.Rack: p.After.Rack, &out.Cluster: p.After.Cluster, &out.DataCenter: p.After.DataCenter,
		&out.Per: p.Budget.Per, &out.ReturnAfter: p.ReturnAfter,
	} {
		if from != nil && from.Duration > 0 {
			*to = from.Duration
		}
	}
	return out
}
