// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package netpol

import (
	"net/netip"
	"slices"
)

// RuleSet is everything one host lets through and keeps out.
type RuleSet struct {
	// PodCIDRs are the host's pod addresses: closed, unless Known.
	PodCIDRs []netip.Prefix
	// Known are the addresses of the host's pods, sorted.
	Known []netip.Addr
	// Ingress and Egress name the chain that decides about a pod's traffic; a
	// known pod without one is not isolated in that direction.
	Ingress map[netip.Addr]string
	Egress  map[netip.Addr]string
	// Chains by name. Pods with equal rules share one.
	Chains map[string]Chain
}

// Chain lets pass what one of its rules matches, and drops everything else.
type Chain []Rule

// Rule matches when both the peer and the port do.
type Rule struct {
	Peers Peers
	// Ports, none for every protocol and port.
	Ports []Port
}

// Peers are the addresses at the other end: Any, or those of Addresses, or
// those in Block but not in Except.
type Peers struct {
	Any       bool
	Addresses []netip.Addr
	Block     netip.Prefix
	Except    []netip.Prefix
}

// Port is a range of destination ports, both ends included. 0 to 65535 is the
// whole protocol.
type Port struct {
	Protocol Protocol
	First    uint16
	Last     uint16
}

// Closed is the rule set of a host about whose pods nothing is known yet.
func Closed(host Host) RuleSet {
	return RuleSet{
		PodCIDRs: host.PodCIDRs,
		Ingress:  map[netip.Addr]string{},
		Egress:   map[netip.Addr]string{},
		Chains:   map[string]Chain{},
	}
}

// Allows tells what becomes of the first packet of a connection that this
// host forwards, after translation of its address.
func (r RuleSet) Allows(from, to netip.Addr, protocol Protocol, port uint16) bool {
	for _, end := range []netip.Addr{from, to} {
		if _, known := slices.BinarySearchFunc(r.Known, end, netip.Addr.Compare); !known && contains(r.PodCIDRs, end) {
			return false
		}
	}
	if from == to {
		return true
	}
	if chain, isolated := r.Egress[from]; isolated && !r.Chains[chain].passes(to, protocol, port) {
		return false
	}
	if chain, isolated := r.Ingress[to]; isolated && !r.Chains[chain].passes(from, protocol, port) {
		return false
	}
	return true
}

func (c Chain) passes(peer netip.Addr, protocol Protocol, port uint16) bool {
	return slices.ContainsFunc(c, func(r Rule) bool { return r.Peers.has(peer) && r.covers(protocol, port) })
}

func (p Peers) has(address netip.Addr) bool {
	switch {
	case p.Any:
		return true
	case p.Block.IsValid():
		return p.Block.Contains(address) && !contains(p.Except, address)
	}
	return slices.Contains(p.Addresses, address)
}

func (r Rule) covers(protocol Protocol, port uint16) bool {
	return len(r.Ports) == 0 || slices.ContainsFunc(r.Ports, func(p Port) bool {
		return p.Protocol == protocol && p.First <= port && port <= p.Last
	})
}
