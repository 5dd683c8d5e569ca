// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package netpol

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// Table is the name of the nftables table, family inet, that holds the rules
// of a host. Nobody else writes it; nothing else is written.
const Table = "fairway-netpol"

// Script is the rule set as input for "nft -f -": it replaces the table as a
// whole, in one transaction. Equal rule sets give equal scripts.
func (r RuleSet) Script() string {
	var w writer
	w.line("add table inet " + Table)
	w.line("delete table inet " + Table)
	w.open("table inet " + Table)
	w.set("known", "ipv4_addr", "", texts(r.Known))
	w.set("hairpin", "ipv4_addr . ipv4_addr", "", pairs(r.Known))
	w.set("own", "ipv4_addr", "interval", prefixes(r.PodCIDRs))

	names := slices.Sorted(maps.Keys(r.Chains))
	sets := map[string][]string{}
	for _, name := range names {
		for _, rule := range r.Chains[name] {
			if len(rule.Peers.Addresses) > 1 {
				elements := texts(rule.Peers.Addresses)
				sets[peersName(elements)] = elements
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(sets)) {
		w.set(name, "ipv4_addr", "", sets[name])
	}
	for _, name := range names {
		w.open("chain " + name)
		end := "saddr"
		if strings.HasPrefix(name, "out-") {
			end = "daddr"
		}
		for _, rule := range r.Chains[name] {
			for _, match := range rule.matches(end) {
				w.line(strings.TrimSpace(match + " return"))
			}
		}
		w.line("drop")
		w.shut()
	}
	w.verdicts("ingress", r.Ingress)
	w.verdicts("egress", r.Egress)

	w.open("chain forward")
	w.line("type filter hook forward priority filter; policy accept;")
	w.line("ct state established,related accept")
	w.line("meta nfproto ipv6 drop")
	w.line("ip saddr @own ip saddr != @known drop")
	w.line("ip daddr @own ip daddr != @known drop")
	w.line("ip saddr . ip daddr @hairpin accept")
	w.line("ip saddr vmap @egress")
	w.line("ip daddr vmap @ingress")
	w.shut()
	w.shut()
	return w.String()
}

// matches are the conditions of a rule, one for each way to meet it; end is
// the address that the peer has in the packet.
func (r Rule) matches(end string) []string {
	var peer string
	switch {
	case r.Peers.Any:
	case r.Peers.Block.IsValid():
		if r.Peers.Block.Bits() > 0 { // nft takes no /0
			peer = fmt.Sprintf("ip %s %s", end, r.Peers.Block)
		}
		for _, except := range r.Peers.Except {
			if except.Bits() == 0 {
				return nil // nothing is left of the block
			}
			peer += fmt.Sprintf(" ip %s != %s", end, except)
		}
	case len(r.Peers.Addresses) == 0:
		return nil
	case len(r.Peers.Addresses) == 1:
		peer = fmt.Sprintf("ip %s %s", end, r.Peers.Addresses[0])
	default:
		peer = fmt.Sprintf("ip %s @%s", end, peersName(texts(r.Peers.Addresses)))
	}
	peer = strings.TrimSpace(peer)
	if len(r.Ports) == 0 {
		return []string{peer}
	}
	var out []string
	for _, protocol := range []Protocol{TCP, UDP, SCTP} {
		if port := portMatch(r.Ports, protocol); port != "" {
			out = append(out, strings.TrimSpace(peer+" "+port))
		}
	}
	return out
}

// portMatch is the condition on one protocol; empty when no port has it.
func portMatch(ports []Port, protocol Protocol) string {
	var ranges []Port
	for _, port := range ports {
		if port.Protocol == protocol {
			ranges = append(ranges, port)
		}
	}
	ranges = merged(ranges)
	if len(ranges) == 0 {
		return ""
	}
	if ranges[0].First == 0 && ranges[0].Last == 65535 {
		return fmt.Sprintf("meta l4proto %s", protocol)
	}
	elements := make([]string, len(ranges))
	for i, one := range ranges {
		elements[i] = fmt.Sprint(one.First)
		if one.Last != one.First {
			elements[i] = fmt.Sprintf("%d-%d", one.First, one.Last)
		}
	}
	return fmt.Sprintf("meta l4proto %s th dport { %s }", protocol, strings.Join(elements, ", "))
}

// merged joins ranges that overlap, which a set refuses. They come sorted.
func merged(ports []Port) []Port {
	var out []Port
	for _, port := range ports {
		if n := len(out); n > 0 && int(port.First) <= int(out[n-1].Last)+1 {
			out[n-1].Last = max(out[n-1].Last, port.Last)
			continue
		}
		out = append(out, port)
	}
	return out
}

func peersName(elements []string) string { return "peers-" + digest(strings.Join(elements, ",")) }

func texts(addresses []netip.Addr) []string {
	out := make([]string, len(addresses))
	for i, address := range addresses {
		out[i] = address.String()
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func pairs(addresses []netip.Addr) []string {
	out := texts(addresses)
	for i, address := range out {
		out[i] = address + " . " + address
	}
	return out
}

func prefixes(ranges []netip.Prefix) []string {
	out := make([]string, 0, len(ranges))
	for _, prefix := range ranges {
		if prefix.Addr().Is4() {
			out = append(out, prefix.Masked().String())
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// writer indents.
type writer struct {
	strings.Builder
	depth int
}

func (w *writer) line(text string) {
	w.WriteString(strings.Repeat("\t", w.depth) + text + "\n")
}

func (w *writer) open(text string) {
	w.line(text + " {")
	w.depth++
}

func (w *writer) shut() {
	w.depth--
	w.line("}")
}

func (w *writer) set(name, kind, flags string, elements []string) {
	w.open("set " + name)
	w.line("type " + kind)
	if flags != "" {
		w.line("flags " + flags)
	}
	w.elements(elements)
	w.shut()
}

func (w *writer) verdicts(name string, chains map[netip.Addr]string) {
	w.open("map " + name)
	w.line("type ipv4_addr : verdict")
	var elements []string
	for _, address := range slices.SortedFunc(maps.Keys(chains), netip.Addr.Compare) {
		elements = append(elements, fmt.Sprintf("%s : jump %s", address, chains[address]))
	}
	w.elements(elements)
	w.shut()
}

func (w *writer) elements(elements []string) {
	if len(elements) > 0 {
		w.line("elements = { " + strings.Join(elements, ", ") + " }")
	}
}
