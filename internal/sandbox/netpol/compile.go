// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package netpol

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"

	networking "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// Compile makes the rules of one host. A part of a policy that cannot be
// understood matches nothing and so opens nothing; it is named in the second
// result, one sentence each.
func Compile(cluster Cluster, host Host) (RuleSet, []string) {
	c := compiler{cluster: cluster, out: Closed(host)}
	c.index()
	for _, pod := range c.pods {
		if pod.Node != host.Node || !contains(host.PodCIDRs, pod.IP) {
			continue
		}
		c.out.Known = append(c.out.Known, pod.IP)
		if chain, isolated := c.ingress(pod); isolated {
			c.out.Ingress[pod.IP] = c.chain("in", chain)
		}
		if chain, isolated := c.egress(pod); isolated {
			c.out.Egress[pod.IP] = c.chain("out", chain)
		}
	}
	slices.Sort(c.troubles)
	return c.out, slices.Compact(c.troubles)
}

// compiler holds what is looked up again and again.
type compiler struct {
	cluster  Cluster
	pods     []Pod // one per address, sorted by it
	policies []policy
	out      RuleSet
	troubles []string
}

// policy is a NetworkPolicy with its selector understood.
type policy struct {
	*networking.NetworkPolicy
	selects         labels.Selector
	ingress, egress bool
}

func (c *compiler) index() {
	latest := map[netip.Addr]Pod{}
	for _, pod := range c.cluster.Pods {
		if !pod.IP.Is4() {
			continue
		}
		if other, taken := latest[pod.IP]; taken && !later(pod, other) {
			continue
		}
		latest[pod.IP] = pod
	}
	for _, pod := range latest {
		c.pods = append(c.pods, pod)
	}
	slices.SortFunc(c.pods, func(a, b Pod) int { return a.IP.Compare(b.IP) })

	for _, p := range c.cluster.Policies {
		one := policy{NetworkPolicy: p}
		for _, kind := range p.Spec.PolicyTypes {
			one.ingress = one.ingress || kind == networking.PolicyTypeIngress
			one.egress = one.egress || kind == networking.PolicyTypeEgress
		}
		if len(p.Spec.PolicyTypes) == 0 { // as the API server fills it in
			one.ingress, one.egress = true, len(p.Spec.Egress) > 0
		}
		var err error
		if one.selects, err = meta.LabelSelectorAsSelector(&p.Spec.PodSelector); err != nil {
			// Whom it isolates is unknown: everybody, to be on the safe side.
			c.trouble(p, "podSelector: %v; it isolates every pod of its namespace", err)
			one.selects = labels.Everything()
			one.NetworkPolicy = &networking.NetworkPolicy{ObjectMeta: p.ObjectMeta}
		}
		c.policies = append(c.policies, one)
	}
	slices.SortFunc(c.policies, func(a, b policy) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
}

// later decides which of two pods has the address both claim.
func later(a, b Pod) bool {
	if !a.Created.Equal(b.Created) {
		return a.Created.After(b.Created)
	}
	return a.Namespace+"/"+a.Name < b.Namespace+"/"+b.Name
}

func (c *compiler) trouble(p *networking.NetworkPolicy, format string, args ...any) {
	c.troubles = append(c.troubles, fmt.Sprintf("NetworkPolicy %q: ", p.Namespace+"/"+p.Name)+fmt.Sprintf(format, args...))
}

func (p policy) applies(pod Pod) bool {
	return p.Namespace == pod.Namespace && p.selects.Matches(pod.Labels)
}

// ingress is what may reach a pod; false when nothing isolates it.
func (c *compiler) ingress(pod Pod) (Chain, bool) {
	var chain Chain
	isolated := false
	for _, p := range c.policies {
		if !p.ingress || !p.applies(pod) {
			continue
		}
		isolated = true
		for _, rule := range p.Spec.Ingress {
			numbers, names := c.ports(p.NetworkPolicy, rule.Ports)
			for _, want := range names {
				numbers = append(numbers, pod.named(want)...)
			}
			if len(rule.Ports) > 0 && len(numbers) == 0 {
				continue // names that this pod does not have
			}
			for _, peers := range c.peers(p.NetworkPolicy, rule.From) {
				chain = append(chain, Rule{Peers: peers.Peers, Ports: numbers})
			}
		}
	}
	return chain, isolated
}

// egress is what a pod may reach; false when nothing isolates it.
func (c *compiler) egress(pod Pod) (Chain, bool) {
	var chain Chain
	isolated := false
	for _, p := range c.policies {
		if !p.egress || !p.applies(pod) {
			continue
		}
		isolated = true
		for _, rule := range p.Spec.Egress {
			numbers, names := c.ports(p.NetworkPolicy, rule.Ports)
			for _, peers := range c.peers(p.NetworkPolicy, rule.To) {
				if len(rule.Ports) == 0 || len(numbers) > 0 {
					chain = append(chain, Rule{Peers: peers.Peers, Ports: numbers})
				}
				for _, want := range names {
					chain = append(chain, namedEgress(peers.pods, want)...)
				}
			}
		}
	}
	return chain, isolated
}

// namedEgress finds out what number each peer gives the name: one rule per
// number, with the peers that use it. Addresses that are no pod have no names.
func namedEgress(pods []Pod, want NamedPort) Chain {
	byNumber := map[Port][]netip.Addr{}
	for _, pod := range pods {
		for _, port := range pod.named(want) {
			byNumber[port] = append(byNumber[port], pod.IP)
		}
	}
	var out Chain
	for port, addresses := range byNumber {
		out = append(out, Rule{Peers: Peers{Addresses: addresses}, Ports: []Port{port}})
	}
	return out
}

// named are the numbers behind a port's name in this pod.
func (p Pod) named(want NamedPort) []Port {
	var out []Port
	for _, port := range p.Ports {
		if port.Name == want.Name && port.Protocol == want.Protocol {
			out = append(out, Port{port.Protocol, port.Number, port.Number})
		}
	}
	return out
}

// chain stores a chain under a name made of its content.
func (c *compiler) chain(prefix string, chain Chain) string {
	chain = tidy(chain)
	name := prefix + "-" + digest(fmt.Sprint(chain))
	c.out.Chains[name] = chain
	return name
}

// tidy sorts and removes repetitions, so that equal rules look equal.
func tidy(chain Chain) Chain {
	for i := range chain {
		ports := slices.Clone(chain[i].Ports)
		slices.SortFunc(ports, func(a, b Port) int {
			return cmp.Or(cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(a.First, b.First), cmp.Compare(a.Last, b.Last))
		})
		chain[i].Ports = slices.Compact(ports)
	}
	slices.SortFunc(chain, func(a, b Rule) int { return cmp.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	return slices.CompactFunc(chain, func(a, b Rule) bool { return fmt.Sprint(a) == fmt.Sprint(b) })
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:6])
}
