// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Candidate is a cell that may take instances of a component, with what is known
// of it. What is not known is nil.
type Candidate struct {
	Cell
	Request   *Request
	Component *Component
	Cluster   *Cluster
	Pool      *Pool
	DCN       *DCN
	// NetworkZone and Level that the component attaches to and carries.
	NetworkZone *Zone
	Level       *Level
	// There says that instances are in the cell already.
	There bool
}

// Filter rules out cells. Check returns why the cell may not take instances of
// the component, or "" when it may.
type Filter struct {
	Name  string
	Check func(c *Candidate) string
	// Lasting filters hold for instances that are already there, too, as far as what they go
	// by is known. The others keep only new instances away: absence of data moves nobody.
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
		{Name: "SizeOfPool", Check: sizeOfPool},
		{Name: "ZoneOfPool", Check: zoneOfPool, Lasting: true},
		{Name: "ZoneAcceptsLevel", Check: zoneAcceptsLevel, Lasting: true},
		{Name: "PoolsGuarded", Check: poolsGuarded},
		{Name: "VolumesProvided", Check: volumesProvided, Lasting: true},
		{Name: "ClusterReachable", Check: clusterReachable},
	}
}

func environmentServed(c *Candidate) string {
	switch {
	case c.Cluster == nil && !c.There:
		return fmt.Sprintf("cluster %s is not known", c.Cell.Cluster)
	case c.Cluster != nil && c.Cluster.Environment != c.Request.Environment:
		return fmt.Sprintf("cluster %s serves environment %s, not %s", c.Cluster.Name, c.Cluster.Environment, c.Request.Environment)
	case c.DCN == nil && !c.There:
		return fmt.Sprintf("DCN %s is not known", c.Cell.DCN)
	case c.DCN != nil && c.DCN.Environment != c.Request.Environment:
		return fmt.Sprintf("DCN %s belongs to environment %s, not %s", c.DCN.Name, c.DCN.Environment, c.Request.Environment)
	}
	return ""
}

func dataCenterOfDCN(c *Candidate) string {
	if c.Cluster != nil && c.DCN != nil && c.Cluster.DataCenter != c.DCN.DataCenter {
		return fmt.Sprintf("cluster %s is in %s, DCN %s in %s", c.Cluster.Name, c.Cluster.DataCenter, c.DCN.Name, c.DCN.DataCenter)
	}
	return ""
}

func tenantOwnsPool(c *Candidate) string {
	switch {
	case c.Pool == nil && c.There:
		return ""
	case c.Pool == nil:
		return fmt.Sprintf("pool %s is not known", c.Cell.Pool)
	case !slices.Contains(c.Pool.Tenants, c.Request.Tenant):
		return fmt.Sprintf("pool %s belongs to %s, not to %s", c.Pool.Name, sorted(c.Pool.Tenants), c.Request.Tenant)
	}
	return ""
}

func hostKind(c *Candidate) string {
	if wanted := cmp.Or(c.Request.HostKind, RealHosts); c.Pool != nil && c.Pool.Kind != wanted {
		return fmt.Sprintf("pool %s holds %s hosts, asked for are %s ones", c.Pool.Name, strings.ToLower(string(c.Pool.Kind)), strings.ToLower(string(wanted)))
	}
	return ""
}

func levelOfPool(c *Candidate) string {
	if c.Pool != nil && c.Pool.Level != c.Component.Level {
		return fmt.Sprintf("pool %s carries security level %s, the component %s", c.Pool.Name, c.Pool.Level, c.Component.Level)
	}
	return ""
}

func sizeOfPool(c *Candidate) string {
	if len(c.Pool.Sizes) == 0 {
		return ""
	}
	var takes []string
	for _, s := range c.Pool.Sizes {
		if s.Size == c.Component.Size {
			return ""
		}
		takes = append(takes, fmt.Sprintf("%s (%s)", s.Name, Amount{CPU: s.Size.CPU, Memory: s.Size.Memory}.words()))
	}
	return fmt.Sprintf("pool %s takes instances of size %s, the component's have %s", c.Pool.Name, sorted(takes), Amount{CPU: c.Component.Size.CPU, Memory: c.Component.Size.Memory}.words())
}

func zoneOfPool(c *Candidate) string {
	if c.Pool == nil {
		return ""
	}
	if !slices.Contains(c.Pool.Zones, c.Component.Zone) || c.Zone != c.Component.Zone {
		return fmt.Sprintf("hosts of pool %s attach to %s, not to zone %s", c.Pool.Name, sorted(c.Pool.Zones), c.Component.Zone)
	}
	return ""
}

func zoneAcceptsLevel(c *Candidate) string {
	switch {
	case c.NetworkZone == nil && c.There:
		return ""
	case c.NetworkZone == nil:
		return fmt.Sprintf("zone %s is not known", c.Component.Zone)
	case !slices.Contains(c.NetworkZone.Levels, c.Component.Level):
		return fmt.Sprintf("zone %s accepts security level %s, not %s", c.NetworkZone.Name, sorted(c.NetworkZone.Levels), c.Component.Level)
	}
	return ""
}

func poolsGuarded(c *Candidate) string {
	if c.Level != nil && c.Level.NeedsGuard && !c.Cluster.GuardsPools {
		return fmt.Sprintf("cluster %s cannot keep foreign pods off pools, which security level %s requires", c.Cluster.Name, c.Level.Name)
	}
	return ""
}

func volumesProvided(c *Candidate) string {
	if c.Cluster == nil {
		return ""
	}
	for _, kind := range c.Component.Volumes {
		if !slices.Contains(c.Cluster.Volumes, kind) {
			return fmt.Sprintf("cluster %s provides no volumes of kind %s: map the kind in its storageClasses", c.Cluster.Name, kind)
		}
	}
	return ""
}

func clusterReachable(c *Candidate) string {
	if c.Cluster.Away != "" {
		return fmt.Sprintf("cluster %s takes no new instances: %s", c.Cluster.Name, c.Cluster.Away)
	}
	return ""
}

func sorted(names []string) string {
	return strings.Join(slices.Sorted(slices.Values(names)), ", ")
}

// refusedBy returns the first filter that rules the cell out, and why. there says
// that instances are in the cell already.
func refusedBy(filters []Filter, c *Candidate, there bool) (rule, why string) {
	c.There = there
	for _, f := range filters {
		if there && !f.Lasting {
			continue
		}
		if why := f.Check(c); why != "" {
			return f.Name, why
		}
	}
	return "", ""
}
