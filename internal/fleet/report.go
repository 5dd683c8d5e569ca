// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package fleet

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
)

// Reasons of the conditions of Clusters and Pools.
const (
	// ReasonUsable: the member answers and is guarded as far as its version can.
	ReasonUsable = "Usable"
	// ReasonSecretMissing: the Secret with the credentials is not there; join the cluster again.
	ReasonSecretMissing = "SecretMissing"
	// ReasonKubeconfigRefused: the credentials are of a sort that is not used; the message says why.
	ReasonKubeconfigRefused = "KubeconfigRefused"
	// ReasonJoinedTwice: the same cluster is joined under another name; delete one of the two.
	ReasonJoinedTwice = "JoinedTwice"
	// ReasonGuardFailing: the rules that keep foreign pods off pools could not be written or do not hold.
	ReasonGuardFailing = "GuardFailing"
	// ReasonMoving: nobody needs to act.
	ReasonMoving = "Moving"
	// ReasonAllHostsReady: every listed host is there, owned and ready.
	ReasonAllHostsReady = "AllHostsReady"
	// ReasonClusterAway: a cluster of the pool is not connected; its figures are the last that were seen.
	ReasonClusterAway = "ClusterAway"
	// RuleClusterMissing: the pool lists hosts of a cluster that is not in the fleet.
	RuleClusterMissing = "ClusterMissing"
	// ReasonNoHosts: the pool lists no hosts.
	ReasonNoHosts = "NoHosts"
	// ReasonAudited: the cluster's audit log is read, and every write in it that concerns Fairway has its record.
	ReasonAudited = "Audited"
	// ReasonUnaudited: no audit log of the cluster is read; ship it to the server's machine.
	ReasonUnaudited = "Unaudited"
	// ReasonUnaccounted: the audit log shows writes that no record accounts for; find out who made them.
	ReasonUnaccounted = "Unaccounted"
)

// ClusterSeen is what was observed of a cluster.
type ClusterSeen struct {
	// Generation of the Cluster that was looked at.
	Generation int64
	// Connected, Reason and Message are the connection's.
	Connected       bool
	Reason, Message string
	// NeedsPerson says that waiting does not help.
	NeedsPerson bool
	// Version, UID and APIDigest are what the member said of itself; empty: nothing yet.
	Version, UID, APIDigest string
	// PodAdmission is how foreign pods are kept off: Policy, Webhook or None;
	// empty: not known yet.
	PodAdmission string
	// GuardProblem says what is wrong with that; empty: nothing.
	GuardProblem string
	// Hosts and Instances count only while Counted says so.
	Counted   bool
	Hosts     []Host
	Instances int64
	// Audit says how the cluster's audit log compares with evidence.
	Audit Audit
}

// Audit says how the audit log of a cluster's API server compares with evidence.
type Audit struct {
	// Reason is ReasonAudited, ReasonUnaudited, ReasonUnaccounted, or one that says why
	// it is not known. Empty: ReasonUnaudited.
	Reason string
	// Message says it in a sentence.
	Message string
}

// condition is what is told of it.
func (a Audit) condition(generation int64, now time.Time) metav1.Condition {
	c := metav1.Condition{
		Type: fleetv1.ConditionAudited, Status: metav1.ConditionUnknown, Reason: cmp.Or(a.Reason, ReasonUnaudited),
		Message: cmp.Or(a.Message, "no audit log of this cluster is read"), ObservedGeneration: generation, LastTransitionTime: metav1.NewTime(now),
	}
	switch c.Reason {
	case ReasonAudited:
		c.Status = metav1.ConditionTrue
	case ReasonUnaudited, ReasonUnaccounted:
		c.Status = metav1.ConditionFalse
	}
	return c
}

// ReportCluster tells what was seen. What is not known now stays as it was.
func ReportCluster(before fleetv1.ClusterStatus, seen ClusterSeen, now time.Time) fleetv1.ClusterStatus {
	status := *before.DeepCopy()
	status.ObservedGeneration = seen.Generation
	status.Version = cmp.Or(seen.Version, status.Version)
	status.UID = cmp.Or(status.UID, seen.UID)
	status.APIDigest = cmp.Or(seen.APIDigest, status.APIDigest)
	status.PodAdmission = cmp.Or(seen.PodAdmission, status.PodAdmission)
	if seen.Counted {
		status.Hosts, status.Capacity = countHosts(seen.Hosts)
		status.Instances = seen.Instances
	}
	status.Away = absent(status.Away, !seen.Connected, now)
	set := setter(&status.Conditions, seen.Generation, now)
	set(fleetv1.ConditionReachable, seen.Connected, seen.Reason, seen.Message)
	meta.SetStatusCondition(&status.Conditions, seen.Audit.condition(seen.Generation, now))
	switch {
	case !seen.Connected:
		set(fleetv1.ConditionReady, false, seen.Reason, seen.Message)
	case seen.GuardProblem != "":
		set(fleetv1.ConditionReady, false, ReasonGuardFailing, seen.GuardProblem)
	case status.PodAdmission == PodAdmissionNone:
		set(fleetv1.ConditionReady, true, ReasonUsable, "the cluster can be used; its version cannot keep foreign pods off pools, so that levels which require it are not placed here")
	default:
		set(fleetv1.ConditionReady, true, ReasonUsable, "the cluster can be used")
	}
	if seen.NeedsPerson {
		set(fleetv1.ConditionStalled, true, seen.Reason, seen.Message)
	} else {
		set(fleetv1.ConditionStalled, false, ReasonMoving, "nobody needs to act")
	}
	return status
}

// How a member keeps foreign pods off pools.
const (
	// PodAdmissionPolicy: by ValidatingAdmissionPolicy, from Kubernetes 1.30 on.
	PodAdmissionPolicy = "Policy"
	// PodAdmissionNone: not at all.
	PodAdmissionNone = "None"
)

func countHosts(hosts []Host) (fleetv1.HostCounts, fleetv1.Resources) {
	var counts fleetv1.HostCounts
	var capacity Amount
	for _, host := range hosts {
		counts.Total++
		if host.Simulated {
			counts.Simulated++
		}
		if host.Ready {
			counts.Ready++
			capacity = capacity.Plus(host.Capacity)
		}
	}
	return counts, capacity.Resources()
}

// PoolSeen is what was observed of a pool.
type PoolSeen struct {
	// Generation of the Pool that was looked at.
	Generation int64
	// Rooms by cluster, of the clusters that are connected.
	Rooms map[string]Room
	// Findings about the ownership of the pool's hosts.
	Findings []Finding
	// Away are the clusters with hosts of the pool that are not connected, and
	// how many hosts the pool lists there.
	Away map[string]int
}

// ReportPool tells what was seen. Of a cluster that is away the last figures stay.
func ReportPool(before fleetv1.PoolStatus, seen PoolSeen, now time.Time) fleetv1.PoolStatus {
	status := *before.DeepCopy()
	status.ObservedGeneration = seen.Generation
	status.Racks = slices.DeleteFunc(status.Racks, func(rack fleetv1.PoolRack) bool {
		_, away := seen.Away[rack.Cluster]
		return !away
	})
	status.Away = awayRacks(before.Away, seen, now)
	status.Hosts = fleetv1.HostCounts{}
	var instances int64
	findings := slices.Clone(seen.Findings)
	for _, room := range seen.Rooms {
		status.Racks = append(status.Racks, room.Racks...)
		status.Hosts.Total += room.Hosts.Total
		status.Hosts.Ready += room.Hosts.Ready
		status.Hosts.Simulated += room.Hosts.Simulated
		instances += room.Instances
		findings = append(findings, room.Findings...)
	}
	for _, listed := range seen.Away {
		status.Hosts.Total += int32(listed)
	}
	if len(seen.Away) > 0 {
		instances = max(instances, before.Instances) // nothing has left as far as anybody knows
	}
	status.Instances = instances
	slices.SortFunc(status.Racks, func(a, b fleetv1.PoolRack) int {
		return cmp.Or(cmp.Compare(a.Cluster, b.Cluster), cmp.Compare(a.Rack, b.Rack))
	})
	slices.SortFunc(findings, func(a, b Finding) int { return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.Rule, b.Rule)) })
	set := setter(&status.Conditions, seen.Generation, now)
	switch {
	case len(findings) > 0:
		set(fleetv1.ConditionReady, false, findings[0].Rule, tellFindings(findings))
	case len(seen.Away) > 0:
		set(fleetv1.ConditionReady, false, ReasonClusterAway, "a cluster with hosts of the pool is not connected; its figures are the last that were seen")
	case status.Hosts.Total == 0:
		set(fleetv1.ConditionReady, false, ReasonNoHosts, "the pool has no hosts: list some")
	default:
		set(fleetv1.ConditionReady, true, ReasonAllHostsReady, "every host is there, owned and ready")
	}
	return status
}

// tellFindings lists some findings in their order and counts the rest.
func tellFindings(findings []Finding) string {
	const shown = 5
	var texts []string
	for _, finding := range findings[:min(shown, len(findings))] {
		texts = append(texts, finding.Message)
	}
	if more := len(findings) - shown; more > 0 {
		texts = append(texts, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(texts, "; ")
}

// setter returns a function that sets one condition.
func setter(conditions *[]metav1.Condition, generation int64, now time.Time) func(kind string, yes bool, reason, message string) {
	return func(kind string, yes bool, reason, message string) {
		status := metav1.ConditionFalse
		if yes {
			status = metav1.ConditionTrue
		}
		meta.SetStatusCondition(conditions, metav1.Condition{
			Type: kind, Status: status, Reason: reason, Message: message,
			ObservedGeneration: generation, LastTransitionTime: metav1.NewTime(now),
		})
	}
}
