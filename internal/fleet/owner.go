// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package fleet

import (
	"cmp"
	"fmt"
	"slices"

	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
)

// Mark is a change to one host: its label and taint are to name a pool.
type Mark struct {
	// Host to change.
	Host string
	// Pool that the host is to carry. Empty: label and taint are taken off.
	Pool string
	// From is the pool that it carries now. Where it is another than Pool, the
	// host must be looked at once more, past every cache, right before it changes.
	From string
}

// String says what the mark does.
func (m Mark) String() string {
	switch {
	case m.Pool == "":
		return fmt.Sprintf("host %q leaves pool %q", m.Host, m.From)
	case m.From != "" && m.From != m.Pool:
		return fmt.Sprintf("host %q moves from pool %q to pool %q", m.Host, m.From, m.Pool)
	}
	return fmt.Sprintf("host %q joins pool %q", m.Host, m.Pool)
}

// Rules that a Finding names.
const (
	// RuleHostMissing: no node of that name is registered in the cluster.
	RuleHostMissing = "HostMissing"
	// RuleHostTaken: an older pool lists the host too, and keeps it.
	RuleHostTaken = "HostTaken"
	// RuleHostKind: the host is simulated and the pool is not, or the other way round.
	RuleHostKind = "HostKind"
	// RuleHostHeld: the host is to change its pool, but still runs instances.
	RuleHostHeld = "HostHeld"
	// RuleHostNotReady: the host's kubelet does not report Ready, or it is cordoned.
	RuleHostNotReady = "HostNotReady"
	// RuleHostRack: the host's rack is not one of its data centre.
	RuleHostRack = "HostRack"
	// RuleHostCapacity: the host reports a capacity that no host has.
	RuleHostCapacity = "HostCapacity"
)

// Finding is something about a pool's host that a person should know.
type Finding struct {
	// Pool that it is about.
	Pool string
	// Host that it is about.
	Host string
	// Rule that found it.
	Rule string
	// Message says what is wrong and what to do.
	Message string
}

// Ownership is who owns the hosts of one cluster, and what has to change.
type Ownership struct {
	// Owners gives each pool's host its pool, also where its marks do not say so yet.
	Owners map[string]string
	// Marks bring label and taint to what they should be, by host name.
	Marks []Mark
	// Findings are by pool and host.
	Findings []Finding
}

// PlanHosts decides which pool owns which host of one cluster (R03, R04). The
// pool that was created first keeps a host that several list. A host leaves its
// pool only when none of Fairway's instances runs on it; occupied counts them.
// A pool that is being deleted lists no hosts.
func PlanHosts(cluster string, pools []fleetv1.Pool, hosts []Host, occupied map[string]int) Ownership {
	known := map[string]Host{}
	for _, host := range hosts {
		known[host.Name] = host
	}
	plan := Ownership{Owners: map[string]string{}}
	for _, pool := range byAge(pools) {
		plan.claim(cluster, pool, known)
	}
	for _, host := range hosts {
		plan.mark(host, occupied[host.Name])
	}
	slices.SortFunc(plan.Marks, func(a, b Mark) int { return cmp.Compare(a.Host, b.Host) })
	slices.SortFunc(plan.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Pool, b.Pool), cmp.Compare(a.Host, b.Host), cmp.Compare(a.Rule, b.Rule))
	})
	return plan
}

// claim gives the pool those of its hosts that no older pool has.
func (o *Ownership) claim(cluster string, pool *fleetv1.Pool, known map[string]Host) {
	simulated := pool.Spec.HostKind == "Simulated"
	for _, name := range hostsIn(pool, cluster) {
		host, there := known[name]
		owner, taken := o.Owners[name]
		switch {
		case !there:
			o.find(pool.Name, name, RuleHostMissing, "host %q is not registered in cluster %q: register it, or take it off the pool's list", name, cluster)
		case taken:
			o.find(pool.Name, name, RuleHostTaken, "host %q belongs to pool %q, which is older: take it off one of the two lists", name, owner)
		case host.Simulated && !simulated:
			o.find(pool.Name, name, RuleHostKind, "host %q is simulated and pool %q holds real hosts: list it in a pool with hostKind Simulated", name, pool.Name)
		case !host.Simulated && simulated:
			o.find(pool.Name, name, RuleHostKind, "host %q is real and pool %q holds simulated hosts: list it in a pool with hostKind Real", name, pool.Name)
		default:
			o.Owners[name] = pool.Name
		}
	}
}

// mark compares what a host carries with what it should.
func (o *Ownership) mark(host Host, occupied int) {
	owner := o.Owners[host.Name]
	carried := host.Pool
	if host.Pool == owner && host.Tainted == owner {
		return
	}
	if carried != "" && carried != owner && occupied > 0 {
		o.find(carried, host.Name, RuleHostHeld, "host %q is to leave pool %q but runs %d of its instances: move them first", host.Name, carried, occupied)
		if owner != "" {
			o.find(owner, host.Name, RuleHostHeld, "host %q still runs %d instances of pool %q: it joins when they have moved", host.Name, occupied, carried)
		}
		o.Owners[host.Name] = carried
		if host.Tainted != carried {
			o.Marks = append(o.Marks, Mark{Host: host.Name, Pool: carried, From: carried})
		}
		return
	}
	o.Marks = append(o.Marks, Mark{Host: host.Name, Pool: owner, From: cmp.Or(carried, host.Tainted)})
}

func (o *Ownership) find(pool, host, rule, format string, args ...any) {
	o.Findings = append(o.Findings, Finding{Pool: pool, Host: host, Rule: rule, Message: fmt.Sprintf(format, args...)})
}

// byAge sorts pools, oldest first; of the same second, by name. Pools that are
// being deleted own nothing.
func byAge(pools []fleetv1.Pool) []*fleetv1.Pool {
	var all []*fleetv1.Pool
	for i := range pools {
		if pools[i].DeletionTimestamp.IsZero() {
			all = append(all, &pools[i])
		}
	}
	slices.SortFunc(all, func(a, b *fleetv1.Pool) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
	return all
}

func hostsIn(pool *fleetv1.Pool, cluster string) []string {
	var names []string
	for _, hosts := range pool.Spec.Hosts {
		if hosts.Cluster == cluster {
			names = append(names, hosts.Names...)
		}
	}
	return names
}
