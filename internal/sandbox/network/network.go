// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package network

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
)

// Network is the running network of one sandbox. It keeps no state beyond the
// cut links; everything else is read from the kernel each time.
type Network struct {
	config Config

	mu   sync.Mutex
	cuts Cuts
}

// New checks the configuration and reads which links are cut. It changes
// nothing on the machine.
func New(c Config) (*Network, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("could not lay out the network: %w", err)
	}
	cuts, err := readCuts(c)
	if err != nil {
		return nil, err
	}
	return &Network{config: c, cuts: cuts}, nil
}

// Up brings the network to its configured state. It may be called at any time
// and any number of times; what is right already is left alone. Hosts that are
// switched off are named, so that they are not plugged in.
func (n *Network) Up(ctx context.Context, off ...string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.apply(ctx, func(h Host) bool { return !slices.Contains(off, h.Name) })
}

// HostUp makes one host's namespace and plugs it in, for example after
// HostDown. It fails when the network is not up.
func (n *Network) HostUp(ctx context.Context, name string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, ok := n.config.host(name); !ok {
		return fmt.Errorf("could not plug in host %q: it is not part of sandbox %q", name, n.config.Sandbox)
	}
	return n.apply(ctx, func(h Host) bool { return h.Name == name || isNamespace(NamespacePath(n.config.Sandbox, h.Name)) })
}

// HostDown pulls a host's plug and removes its namespace with all that is in
// it: addresses, rules, connections, as a loss of power does. Processes inside
// have to be ended by the caller. Up and HostUp bring it back.
func (n *Network) HostDown(_ context.Context, name string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	h, ok := n.config.host(name)
	if !ok {
		return fmt.Errorf("could not unplug host %q: it is not part of sandbox %q", name, n.config.Sandbox)
	}
	dc, err := openSpace(NamespacePath(n.config.Sandbox, h.DataCenter))
	if err == nil {
		defer dc.close()
		if l, err := dc.LinkByName(hostPort(h.Name)); err == nil {
			if err := dc.LinkDel(l); err != nil {
				return fmt.Errorf("could not unplug host %q: %w", name, err)
			}
		}
	}
	return removeSpace(NamespacePath(n.config.Sandbox, name))
}

// Down removes every namespace, link and rule of the sandbox; only the name
// and the state file of the configuration are used.
func (n *Network) Down(ctx context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := Remove(ctx, n.config.Sandbox); err != nil {
		return err
	}
	n.cuts = Cuts{}
	if n.config.StateFile != "" {
		if err := os.Remove(n.config.StateFile); err != nil && !os.IsNotExist(err) {
			return fmt.Errorf("could not forget the cut links: %w", err)
		}
	}
	return nil
}

// Remove takes away everything in the kernel that bears the sandbox's name.
// Processes that still live in its namespaces keep those alive, without links.
func Remove(_ context.Context, sandbox string) error {
	if !namePattern.MatchString(sandbox) {
		return fmt.Errorf("could not remove the network of sandbox %q: that is no name of a sandbox", sandbox)
	}
	if err := removeTable(sandbox); err != nil {
		return err
	}
	root, err := openRoot()
	if err != nil {
		return err
	}
	defer root.close()
	links, err := root.LinkList()
	if err != nil {
		return fmt.Errorf("could not list links: %w", err)
	}
	for _, l := range links {
		if !strings.HasPrefix(l.Attrs().Name, LinkPrefix(sandbox)) {
			continue
		}
		if err := root.LinkDel(l); err != nil && !isLinkNotFound(err) {
			return fmt.Errorf("could not remove link %q: %w", l.Attrs().Name, err)
		}
	}
	paths, err := listSpaces(sandbox)
	if err != nil {
		return err
	}
	for _, p := range paths {
		if err := removeSpace(p); err != nil {
			return err
		}
	}
	return nil
}

// Cut cuts the link between two ends; Heal mends it. One end alone names the
// uplink of a rack or host. Cutting a cut link changes nothing.
func (n *Network) Cut(ctx context.Context, a, b string) error { return n.change(ctx, a, b, true) }

// Heal mends what Cut has cut.
func (n *Network) Heal(ctx context.Context, a, b string) error { return n.change(ctx, a, b, false) }

func (n *Network) change(ctx context.Context, a, b string, cut bool) error {
	link, err := n.config.find(a, b)
	if err != nil {
		return err
	}
	return n.set(ctx, link, cut)
}

// LoseSite takes a data centre off the network: no way to other sites, to the
// machine, or from the hub to its API servers. Stopping what runs there is the
// caller's part.
func (n *Network) LoseSite(ctx context.Context, dc string) error { return n.changeSite(ctx, dc, true) }

// RestoreSite plugs a lost data centre in again; links cut one by one stay cut.
func (n *Network) RestoreSite(ctx context.Context, dc string) error {
	return n.changeSite(ctx, dc, false)
}

func (n *Network) changeSite(ctx context.Context, dc string, lost bool) error {
	if _, ok := n.config.dataCenter(dc); !ok {
		return fmt.Errorf("could not find data centre %q in sandbox %q", dc, n.config.Sandbox)
	}
	return n.set(ctx, Link{A: dc}, lost)
}

// set remembers the cut before it is made, so that a crash in between is
// finished by the next Up.
func (n *Network) set(ctx context.Context, link Link, cut bool) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	next := Cuts{}
	for l := range n.cuts {
		next[l] = true
	}
	if cut {
		next[link] = true
	} else {
		delete(next, link)
	}
	if err := writeCuts(n.config, next); err != nil {
		return err
	}
	n.cuts = next
	return n.apply(ctx, func(h Host) bool { return isNamespace(NamespacePath(n.config.Sandbox, h.Name)) })
}

// LinkState is one link and whether it is cut.
type LinkState struct {
	Link
	// Cut is true while the link is cut, by itself or with its whole site.
	Cut bool `json:"cut"`
}

// Links returns the state of every link, in the order of the topology.
func (n *Network) Links() []LinkState {
	n.mu.Lock()
	defer n.mu.Unlock()
	var states []LinkState
	for _, l := range n.config.Links() {
		_, a := n.config.dataCenter(l.A)
		_, b := n.config.dataCenter(l.B)
		lost := a && n.cuts.site(l.A) && (b || l.B == Hub) || b && n.cuts.site(l.B)
		states = append(states, LinkState{Link: l, Cut: n.cuts[l] || lost})
	}
	return states
}

// LostSites returns the names of data centres taken off the network.
func (n *Network) LostSites() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var lost []string
	for _, dc := range n.config.DataCenters {
		if n.cuts.site(dc.Name) {
			lost = append(lost, dc.Name)
		}
	}
	return lost
}

// cutMachines are the machine addresses that the hub must not reach now.
func cutMachines(c Config, cuts Cuts) []netip.Addr {
	var addrs []netip.Addr
	for _, dc := range c.DataCenters {
		if cuts.between(Hub, dc.Name) {
			addrs = append(addrs, dc.Machine)
		}
	}
	return addrs
}
