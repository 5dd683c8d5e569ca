// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package topology

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

// Bounds that the address plan sets.
const (
	maxDataCenters     = 8
	maxClusters        = 15
	maxRacks           = 64
	maxNetworkHosts    = 200  // real and edge, in one data centre
	maxRealHosts       = 250  // in the sandbox
	maxSimulated       = 2000 // in one cluster
	maxSandboxName     = 32
	maxName            = 40
	maxFlags           = 64
	hubName            = "hub"
	maxFileBytes       = 1 << 20
	defaultCountDigits = 2
)

var namePattern = regexp.MustCompile(`^[a-z]([a-z0-9-]*[a-z0-9])?$`)

// Parse reads a topology file. Unknown fields are errors; every fault is
// reported, each with the field it is in.
func Parse(content []byte) (*Sandbox, error) {
	if len(content) > maxFileBytes {
		return nil, fmt.Errorf("could not read the topology: it is larger than %d bytes", maxFileBytes)
	}
	sandbox := &Sandbox{}
	raw, err := yaml.YAMLToJSONStrict(content)
	if err != nil {
		return nil, fmt.Errorf("could not read the topology: %w", err)
	}
	strict, err := json.UnmarshalStrict(raw, sandbox)
	if err := errors.Join(append(strict, err)...); err != nil {
		return nil, fmt.Errorf("could not read the topology: %w", err)
	}
	if err := sandbox.Validate(); err != nil {
		return nil, fmt.Errorf("could not accept the topology of sandbox %q:\n%w", sandbox.Metadata.Name, err)
	}
	return sandbox, nil
}

// faults collects what is wrong.
type faults []error

func (f *faults) add(format string, args ...any) { *f = append(*f, fmt.Errorf(format, args...)) }

// checker walks a sandbox and remembers what it has met.
type checker struct {
	faults
	names    map[string]string // every name that can be an end of a link, and what it is
	racks    map[string]string // rack to data centre
	clusters map[string]bool
}

// Validate says everything that is wrong with the sandbox, or nil.
func (s *Sandbox) Validate() error {
	c := &checker{names: map[string]string{hubName: "the hub"}, racks: map[string]string{}, clusters: map[string]bool{}}
	if s.APIVersion != APIVersion || s.Kind != Kind {
		c.add("apiVersion and kind must be %q and %q, not %q and %q", APIVersion, Kind, s.APIVersion, s.Kind)
	}
	if !namePattern.MatchString(s.Metadata.Name) || len(s.Metadata.Name) > maxSandboxName {
		c.add("metadata.name %q must be at most %d lower-case letters, digits and dashes, and begin with a letter", s.Metadata.Name, maxSandboxName)
	}
	c.dataCenters(s.Spec.DataCenters)
	c.flags("spec.hub.apiServerFlags", s.Spec.Hub.APIServerFlags)
	c.members(s.Spec)
	c.hosts(s.Spec.Hosts)
	c.links(s.Spec)
	for field, service := range map[string]Service{"spec.registry": s.Spec.Registry, "spec.prometheus": s.Spec.Prometheus} {
		if service.State != "" && service.State != "on" && service.State != "off" {
			c.add("%s.state %q must be on or off (in quotes: YAML reads a bare on as true)", field, service.State)
		}
	}
	return errors.Join(c.faults...)
}

// claim checks a name and that nobody else bears it.
func (c *checker) claim(field, name, what string) {
	if !namePattern.MatchString(name) || len(name) > maxName {
		c.add("%s %q must be at most %d lower-case letters, digits and dashes, and begin with a letter", field, name, maxName)
		return
	}
	if other, taken := c.names[name]; taken {
		c.add("%s %q is taken by %s", field, name, other)
		return
	}
	c.names[name] = what
}

func (c *checker) dataCenters(list []DataCenter) {
	if len(list) == 0 || len(list) > maxDataCenters {
		c.add("spec.dataCenters must list 1 to %d data centres, not %d", maxDataCenters, len(list))
	}
	for i, dc := range list {
		field := fmt.Sprintf("spec.dataCenters[%d]", i)
		c.claim(field+".name", dc.Name, "data centre "+dc.Name)
		if dc.AvailabilityZone != "" && !namePattern.MatchString(dc.AvailabilityZone) {
			c.add("%s.availabilityZone %q must be lower-case letters, digits and dashes", field, dc.AvailabilityZone)
		}
		if len(dc.Racks) == 0 || len(dc.Racks) > maxRacks {
			c.add("%s.racks must list 1 to %d racks, not %d", field, maxRacks, len(dc.Racks))
		}
		for j, rack := range dc.Racks {
			c.claim(fmt.Sprintf("%s.racks[%d]", field, j), rack, "rack "+rack)
			if _, taken := c.racks[rack]; !taken {
				c.racks[rack] = dc.Name
			}
		}
	}
}

func (c *checker) members(spec Spec) {
	if len(spec.Clusters) > maxClusters {
		c.add("spec.clusters must list at most %d clusters, not %d", maxClusters, len(spec.Clusters))
	}
	for i, cluster := range spec.Clusters {
		field := fmt.Sprintf("spec.clusters[%d]", i)
		c.claim(field+".name", cluster.Name, "cluster "+cluster.Name)
		c.clusters[cluster.Name] = true
		if !slices.ContainsFunc(spec.DataCenters, func(dc DataCenter) bool { return dc.Name == cluster.DataCenter }) {
			c.add("%s.dataCenter %q is not one of spec.dataCenters", field, cluster.DataCenter)
		}
		c.flags(field+".apiServerFlags", cluster.APIServerFlags)
	}
}

func (c *checker) flags(field string, flags []string) {
	if len(flags) > maxFlags {
		c.add("%s must list at most %d flags, not %d", field, maxFlags, len(flags))
	}
	for _, flag := range flags {
		if !strings.HasPrefix(flag, "--") || strings.ContainsAny(flag, "\x00\n") {
			c.add("%s %q must be written as --name=value", field, flag)
		}
	}
}

func (c *checker) hosts(list []Host) {
	network, simulated, realHosts := map[string]int{}, map[string]int{}, 0
	for i, host := range list {
		field := fmt.Sprintf("spec.hosts[%d]", i)
		if host.Count < 0 || host.Count > maxSimulated {
			c.add("%s.count must be 0 to %d, not %d", field, maxSimulated, host.Count)
			continue
		}
		names := host.names()
		for _, name := range names {
			c.claim(field+".name", name, "host "+name)
		}
		dc, known := c.racks[host.Rack]
		if !known {
			c.add("%s.rack %q is not a rack of any data centre", field, host.Rack)
		}
		switch host.Kind {
		case Real:
			realHosts += len(names)
			network[dc] += len(names)
		case Simulated:
			simulated[host.Cluster] += len(names)
		case Edge:
			network[dc] += len(names)
		default:
			c.add("%s.kind %q must be real, simulated or edge", field, host.Kind)
		}
		if host.Kind == Edge && host.Cluster != "" {
			c.add("%s.cluster must be empty: an edge host belongs to no cluster", field)
		}
		if host.Kind != Edge && !c.clusters[host.Cluster] {
			c.add("%s.cluster %q is not one of spec.clusters", field, host.Cluster)
		}
		for name, quantity := range map[string]string{"cpu": host.CPU, "memory": host.Memory} {
			if quantity == "" {
				continue
			}
			if parsed, err := resource.ParseQuantity(quantity); err != nil || parsed.Sign() <= 0 {
				c.add("%s.%s %q must be a positive amount such as 4 or 8Gi", field, name, quantity)
			}
		}
	}
	if realHosts > maxRealHosts {
		c.add("spec.hosts: at most %d real hosts have addresses, not %d", maxRealHosts, realHosts)
	}
	for dc, n := range network {
		if n > maxNetworkHosts {
			c.add("spec.hosts: at most %d real and edge hosts fit into data centre %q, not %d", maxNetworkHosts, dc, n)
		}
	}
	for cluster, n := range simulated {
		if n > maxSimulated {
			c.add("spec.hosts: at most %d simulated hosts fit into cluster %q, not %d", maxSimulated, cluster, n)
		}
	}
}

func (c *checker) links(spec Spec) {
	for i, link := range spec.Links {
		field := fmt.Sprintf("spec.links[%d]", i)
		if len(link.Between) != 2 || link.Between[0] == link.Between[1] {
			c.add("%s.between must name two different ends", field)
			continue
		}
		for _, end := range link.Between {
			if _, known := c.names[end]; !known {
				c.add("%s.between names %q, which is neither the hub, a data centre, a rack nor a host", field, end)
			}
		}
		if link.State != "" && link.State != Connected && link.State != Cut {
			c.add("%s.state %q must be connected or cut", field, link.State)
		}
	}
}

// names are the hosts' names that one entry stands for.
func (h Host) names() []string {
	if h.Count == 0 {
		return []string{h.Name}
	}
	digits := max(defaultCountDigits, len(fmt.Sprint(h.Count)))
	names := make([]string, h.Count)
	for i := range names {
		names[i] = fmt.Sprintf("%s-%0*d", h.Name, digits, i+1)
	}
	return names
}
