// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package app

import (
	"fmt"
	"slices"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
)

// checking is the work of Check.
type checking struct {
	name  string
	spec  appv1.ApplicationSpec
	world World
	found []appv1.Finding
}

// weight says how heavy the findings of a check are.
type weight int

const (
	byClass       weight = iota // an error in production, a warning elsewhere
	alwaysError                 // the application could not run at all
	alwaysWarning               // worth a thought, and allowed
)

// goLive are the checks before an application goes live (R47), in the order they are told.
var goLive = []struct {
	rule   string
	weight weight
	check  func(*checking, func(component, format string, args ...any))
}{
	{"UnknownReference", alwaysError, checkReferences},
	{"UnknownReference", alwaysError, checkApart},
	{"InvalidSplit", alwaysError, checkSplits},
	{"InvalidClusters", alwaysError, checkClusters},
	{"ZoneLevel", alwaysError, checkZoneLevels},
	{"PoolLevel", alwaysError, checkPools},
	{"ForbiddenFlow", alwaysError, checkFlows},
	{"InvalidValue", alwaysError, checkValues},
	{"UnsupportedProcessor", alwaysError, checkProcessors},
	{"MissingProbe", byClass, checkProbes},
	{"NoResources", byClass, checkResources},
	{"FloatingTag", byClass, checkTags},
	{"RootUser", byClass, checkRoot},
	{"UndeclaredLogs", byClass, checkLogs},
	{"LogPath", byClass, checkLogPaths},
	{"TooFewInstances", byClass, checkInstances},
	{"TooFewDataCenters", byClass, checkDataCenters},
	{"Sizing", byClass, checkSizing},
	{"MissingProcessor", alwaysWarning, checkMissingProcessors},
	{"DiskIONotLimited", alwaysWarning, checkDiskIO},
	{"Overcommit", alwaysWarning, checkOvercommit},
	{"SecretInEnv", byClass, checkSecretsInEnv},
	{"ExpiredException", byClass, checkExceptions},
}

// Check says what has to change before an application may go live. The order is fixed:
// by check, then as the application lists its components.
func Check(a *appv1.Application, w World) []appv1.Finding {
	c := &checking{name: a.Name, spec: *a.Spec.DeepCopy(), world: w}
	defaults(&c.spec, fill)
	_ = resolveSplits(&c.spec) // checkSplits says why not
	for _, g := range goLive {
		severity := appv1.SeverityWarning
		if g.weight == alwaysError || g.weight == byClass && w.EnvironmentClass == Production {
			severity = appv1.SeverityError
		}
		g.check(c, func(component, format string, args ...any) {
			c.found = append(c.found, appv1.Finding{
				Severity: severity, Rule: g.rule, Component: component, Message: fmt.Sprintf(format, args...),
			})
		})
	}
	return c.found
}

// Blocks says whether findings prevent a Revision.
func Blocks(findings []appv1.Finding) bool {
	return slices.ContainsFunc(findings, func(f appv1.Finding) bool { return f.Severity == appv1.SeverityError })
}

func (c *checking) levelOf(comp appv1.Component) string {
	if comp.SecurityLevel != "" {
		return comp.SecurityLevel
	}
	return c.spec.SecurityLevel
}

func checkReferences(c *checking, found func(component, format string, args ...any)) {
	if _, ok := c.world.level(c.spec.SecurityLevel); !ok {
		found("", "security level %q does not exist; name one that does", c.spec.SecurityLevel)
	}
	if _, ok := c.world.class(c.spec.AvailabilityClass); !ok {
		found("", "availability class %q does not exist; name one that does", c.spec.AvailabilityClass)
	}
	for _, b := range c.spec.Bindings {
		if _, ok := c.world.zone(b.Zone); !ok {
			found("", "binding %q lies in zone %q, which does not exist; correct bindings[].zone", b.Name, b.Zone)
		}
	}
	for _, e := range c.spec.Exposure {
		comp, ok := named(c.spec.Components, string(e.Component), func(c appv1.Component) string { return string(c.Name) })
		if !ok {
			found("", "exposure %q names component %q, which does not exist", e.Name, e.Component)
		} else if !hasPort(comp, e.Port) {
			found(string(e.Component), "exposure %q names port %q, which the component does not have; correct exposure[].port", e.Name, e.Port)
		}
	}
	for _, comp := range c.spec.Components {
		name := string(comp.Name)
		if comp.SecurityLevel != "" {
			if _, ok := c.world.level(comp.SecurityLevel); !ok {
				found(name, "security level %q does not exist; name one that does", comp.SecurityLevel)
			}
		}
		if _, ok := c.world.zone(comp.Zone); !ok {
			found(name, "zone %q does not exist; name one that does", comp.Zone)
		}
		for _, n := range comp.Instances {
			dcn, ok := c.world.dcn(n.DCN)
			if !ok {
				found(name, "DCN %q does not exist; correct instances", n.DCN)
			} else if dcn.Environment != "" && dcn.Environment != c.world.Environment {
				found(name, "DCN %q belongs to environment %q, not %q; correct instances", n.DCN, dcn.Environment, c.world.Environment)
			}
		}
		if _, err := dependencies(c.spec, comp); err != nil {
			found(name, "%s", err)
		}
		for what, p := range probesOf(comp) {
			if port := probePort(p); port != "" && !hasPort(comp, port) {
				found(name, "the %s probe asks port %q, which the component does not have; declare the port or correct the probe", what, port)
			}
		}
	}
}

func hasPort(c appv1.Component, name appv1.PortName) bool {
	return slices.ContainsFunc(c.Ports, func(p appv1.Port) bool { return p.Name == name })
}

// probesOf yields a component's probes in a fixed order.
func probesOf(c appv1.Component) func(yield func(string, *appv1.Probe) bool) {
	return func(yield func(string, *appv1.Probe) bool) {
		if c.Probes == nil {
			return
		}
		for _, p := range []struct {
			what  string
			probe *appv1.Probe
		}{{"startup", c.Probes.Startup}, {"readiness", c.Probes.Readiness}, {"liveness", c.Probes.Liveness}} {
			if p.probe != nil && !yield(p.what, p.probe) {
				return
			}
		}
	}
}

func probePort(p *appv1.Probe) appv1.PortName {
	switch {
	case p.HTTP != nil:
		return p.HTTP.Port
	case p.TCP != nil:
		return p.TCP.Port
	}
	return ""
}

func checkZoneLevels(c *checking, found func(component, format string, args ...any)) {
	for _, comp := range c.spec.Components {
		zone, ok := c.world.zone(comp.Zone)
		if level := c.levelOf(comp); ok && !slices.Contains(zone.Accepts, level) {
			found(string(comp.Name), "zone %q does not accept security level %q; it accepts %q: move the component to another zone or give it one of these levels", zone.Name, level, zone.Accepts)
		}
	}
}

func checkPools(c *checking, found func(component, format string, args ...any)) {
	var wished []string
	if c.spec.Placement != nil {
		wished = c.spec.Placement.Pools
	}
	for _, name := range wished {
		pool, ok := c.world.pool(name)
		switch {
		case !ok:
			found("", "pool %q does not exist; correct placement.pools", name)
		case !slices.Contains(pool.Tenants, c.world.Tenant):
			found("", "pool %q belongs to another tenant; remove it from placement.pools", name)
		}
	}
	for _, comp := range c.spec.Components {
		if _, ok := c.world.zone(comp.Zone); !ok {
			continue // said already
		}
		if !slices.ContainsFunc(c.world.Pools, func(p Pool) bool { return c.fits(p, comp) }) {
			found(string(comp.Name), "no pool of tenant %q carries security level %q in zone %q; ask for such a pool, or change the component's level or zone", c.world.Tenant, c.levelOf(comp), comp.Zone)
		}
	}
}

func checkFlows(c *checking, found func(component, format string, args ...any)) {
	for _, comp := range c.spec.Components {
		deps, err := dependencies(c.spec, comp)
		if err != nil {
			continue // said already
		}
		for _, d := range deps {
			if !Allows(c.world.Zones, comp.Zone, d.Zone, d.Port, d.Protocol) {
				found(string(comp.Name), "no NetworkZone allows connections from zone %q to %s port %d in zone %q (%s); ask for the flow, or go through a component in a zone between", comp.Zone, d.Protocol, d.Port, d.Zone, d.Name)
			}
		}
	}
}
