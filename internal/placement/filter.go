// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement

import (
	"fmt"
	"slices"
	"strings"
)

// Filter rules out cells. Check returns why the cell may not take instances of
// the component, or "" when it may.
type Filter struct {
	Name  string
	Check func(s Snapshot, r Request, c Component, cell Cell) string
	// Lasting filters hold for instances that are already there, too. The others
	// keep only new instances away: absence of data moves nobody.
	Lasting bool
}

// Filters returns the filters in the order in which they are asked.
func Filters() []Filter {
	return []Filter{
		{Name: "EnvironmentServed", Check: environmentServed, Lasting: true},
		{Name: "DataCenterOfDCN", Check: dataCenterOfDCN, Lasting: true},
		{Name: "TenantOwnsPool", Check: tenantOwnsPool, Lasting: true},
		{Name: "HostKind", Check: hostKind, Lasting: true},
		{Name: "LevelOfPool", Check: levelOfPool, Lasting: true},
		{Name: "ZoneOfPool", Check: zoneOfPool, Lasting: true},
		{Name: "ZoneAcceptsLevel", Check: zoneAcceptsLevel, Lasting: true},
		{Name: "PoolsGuarded", Check: poolsGuarded},
		{Name: "VolumesProvided", Check: volumesProvided, Lasting: true},
		{Name: "ClusterReachable", Check: clusterReachable},
		{Name: "HostsReady", Check: hostsReady},
	}
}

func environmentServed(s Snapshot, r Request, _ Component, cell Cell) string {
	cluster, ok := s.cluster(cell.Cluster)
	if !ok {
		return fmt.Sprintf("cluster %s is not known", cell.Cluster)
	}
	if cluster.Environment != r.Environment {
		return fmt.Sprintf("cluster %s serves environment %s, not %s", cluster.Name, cluster.Environment, r.Environment)
	}
	dcn, ok := s.dcn(cell.DCN)
	if !ok {
		return fmt.Sprintf("DCN %s is not known", cell.DCN)
	}
	if dcn.Environment != r.Environment {
		return fmt.Sprintf("DCN %s belongs to environment %s, not %s", dcn.Name, dcn.Environment, r.Environment)
	}
	return ""
}

func dataCenterOfDCN(s Snapshot, _ Request, _ Component, cell Cell) string {
	cluster, _ := s.cluster(cell.Cluster)
	dcn, _ := s.dcn(cell.DCN)
	if cluster.DataCenter != dcn.DataCenter {
		return fmt.Sprintf("cluster %s is in %s, DCN %s in %s", cluster.Name, cluster.DataCenter, dcn.Name, dcn.DataCenter)
	}
	return ""
}

func tenantOwnsPool(s Snapshot, r Request, _ Component, cell Cell) string {
	pool, ok := s.pool(cell.Pool)
	if !ok {
		return fmt.Sprintf("pool %s is not known", cell.Pool)
	}
	if !slices.Contains(pool.Tenants, r.Tenant) {
		return fmt.Sprintf("pool %s belongs to %s, not to %s", pool.Name, strings.Join(slices.Sorted(slices.Values(pool.Tenants)), ", "), r.Tenant)
	}
	return ""
}

func hostKind(s Snapshot, r Request, _ Component, cell Cell) string {
	wanted := r.HostKind
	if wanted == "" {
		wanted = RealHosts
	}
	pool, _ := s.pool(cell.Pool)
	if pool.Kind != wanted {
		return fmt.Sprintf("pool %s holds %s hosts, asked for are %s ones", pool.Name, strings.ToLower(string(pool.Kind)), strings.ToLower(string(wanted)))
	}
	return ""
}

func levelOfPool(s Snapshot, _ Request, c Component, cell Cell) string {
	pool, _ := s.pool(cell.Pool)
	if pool.Level != c.Level {
		return fmt.Sprintf("pool %s carries security level %s, the component %s", pool.Name, pool.Level, c.Level)
	}
	return ""
}

func zoneOfPool(s Snapshot, _ Request, c Component, cell Cell) string {
	pool, _ := s.pool(cell.Pool)
	if !slices.Contains(pool.Zones, c.Zone) || cell.Zone != c.Zone {
		return fmt.Sprintf("hosts of pool %s attach to %s, not to zone %s", pool.Name, strings.Join(slices.Sorted(slices.Values(pool.Zones)), ", "), c.Zone)
	}
	return ""
}

func zoneAcceptsLevel(s Snapshot, _ Request, c Component, _ Cell) string {
	zone, ok := s.zone(c.Zone)
	if !ok {
		return fmt.Sprintf("zone %s is not known", c.Zone)
	}
	if !slices.Contains(zone.Levels, c.Level) {
		return fmt.Sprintf("zone %s accepts security level %s, not %s", zone.Name, strings.Join(slices.Sorted(slices.Values(zone.Levels)), ", "), c.Level)
	}
	return ""
}

func poolsGuarded(s Snapshot, _ Request, c Component, cell Cell) string {
	cluster, _ := s.cluster(cell.Cluster)
	level, _ := s.level(c.Level)
	if level.NeedsGuard && !cluster.GuardsPools {
		return fmt.Sprintf("cluster %s cannot keep foreign pods off pools, which security level %s requires", cluster.Name, level.Name)
	}
	return ""
}

func volumesProvided(s Snapshot, _ Request, c Component, cell Cell) string {
	cluster, _ := s.cluster(cell.Cluster)
	for _, kind := range c.Volumes {
		if !slices.Contains(cluster.Volumes, kind) {
			return fmt.Sprintf("cluster %s provides no volumes of kind %s: map the kind in its storageClasses", cluster.Name, kind)
		}
	}
	return ""
}

func clusterReachable(s Snapshot, _ Request, _ Component, cell Cell) string {
	cluster, _ := s.cluster(cell.Cluster)
	if cluster.Away != "" {
		return fmt.Sprintf("cluster %s takes no new instances: %s", cluster.Name, cluster.Away)
	}
	return ""
}

func hostsReady(s Snapshot, _ Request, _ Component, cell Cell) string {
	if len(s.hosts(cell)) == 0 {
		return fmt.Sprintf("no host of pool %s on rack %s of cluster %s is ready", cell.Pool, cell.Rack, cell.Cluster)
	}
	return ""
}

// refusedBy returns the first filter that rules the cell out, and why.
func refusedBy(filters []Filter, s Snapshot, r Request, c Component, cell Cell, there bool) (rule, why string) {
	for _, f := range filters {
		if there && !f.Lasting {
			continue
		}
		if why := f.Check(s, r, c, cell); why != "" {
			return f.Name, why
		}
	}
	return "", ""
}
