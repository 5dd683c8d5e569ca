// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package app

import (
	"time"

	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
)

// Defined are the bank's own objects as they stand on the hub.
type Defined struct {
	Environment tenancyv1.Environment
	Levels      []tenancyv1.SecurityLevel
	Classes     []tenancyv1.AvailabilityClass
	Zones       []fleetv1.NetworkZone
	Pools       []fleetv1.Pool
	DCNs        []fleetv1.DCN
	Clusters    []fleetv1.Cluster
	Sites       []fleetv1.DataCenter
}

// WorldOf makes the World of a tenant's application from the objects on the hub.
func WorldOf(tenant string, d Defined, now time.Time) World {
	w := World{
		Now: now, Tenant: tenant,
		Environment:      d.Environment.Name,
		EnvironmentClass: EnvironmentClass(d.Environment.Spec.Class),
	}
	for _, l := range d.Levels {
		level := Level{Name: l.Name, Rank: l.Spec.Rank, PodSecurity: l.Spec.PodSecurity}
		for _, rule := range l.Spec.Hardening {
			level.Hardening = append(level.Hardening, Rule(rule))
		}
		for _, e := range l.Spec.Exceptions {
			level.Exceptions = append(level.Exceptions, Exception{
				Name: e.Name, Rule: Rule(e.Rule), Tenant: e.Tenant, Application: e.Application,
				Component: e.Component, Reason: e.Reason, Approver: e.Approver, ExpiresAt: e.ExpiresAt.Time,
			})
		}
		w.Levels = append(w.Levels, level)
	}
	for _, c := range d.Classes {
		w.Classes = append(w.Classes, Class{
			Name: c.Name, Rank: c.Spec.Rank, MinimumInstances: c.Spec.MinimumInstances,
			MinimumDataCenters: c.Spec.MinimumDataCenters, MinimumRacks: matters(c.Spec.MinimumRacks), MinimumZones: matters(c.Spec.MinimumZones),
			UnreachableSeconds: c.Spec.UnreachableSeconds,
		})
	}
	w.Zones = ZonesOf(d.Zones)
	for _, p := range d.Pools {
		pool := Pool{Name: p.Name, Level: p.Spec.SecurityLevel, Zones: p.Spec.Zones, Tenants: p.Spec.SharedBy}
		if p.Spec.Tenant != "" {
			pool.Tenants = []string{p.Spec.Tenant}
		}
		for _, rack := range p.Status.Racks {
			for _, h := range rack.Room {
				if pool.Hosts == nil {
					pool.Hosts = map[string]int{}
				}
				pool.Hosts[h.Architecture]++
			}
		}
		w.Pools = append(w.Pools, pool)
	}
	for _, n := range d.DCNs {
		w.DCNs = append(w.DCNs, DCN{Name: n.Name, DataCenter: n.Spec.DataCenter, Environment: n.Spec.Environment})
	}
	for _, s := range d.Sites {
		w.Sites = append(w.Sites, Site{Name: s.Name, City: s.Spec.City})
	}
	for _, c := range d.Clusters {
		w.Members = append(w.Members, Member{Name: c.Name, DataCenter: c.Spec.DataCenter, Environment: c.Spec.Environment, DiskIO: c.Spec.DiskIO})
	}
	return w
}

// ZonesOf turns NetworkZones into the zones that Check and Render ask.
func ZonesOf(zones []fleetv1.NetworkZone) []Zone {
	var out []Zone
	for _, z := range zones {
		zone := Zone{Name: z.Name, Accepts: z.Spec.AcceptedLevels}
		for _, f := range z.Spec.Flows {
			zone.Flows = append(zone.Flows, Flow{To: f.To, Ports: f.Ports})
		}
		out = append(out, zone)
	}
	return out
}

// AllowancesOf turns a tenant's allowances into what Render opens.
func AllowancesOf(tenant tenancyv1.Tenant) []Allowance {
	var out []Allowance
	for _, a := range tenant.Spec.Allowances {
		out = append(out, Allowance{Name: a.Name, From: a.From, Ports: a.Ports})
	}
	return out
}

// matters is a minimum that asks for something: one is what there is anyway.
func matters(n int32) int32 {
	if n <= 1 {
		return 0
	}
	return n
}
