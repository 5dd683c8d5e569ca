// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package network

import (
	"fmt"
	"net/netip"
	"regexp"
)

// Config says what the network of one sandbox looks like. The addresses are
// decided by the caller, so that two sandboxes of different names can lie side
// by side.
type Config struct {
	// Sandbox is the sandbox's name; every namespace and link bears it.
	Sandbox string
	// StateFile remembers which links are cut, as JSON. It is read by Up, so
	// that cuts outlive the process; removed by Down.
	StateFile string
	// MTU of every link, in bytes; 1500 when 0.
	MTU int
	// DataCenters in the order of the topology.
	DataCenters []DataCenter
	// Hosts, real and edge.
	Hosts []Host
}

// DataCenter is one site: a router, a subnet for hosts and racks.
type DataCenter struct {
	// Name, for example "dc-east".
	Name string
	// Subnet holds the addresses of hosts, router and machine.
	Subnet netip.Prefix
	// Router is the data centre's gateway, an address in Subnet.
	Router netip.Addr
	// Machine is the address of the root namespace in this data centre. API
	// server, DNS and registry listen on it.
	Machine netip.Addr
	// Racks by name; unique in the sandbox.
	Racks []string
}

// Host is one network namespace behind a rack.
type Host struct {
	// Name of the host, unique in the sandbox.
	Name string
	// DataCenter and Rack it stands in.
	DataCenter, Rack string
	// IP of the host, in the data centre's Subnet.
	IP netip.Addr
	// PodCIDR is the network of the host's pods; zero for an edge host.
	PodCIDR netip.Prefix
}

const (
	defaultMTU = 1500
	// MaxSandboxName bounds the sandbox's name, in bytes.
	MaxSandboxName = 32
)

var namePattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)

// Validate says what is wrong with the configuration, or nil.
func (c Config) Validate() error {
	if !namePattern.MatchString(c.Sandbox) || len(c.Sandbox) > MaxSandboxName {
		return fmt.Errorf("sandbox name %q: use at most %d lower-case letters, digits and dashes", c.Sandbox, MaxSandboxName)
	}
	names := map[string]string{Hub: "the hub"}
	claim := func(name, what string) error {
		if !namePattern.MatchString(name) {
			return fmt.Errorf("%s %q: use lower-case letters, digits and dashes", what, name)
		}
		if other, taken := names[name]; taken {
			return fmt.Errorf("%s %q: the name is taken by %s", what, name, other)
		}
		names[name] = what
		return nil
	}
	racks := map[string]string{}
	centers := map[string]DataCenter{}
	addresses := map[netip.Addr]string{}
	for _, dc := range c.DataCenters {
		if err := claim(dc.Name, "data centre"); err != nil {
			return err
		}
		if !dc.Subnet.IsValid() || !dc.Subnet.Contains(dc.Router) || !dc.Subnet.Contains(dc.Machine) {
			return fmt.Errorf("data centre %q: router %v and machine %v must lie in subnet %v", dc.Name, dc.Router, dc.Machine, dc.Subnet)
		}
		for other, o := range centers {
			if o.Subnet.Overlaps(dc.Subnet) {
				return fmt.Errorf("data centre %q: subnet %v overlaps that of %q", dc.Name, dc.Subnet, other)
			}
		}
		addresses[dc.Router], addresses[dc.Machine] = dc.Name, dc.Name
		centers[dc.Name] = dc
		for _, rack := range dc.Racks {
			if err := claim(rack, "rack"); err != nil {
				return err
			}
			racks[rack] = dc.Name
		}
	}
	for _, h := range c.Hosts {
		if err := claim(h.Name, "host"); err != nil {
			return err
		}
		dc, ok := centers[h.DataCenter]
		if !ok {
			return fmt.Errorf("host %q: there is no data centre %q", h.Name, h.DataCenter)
		}
		if racks[h.Rack] != h.DataCenter {
			return fmt.Errorf("host %q: data centre %q has no rack %q", h.Name, h.DataCenter, h.Rack)
		}
		if !dc.Subnet.Contains(h.IP) {
			return fmt.Errorf("host %q: address %v is not in subnet %v of %q", h.Name, h.IP, dc.Subnet, dc.Name)
		}
		if other, taken := addresses[h.IP]; taken {
			return fmt.Errorf("host %q: address %v is taken by %q", h.Name, h.IP, other)
		}
		addresses[h.IP] = h.Name
	}
	return nil
}

func (c Config) mtu() int {
	if c.MTU > 0 {
		return c.MTU
	}
	return defaultMTU
}

func (c Config) dataCenter(name string) (DataCenter, bool) {
	for _, dc := range c.DataCenters {
		if dc.Name == name {
			return dc, true
		}
	}
	return DataCenter{}, false
}

func (c Config) host(name string) (Host, bool) {
	for _, h := range c.Hosts {
		if h.Name == name {
			return h, true
		}
	}
	return Host{}, false
}
