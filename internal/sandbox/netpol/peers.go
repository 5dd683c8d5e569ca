// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package netpol

import (
	"net/netip"

	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// podPeers are Peers together with the pods among them, for named ports.
type podPeers struct {
	Peers
	pods []Pod
}

// peers understands the from or to of a rule. No entry at all means everybody.
func (c *compiler) peers(p *networking.NetworkPolicy, entries []networking.NetworkPolicyPeer) []podPeers {
	if len(entries) == 0 {
		return []podPeers{{Peers: Peers{Any: true}, pods: c.pods}}
	}
	var out []podPeers
	for _, entry := range entries {
		if entry.IPBlock != nil {
			if block, ok := c.block(p, entry.IPBlock); ok {
				out = append(out, podPeers{Peers: block})
			}
			continue
		}
		pods := c.selected(p, entry)
		if len(pods) == 0 {
			continue
		}
		addresses := make([]netip.Addr, len(pods))
		for i, pod := range pods {
			addresses[i] = pod.IP
		}
		out = append(out, podPeers{Peers{Addresses: addresses}, pods})
	}
	return out
}

// selected are the pods of a peer: of the policy's own namespace, or of those
// that the namespace selector names.
func (c *compiler) selected(p *networking.NetworkPolicy, entry networking.NetworkPolicyPeer) []Pod {
	pods, namespaces := labels.Everything(), labels.Selector(nil)
	var err error
	if entry.PodSelector != nil {
		if pods, err = meta.LabelSelectorAsSelector(entry.PodSelector); err != nil {
			c.trouble(p, "podSelector of a peer: %v; it selects nobody", err)
			return nil
		}
	}
	if entry.NamespaceSelector != nil {
		if namespaces, err = meta.LabelSelectorAsSelector(entry.NamespaceSelector); err != nil {
			c.trouble(p, "namespaceSelector of a peer: %v; it selects nobody", err)
			return nil
		}
	}
	if entry.PodSelector == nil && entry.NamespaceSelector == nil {
		return nil // an empty peer, which the API server refuses
	}
	var out []Pod
	for _, pod := range c.pods {
		inside := pod.Namespace == p.Namespace
		if namespaces != nil {
			set, known := c.cluster.Namespaces[pod.Namespace]
			inside = known && namespaces.Matches(set)
		}
		if inside && pods.Matches(pod.Labels) {
			out = append(out, pod)
		}
	}
	return out
}

// block reads an ipBlock; false for one that has no IPv4 address.
func (c *compiler) block(p *networking.NetworkPolicy, block *networking.IPBlock) (Peers, bool) {
	prefix, err := netip.ParsePrefix(block.CIDR)
	if err != nil {
		c.trouble(p, "ipBlock %q: %v; it selects nobody", block.CIDR, err)
		return Peers{}, false
	}
	if !prefix.Addr().Is4() {
		return Peers{}, false
	}
	out := Peers{Block: prefix.Masked()}
	for _, text := range block.Except {
		except, err := netip.ParsePrefix(text)
		if err != nil {
			c.trouble(p, "except %q: %v; the ipBlock selects nobody", text, err)
			return Peers{}, false
		}
		if except.Addr().Is4() {
			out.Except = append(out.Except, except.Masked())
		}
	}
	return out, true
}

// ports understands the ports of a rule: those with numbers, and names that
// mean something else in each pod.
func (c *compiler) ports(p *networking.NetworkPolicy, ports []networking.NetworkPolicyPort) ([]Port, []NamedPort) {
	var numbers []Port
	var names []NamedPort
	for _, port := range ports {
		protocol := TCP
		if port.Protocol != nil {
			switch *port.Protocol {
			case core.ProtocolTCP:
			case core.ProtocolUDP:
				protocol = UDP
			case core.ProtocolSCTP:
				protocol = SCTP
			default:
				c.trouble(p, "protocol %q is unknown; the port opens nothing", *port.Protocol)
				continue
			}
		}
		switch {
		case port.Port == nil:
			numbers = append(numbers, Port{protocol, 0, 65535})
		case port.Port.Type == intstr.String:
			names = append(names, NamedPort{Name: port.Port.StrVal, Protocol: protocol})
		default:
			first := port.Port.IntVal
			last := first
			if port.EndPort != nil {
				last = *port.EndPort
			}
			if first < 1 || last > 65535 || first > last {
				c.trouble(p, "ports %d to %d are no range; they open nothing", first, last)
				continue
			}
			numbers = append(numbers, Port{protocol, uint16(first), uint16(last)})
		}
	}
	return numbers, names
}
