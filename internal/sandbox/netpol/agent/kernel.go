// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/google/nftables"

	"github.com/fairway-cloud/fairway/internal/sandbox/netpol"
)

// Kernel is the packet filter of one network namespace.
type Kernel struct {
	// NetNS is the namespace's path; the process's own when empty.
	NetNS string
}

// bridgeSwitches bring bridged packets to the forward hook, where they are
// seen as if they had been routed. They belong to each namespace.
var bridgeSwitches = []string{
	"/proc/sys/net/bridge/bridge-nf-call-iptables",
	"/proc/sys/net/bridge/bridge-nf-call-ip6tables",
	"/proc/sys/net/bridge/bridge-nf-filter-vlan-tagged",
}

// Apply replaces the namespace's rules by r, all at once.
func (k Kernel) Apply(ctx context.Context, r netpol.RuleSet) error {
	if err := k.inside(filterBridges); err != nil {
		return fmt.Errorf("could not filter bridged packets in %q: %w", k.NetNS, err)
	}
	argv := []string{"nft", "-f", "-"}
	if k.NetNS != "" {
		argv = append([]string{"nsenter", "--net=" + k.NetNS, "--"}, argv...)
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdin = strings.NewReader(r.Script())
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("could not write the rules of %q: %w: %.1000s", k.NetNS, err, out)
	}
	return nil
}

// Present tells whether rules are there, from this process or an earlier one.
func (k Kernel) Present() (bool, error) {
	found := false
	err := k.inside(func() error {
		conn, err := nftables.New()
		if err != nil {
			return err
		}
		chains, err := conn.ListChainsOfTableFamily(nftables.TableFamilyINet)
		for _, chain := range chains {
			found = found || chain.Table.Name == netpol.Table && chain.Name == "forward" && chain.Hooknum != nil
		}
		return err
	})
	if err != nil {
		return false, fmt.Errorf("could not read the rules of %q: %w", k.NetNS, err)
	}
	return found, nil
}

// Remove takes the rules away, which opens everything.
func (k Kernel) Remove() error {
	err := k.inside(func() error {
		conn, err := nftables.New()
		if err != nil {
			return err
		}
		table := &nftables.Table{Family: nftables.TableFamilyINet, Name: netpol.Table}
		conn.AddTable(table) // deleting what is not there would fail
		conn.DelTable(table)
		return conn.Flush()
	})
	if err != nil {
		return fmt.Errorf("could not remove the rules of %q: %w", k.NetNS, err)
	}
	return nil
}

func filterBridges() error {
	for _, path := range bridgeSwitches {
		err := os.WriteFile(path, []byte("1"), 0)
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%w: the kernel has no br_netfilter: load it with modprobe br_netfilter", err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
