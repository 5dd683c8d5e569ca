// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package network

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
)

// veth describes a pair: one end in the namespace that makes it, the peer made
// directly inside its own (moving a link costs a grace period of the kernel).
type veth struct {
	name string
	peer string
	in   *space // where the peer lies; the same namespace when nil
	mtu  int
	mac  net.HardwareAddr // of the peer; the kernel's choice when nil
}

// ensureVeth makes the pair unless it is there, and returns this end. A pair
// of which only one end is left cannot exist: the kernel removes both.
func (s *space) ensureVeth(v veth) (netlink.Link, error) {
	if l, err := s.LinkByName(v.name); err == nil {
		return l, nil
	} else if !isLinkNotFound(err) {
		return nil, fmt.Errorf("could not look up link %q: %w", v.name, err)
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MTU = v.name, v.mtu
	pair := &netlink.Veth{LinkAttrs: attrs, PeerName: v.peer, PeerMTU: uint32(v.mtu), PeerHardwareAddr: v.mac}
	if v.in != nil {
		pair.PeerNamespace = netlink.NsFd(v.in.fd)
	}
	if err := s.LinkAdd(pair); err != nil {
		return nil, fmt.Errorf("could not make link %q with peer %q: %w", v.name, v.peer, err)
	}
	return s.link(v.name)
}

// ensureBridge makes a bridge without spanning tree and sets it up.
func (s *space) ensureBridge(name string, mtu int) (netlink.Link, error) {
	l, err := s.LinkByName(name)
	if isLinkNotFound(err) {
		attrs := netlink.NewLinkAttrs()
		attrs.Name, attrs.MTU = name, mtu
		if err := s.LinkAdd(&netlink.Bridge{LinkAttrs: attrs}); err != nil {
			return nil, fmt.Errorf("could not make bridge %q: %w", name, err)
		}
		l, err = s.link(name)
	}
	if err != nil {
		return nil, err
	}
	return l, s.setUp(l)
}

func (s *space) link(name string) (netlink.Link, error) {
	l, err := s.LinkByName(name)
	if err != nil {
		return nil, fmt.Errorf("could not find link %q in %s: %w", name, s.where(), err)
	}
	return l, nil
}

func (s *space) setUp(l netlink.Link) error {
	if err := s.LinkSetUp(l); err != nil {
		return fmt.Errorf("could not set link %q up in %s: %w", l.Attrs().Name, s.where(), err)
	}
	return nil
}

// setState sets a link up or down.
func (s *space) setState(l netlink.Link, up bool) error {
	if up {
		return s.setUp(l)
	}
	if err := s.LinkSetDown(l); err != nil {
		return fmt.Errorf("could not set link %q down in %s: %w", l.Attrs().Name, s.where(), err)
	}
	return nil
}

// plug makes a link a port of a bridge.
func (s *space) plug(port, bridge netlink.Link) error {
	if port.Attrs().MasterIndex == bridge.Attrs().Index {
		return nil
	}
	if err := s.LinkSetMasterByIndex(port, bridge.Attrs().Index); err != nil {
		return fmt.Errorf("could not plug %q into bridge %q: %w", port.Attrs().Name, bridge.Attrs().Name, err)
	}
	return nil
}

// ensureAddress gives a link its address and takes other IPv4 addresses away.
func (s *space) ensureAddress(l netlink.Link, want netip.Prefix) error {
	have, err := s.AddrList(l, netlink.FAMILY_V4)
	if err != nil {
		return fmt.Errorf("could not list addresses of %q: %w", l.Attrs().Name, err)
	}
	found := false
	for _, a := range have {
		if a.IPNet.String() == want.String() {
			found = true
			continue
		}
		if err := s.AddrDel(l, &a); err != nil {
			return fmt.Errorf("could not remove address %v of %q: %w", a.IPNet, l.Attrs().Name, err)
		}
	}
	if found {
		return nil
	}
	if err := s.AddrReplace(l, &netlink.Addr{IPNet: ipNet(want)}); err != nil {
		return fmt.Errorf("could not give %q the address %v: %w", l.Attrs().Name, want, err)
	}
	return nil
}

func (s *space) where() string {
	if s.path == "" {
		return "the root namespace"
	}
	return fmt.Sprintf("namespace %q", s.path)
}

func isLinkNotFound(err error) bool {
	var missing netlink.LinkNotFoundError
	return errors.As(err, &missing)
}

// macOf derives a locally administered link address from an IP, so that a
// host that comes back is known to its neighbours at once.
func macOf(a netip.Addr) net.HardwareAddr {
	ip := a.As4()
	return net.HardwareAddr{0x0a, 0xfa, ip[0], ip[1], ip[2], ip[3]}
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
