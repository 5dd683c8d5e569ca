// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package network

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// protocol marks the routes of the sandbox in a namespace (shown by
// "ip route" as "proto 88"), so that only ours are ever removed.
const protocol netlink.RouteProtocol = 88

// route is a wanted route: to a network through a neighbour on a link, or
// into nothing (a cut backbone drops silently, as a cut fibre does).
type route struct {
	To        netip.Prefix
	Via       netip.Addr // not valid: blackhole
	Link      string
	Blackhole bool
}

// machineRoutes are the root namespace's: every pod network through its host.
func machineRoutes(c Config) []route {
	var routes []route
	for _, h := range c.Hosts {
		if h.PodCIDR.IsValid() {
			routes = append(routes, route{To: h.PodCIDR, Via: h.IP, Link: rootLink(c.Sandbox, h.DataCenter)})
		}
	}
	return routes
}

// routerRoutes are those of a data centre's router: its own pod networks
// through their hosts; the other sites over the backbone, or into nothing.
func routerRoutes(c Config, dc string, cuts Cuts) []route {
	var routes []route
	for _, other := range c.DataCenters {
		if other.Name == dc {
			continue
		}
		cut := cuts.between(dc, other.Name)
		add := func(to netip.Prefix) {
			r := route{To: to, Blackhole: true}
			if !cut {
				r = route{To: to, Via: other.Router, Link: backbone(other.Name)}
			}
			routes = append(routes, r)
		}
		add(other.Subnet)
		for _, h := range c.Hosts {
			if h.DataCenter == other.Name && h.PodCIDR.IsValid() {
				add(h.PodCIDR)
			}
		}
	}
	for _, h := range c.Hosts {
		if h.DataCenter == dc && h.PodCIDR.IsValid() {
			routes = append(routes, route{To: h.PodCIDR, Via: h.IP, Link: routerBridge})
		}
	}
	return routes
}

// hostRoutes are those of a host: neighbours' pods directly, the machine is on
// the subnet, everything else through the router.
func hostRoutes(c Config, host Host) []route {
	dc, _ := c.dataCenter(host.DataCenter)
	routes := []route{{To: netip.PrefixFrom(netip.IPv4Unspecified(), 0), Via: dc.Router, Link: hostLink}}
	for _, h := range c.Hosts {
		if h.DataCenter == host.DataCenter && h.Name != host.Name && h.PodCIDR.IsValid() {
			routes = append(routes, route{To: h.PodCIDR, Via: h.IP, Link: hostLink})
		}
	}
	return routes
}

// ensureRoutes makes the namespace's marked routes exactly the wanted ones.
// links says which of the routes' links belong to us (for the root namespace,
// where other sandboxes have marked routes too); nil means all.
func (s *space) ensureRoutes(want []route, ours func(link string) bool) error {
	have, err := s.RouteListFiltered(netlink.FAMILY_V4, &netlink.Route{Protocol: protocol, Table: unix.RT_TABLE_MAIN}, netlink.RT_FILTER_PROTOCOL|netlink.RT_FILTER_TABLE)
	if err != nil {
		return fmt.Errorf("could not list routes in %s: %w", s.where(), err)
	}
	index := map[string]int{}
	names := map[int]string{}
	links, err := s.LinkList()
	if err != nil {
		return fmt.Errorf("could not list links in %s: %w", s.where(), err)
	}
	for _, l := range links {
		index[l.Attrs().Name], names[l.Attrs().Index] = l.Attrs().Index, l.Attrs().Name
	}
	for _, r := range want {
		nl := netlink.Route{Dst: ipNet(r.To), Protocol: protocol, Table: unix.RT_TABLE_MAIN}
		if r.Blackhole {
			nl.Type = unix.RTN_BLACKHOLE
		} else {
			at, ok := index[r.Link]
			if !ok {
				return fmt.Errorf("could not add route to %v in %s: there is no link %q", r.To, s.where(), r.Link)
			}
			nl.LinkIndex, nl.Gw, nl.Flags = at, r.Via.AsSlice(), int(netlink.FLAG_ONLINK)
		}
		if err := s.RouteReplace(&nl); err != nil {
			return fmt.Errorf("could not add route to %v by %v in %s: %w", r.To, r.Via, s.where(), err)
		}
	}
	for _, h := range have {
		if ours != nil && !ours(names[h.LinkIndex]) {
			continue
		}
		if slices.ContainsFunc(want, func(r route) bool { return sameNet(h, r.To) }) {
			continue
		}
		if err := s.RouteDel(&h); err != nil {
			return fmt.Errorf("could not remove route to %v in %s: %w", h.Dst, s.where(), err)
		}
	}
	return nil
}

func sameNet(h netlink.Route, to netip.Prefix) bool {
	if h.Dst == nil {
		return to.Bits() == 0
	}
	return h.Dst.String() == to.String()
}
