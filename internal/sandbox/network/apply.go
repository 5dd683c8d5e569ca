// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package network

import (
	"context"
	"net/netip"
	"strings"
)

// apply makes the kernel's state the wanted one: namespaces and bridges first,
// then links with their state, addresses, and routes last (a link set down
// loses them). Hosts that only refuses are left as they are.
func (n *Network) apply(ctx context.Context, only func(Host) bool) error {
	c, cuts := n.config, n.cuts
	root, err := openRoot()
	if err != nil {
		return err
	}
	defer root.close()

	spaces := map[string]*space{}
	defer func() {
		for _, s := range spaces {
			s.close()
		}
	}()
	for _, dc := range c.DataCenters {
		if err := ctx.Err(); err != nil {
			return err
		}
		s, err := ensureSpace(NamespacePath(c.Sandbox, dc.Name))
		if err != nil {
			return err
		}
		spaces[dc.Name] = s
		if err := n.applyDataCenter(root, s, dc); err != nil {
			return err
		}
	}
	for i, a := range c.DataCenters {
		for _, b := range c.DataCenters[i+1:] {
			if err := n.applyBackbone(spaces[a.Name], spaces[b.Name], a, b); err != nil {
				return err
			}
		}
	}
	for _, h := range c.Hosts {
		if err := ctx.Err(); err != nil {
			return err
		}
		if !only(h) {
			continue
		}
		if err := n.applyHost(spaces[h.DataCenter], h); err != nil {
			return err
		}
	}
	for _, dc := range c.DataCenters {
		if err := spaces[dc.Name].ensureRoutes(routerRoutes(c, dc.Name, cuts), nil); err != nil {
			return err
		}
	}
	if err := root.ensureRoutes(machineRoutes(c), func(link string) bool {
		return strings.HasPrefix(link, LinkPrefix(c.Sandbox))
	}); err != nil {
		return err
	}
	return applyTable(c.Sandbox, cutMachines(c, cuts))
}

// applyDataCenter makes the router's bridge, the racks behind it and the
// machine's link.
func (n *Network) applyDataCenter(root, s *space, dc DataCenter) error {
	c := n.config
	bridge, err := s.ensureBridge(routerBridge, c.mtu())
	if err != nil {
		return err
	}
	if err := s.ensureAddress(bridge, netip.PrefixFrom(dc.Router, dc.Subnet.Bits())); err != nil {
		return err
	}
	for _, name := range dc.Racks {
		rack, err := s.ensureBridge(rackBridge(name), c.mtu())
		if err != nil {
			return err
		}
		up, err := s.ensureVeth(veth{name: rackUplink(name), peer: rackDownlink(name), mtu: c.mtu()})
		if err != nil {
			return err
		}
		down, err := s.link(rackDownlink(name))
		if err != nil {
			return err
		}
		if err := s.plug(up, rack); err != nil {
			return err
		}
		if err := s.plug(down, bridge); err != nil {
			return err
		}
		if err := s.setUp(down); err != nil {
			return err
		}
		if err := s.setState(up, !n.cuts[linkBetween(dc.Name, name)]); err != nil {
			return err
		}
	}

	outer, err := root.ensureVeth(veth{name: rootLink(c.Sandbox, dc.Name), peer: machineLink, in: s, mtu: c.mtu()})
	if err != nil {
		return err
	}
	inner, err := s.link(machineLink)
	if err != nil {
		return err
	}
	if err := s.plug(inner, bridge); err != nil {
		return err
	}
	if err := root.setUp(outer); err != nil {
		return err
	}
	if err := root.ensureAddress(outer, netip.PrefixFrom(dc.Machine, dc.Subnet.Bits())); err != nil {
		return err
	}
	return s.setState(inner, !n.cuts.site(dc.Name))
}

// applyBackbone joins two routers. The link itself bears no addresses: each
// router answers for its own on it.
func (n *Network) applyBackbone(sa, sb *space, a, b DataCenter) error {
	near, err := sa.ensureVeth(veth{name: backbone(b.Name), peer: backbone(a.Name), in: sb, mtu: n.config.mtu()})
	if err != nil {
		return err
	}
	far, err := sb.link(backbone(a.Name))
	if err != nil {
		return err
	}
	if err := sa.setUp(near); err != nil {
		return err
	}
	return sb.setUp(far)
}

// applyHost makes a host's namespace and plugs it into its rack.
func (n *Network) applyHost(dc *space, h Host) error {
	c := n.config
	s, err := ensureSpace(NamespacePath(c.Sandbox, h.Name))
	if err != nil {
		return err
	}
	defer s.close()
	rack, err := dc.link(rackBridge(h.Rack))
	if err != nil {
		return err
	}
	port, err := dc.ensureVeth(veth{name: hostPort(h.Name), peer: hostLink, in: s, mtu: c.mtu(), mac: macOf(h.IP)})
	if err != nil {
		return err
	}
	if err := dc.plug(port, rack); err != nil {
		return err
	}
	if err := dc.setState(port, !n.cuts[linkBetween(h.Rack, h.Name)]); err != nil {
		return err
	}
	eth, err := s.link(hostLink)
	if err != nil {
		return err
	}
	if err := s.setUp(eth); err != nil {
		return err
	}
	site, _ := c.dataCenter(h.DataCenter)
	if err := s.ensureAddress(eth, netip.PrefixFrom(h.IP, site.Subnet.Bits())); err != nil {
		return err
	}
	return s.ensureRoutes(hostRoutes(c, h), nil)
}
