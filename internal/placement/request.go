// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement

import (
	"fmt"

	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
)

// Request asks for room for one Revision.
type Request struct {
	// Application as "<namespace>/<name>".
	Application string
	Tenant      string
	Environment string
	Components  []Component
	// Previous is what the application's Placement in force says: seats and
	// numbers stay with it.
	Previous []Assignment
	// Full are cells in whose rooms instances wait: they take nothing new of the Request.
	Full []Cell
	// Sits says on which hosts its instances were seen last. Only what follows of lost hosts asks
	// (Simulate): Place leaves the choice of a host to the cluster.
	Sits []Sits
	// Quotas of the tenant.
	Quotas []tenancyv1.Quota
	// HostKind asks for real or simulated hosts. Empty: real ones.
	HostKind HostKind
	// Policy that holds for the Request. nil: the one that Place was given.
	Policy *Policy
	// Priority decides who goes first when several are decided together and room is
	// short: the higher one. Default: 0.
	Priority int32
	// Unfenced says that nobody has cut off what does not answer: what keeps an identity or
	// runs once only then leaves no cell that is silent for another (R86). Otherwise it may.
	Unfenced bool
}

// Component is one component of the Revision.
type Component struct {
	Name string
	// Template is the digest over what makes its pods.
	Template string
	// Zone and Level that its instances attach to and carry.
	Zone  string
	Level string
	// Size is what one instance reserves. Its Instances is 1.
	Size Amount
	// Counts says how many instances each DCN gets.
	Counts []Count
	// InPlace says that a change replaces instances one after another in their
	// seats (fixed identity), so that old and new never stand side by side.
	InPlace bool
	// OneCell says that all instances run in one cell of the fleet (jobs).
	OneCell bool
	// MaxPerHost is how many instances one host may hold, as their pods say and the member's
	// scheduler obeys. 0: no bound.
	MaxPerHost int32
	// MaxOfCell bounds a cell to so many for each of its hosts, where a bound is asked for and
	// pods do not say it. 0: no bound.
	MaxOfCell int32
	// Volumes lists the kinds of volume that it needs.
	Volumes []string
	// Pools are preferred pools, best first.
	Pools []string
	// Archs are the processors that its image runs on. None: any.
	Archs []string
	// MinRacks is over how many racks of a DCN at least the instances spread, as far
	// as there are as many. 0 and 1: no matter.
	MinRacks int32
	// MinZones is the same for availability zones.
	MinZones int32
	// MinDataCenters is over how many data centres at least the instances spread in all.
	// 0 and 1: no matter.
	MinDataCenters int32
	// Tags that the Revision gives it and those that it is Without, whatever else is known
	// of it (Snapshot.Profiles), and Calls, the components of the same application that it
	// calls (R51).
	Tags, Without, Calls []string
	// CallsOutside are the components of other applications that it calls.
	CallsOutside []Callee
	// KeepsFrom are the components that it shares no failure domain with.
	KeepsFrom []KeepsFrom
	// Spread are the steps over which its instances spread, most important first. None: as
	// the policy weighs them.
	Spread []Scope
}

// mostPerHost is how many a cell may have for each of its hosts. 0: no bound.
func (c *Component) mostPerHost() int64 { return int64(max(c.MaxPerHost, c.MaxOfCell)) }

// Callee is a component of another application.
type Callee struct {
	// Application as "<namespace>/<name>", and its component.
	Application, Component string
}

// Count is an exact number of instances.
type Count struct {
	DCN   string
	Count int32
	// Clusters say how many of them each cluster gets; they add up to Count, and clusters that
	// are not named get none. None: any cluster of the DCN's data centre takes them.
	Clusters []ClusterCount
}

// Decision is the scheduler's answer.
type Decision struct {
	// Assignments by component and cell. Empty when the Request is refused.
	Assignments []Assignment
	// Refused says that the Request cannot be met. Reasons say what lacks.
	Refused bool
	// Reasons in the order of the decision.
	Reasons []Reason
}

// Reason is one step of the scheduler's thinking.
type Reason struct {
	Component string
	DCN       string
	// Rule that spoke: the name of a filter or score, or "Count", "Kept" or "Chosen".
	Rule    string
	Message string
	// Refusal marks what makes the Request impossible.
	Refusal bool
	// Aside marks what says which cells are left out, rather than what was decided. Where
	// there is no room for all reasons, these go first.
	Aside bool
}

// String is a reason as a person reads it where it stands alone.
func (r Reason) String() string {
	switch {
	case r.Component == "":
		return r.Message
	case r.DCN == "":
		return fmt.Sprintf("component %s: %s", r.Component, r.Message)
	}
	return fmt.Sprintf("component %s in %s: %s", r.Component, r.DCN, r.Message)
}
