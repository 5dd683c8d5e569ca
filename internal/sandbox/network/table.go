// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package network

import (
	"fmt"
	"net/netip"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
)

// applyTable keeps the sandbox's table in the root namespace: packets over the
// loopback (so from the machine itself, where the hub runs) to the given
// addresses are dropped. Hosts and pods come in over other links and still
// reach them. No address, no table.
//
// Components that belong to the data centre but run in the root namespace
// (controller manager, scheduler, DNS) have to reach their API server by
// 127.0.0.1, else they are cut off together with the hub.
func applyTable(sandbox string, cut []netip.Addr) error {
	if len(cut) == 0 {
		return removeTable(sandbox)
	}
	conn, err := nftables.New()
	if err != nil {
		return fmt.Errorf("could not open nftables: %w", err)
	}
	table := &nftables.Table{Family: nftables.TableFamilyIPv4, Name: TableName(sandbox)}
	conn.AddTable(table)
	conn.FlushTable(table)
	chain := conn.AddChain(&nftables.Chain{
		Name: "hub", Table: table, Type: nftables.ChainTypeFilter,
		Hooknum: nftables.ChainHookOutput, Priority: nftables.ChainPriorityFilter,
	})
	for _, addr := range cut {
		conn.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: []expr.Any{
			&expr.Meta{Key: expr.MetaKeyOIFNAME, Register: 1},
			&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte("lo\x00")},
			&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: 16, Len: 4},
			&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: addr.AsSlice()},
			&expr.Verdict{Kind: expr.VerdictDrop},
		}})
	}
	if err := conn.Flush(); err != nil {
		return fmt.Errorf("could not cut the hub's links in table %q: %w", table.Name, err)
	}
	return nil
}

// removeTable removes the sandbox's table if it is there.
func removeTable(sandbox string) error {
	conn, err := nftables.New()
	if err != nil {
		return fmt.Errorf("could not open nftables: %w", err)
	}
	tables, err := conn.ListTablesOfFamily(nftables.TableFamilyIPv4)
	if err != nil {
		return fmt.Errorf("could not list nftables: %w", err)
	}
	for _, t := range tables {
		if t.Name == TableName(sandbox) {
			conn.DelTable(t)
		}
	}
	if err := conn.Flush(); err != nil {
		return fmt.Errorf("could not remove nftables table %q: %w", TableName(sandbox), err)
	}
	return nil
}
