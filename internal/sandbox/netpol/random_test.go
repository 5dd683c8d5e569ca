// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package netpol

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// TestAgainstADumbEvaluator compares the compiled rules of two hosts with an
// evaluator that reads the policies packet by packet, as their text is meant.
func TestAgainstADumbEvaluator(t *testing.T) {
	rounds := 300
	if testing.Short() {
		rounds = 50
	}
	asked, allowed := 0, 0
	for seed := range rounds {
		g := generator{rand.New(rand.NewPCG(uint64(seed), 7))}
		c := g.cluster()
		hosts := map[string]RuleSet{}
		for i, node := range []string{"a", "b"} {
			hosts[node], _ = Compile(c, Host{Node: node, PodCIDRs: []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(i), 0}), 24)}})
		}
		outside := []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.130"), netip.MustParseAddr("10.9.0.1")}
		ends := slices.Clone(outside)
		for _, p := range c.Pods {
			ends = append(ends, p.IP)
		}
		for range 200 {
			from, to := ends[g.IntN(len(ends))], ends[g.IntN(len(ends))]
			protocol, port := []Protocol{TCP, UDP, SCTP}[g.IntN(3)], uint16(1+g.IntN(12))
			want := dumb{c}.allows(from, to, protocol, port)
			got := true
			for _, rules := range hosts { // each host on the way, outside ones too
				got = got && (!touches(rules, from, to) || rules.Allows(from, to, protocol, port))
			}
			asked++
			if want {
				allowed++
			}
			if got != want {
				t.Fatalf("seed %d: %s to %s %s/%d: allowed %v, the dumb evaluator says %v\n%+v", seed, from, to, protocol, port, got, want, c)
			}
		}
	}
	if allowed < asked/10 || allowed > asked*9/10 {
		t.Errorf("%d of %d packets allowed: the test hardly says anything", allowed, asked)
	}
}

func touches(r RuleSet, from, to netip.Addr) bool {
	return contains(r.PodCIDRs, from) || contains(r.PodCIDRs, to)
}

// dumb evaluates policies without preparing anything.
type dumb struct{ Cluster }

func (d dumb) pod(address netip.Addr) *Pod {
	for i := range d.Pods {
		if d.Pods[i].IP == address {
			return &d.Pods[i]
		}
	}
	return nil
}

func (d dumb) allows(from, to netip.Addr, protocol Protocol, port uint16) bool {
	source, target := d.pod(from), d.pod(to)
	if source != nil && source == target {
		return true
	}
	return d.side(source, to, target, true, protocol, port) && d.side(target, from, target, false, protocol, port)
}

// side decides for one pod in one direction.
func (d dumb) side(self *Pod, peer netip.Addr, target *Pod, egress bool, protocol Protocol, port uint16) bool {
	if self == nil {
		return true
	}
	isolated := false
	for _, p := range d.Policies {
		if p.Namespace != self.Namespace || !matches(&p.Spec.PodSelector, self.Labels) {
			continue
		}
		if egress && slices.Contains(p.Spec.PolicyTypes, networking.PolicyTypeEgress) {
			isolated = true
			for _, rule := range p.Spec.Egress {
				if d.peer(p, rule.To, peer) && portIn(rule.Ports, target, protocol, port) {
					return true
				}
			}
		}
		if !egress && slices.Contains(p.Spec.PolicyTypes, networking.PolicyTypeIngress) {
			isolated = true
			for _, rule := range p.Spec.Ingress {
				if d.peer(p, rule.From, peer) && portIn(rule.Ports, target, protocol, port) {
					return true
				}
			}
		}
	}
	return !isolated
}

func (d dumb) peer(p *networking.NetworkPolicy, list []networking.NetworkPolicyPeer, address netip.Addr) bool {
	if len(list) == 0 {
		return true
	}
	other := d.pod(address)
	for _, entry := range list {
		if entry.IPBlock != nil {
			inside := netip.MustParsePrefix(entry.IPBlock.CIDR).Contains(address)
			for _, except := range entry.IPBlock.Except {
				inside = inside && !netip.MustParsePrefix(except).Contains(address)
			}
			if inside {
				return true
			}
			continue
		}
		if other == nil {
			continue
		}
		if entry.NamespaceSelector == nil && other.Namespace != p.Namespace {
			continue
		}
		if entry.NamespaceSelector != nil && !matches(entry.NamespaceSelector, d.Namespaces[other.Namespace]) {
			continue
		}
		if entry.PodSelector == nil || matches(entry.PodSelector, other.Labels) {
			return true
		}
	}
	return false
}

func portIn(list []networking.NetworkPolicyPort, target *Pod, protocol Protocol, port uint16) bool {
	if len(list) == 0 {
		return true
	}
	spelled := map[core.Protocol]Protocol{core.ProtocolTCP: TCP, core.ProtocolUDP: UDP, core.ProtocolSCTP: SCTP}
	for _, entry := range list {
		if entry.Protocol == nil && protocol != TCP || entry.Protocol != nil && spelled[*entry.Protocol] != protocol {
			continue
		}
		if entry.Port == nil {
			return true
		}
		if entry.Port.Type == intstr.String {
			for i := 0; target != nil && i < len(target.Ports); i++ {
				if named := target.Ports[i]; named.Name == entry.Port.StrVal && named.Protocol == protocol && named.Number == port {
					return true
				}
			}
			continue
		}
		last := entry.Port.IntVal
		if entry.EndPort != nil {
			last = *entry.EndPort
		}
		if int32(port) >= entry.Port.IntVal && int32(port) <= last {
			return true
		}
	}
	return false
}

func matches(selector *meta.LabelSelector, set labels.Set) bool {
	for key, value := range selector.MatchLabels {
		if have, there := set[key]; !there || have != value {
			return false
		}
	}
	for _, e := range selector.MatchExpressions {
		have, there := set[e.Key]
		ok := false
		switch e.Operator {
		case meta.LabelSelectorOpIn:
			ok = there && slices.Contains(e.Values, have)
		case meta.LabelSelectorOpNotIn:
			ok = !there || !slices.Contains(e.Values, have)
		case meta.LabelSelectorOpExists:
			ok = there
		case meta.LabelSelectorOpDoesNotExist:
			ok = !there
		}
		if !ok {
			return false
		}
	}
	return true
}

// generator makes small random clusters.
type generator struct{ *rand.Rand }

func (g generator) cluster() Cluster {
	c := Cluster{Namespaces: map[string]labels.Set{}}
	for _, name := range []string{"n1", "n2", "n3"} {
		c.Namespaces[name] = g.labels()
	}
	for i := range 10 {
		p := Pod{
			Namespace: g.namespace(), Name: fmt.Sprintf("p%d", i), Node: string(rune('a' + i%2)), Labels: g.labels(),
			IP: netip.AddrFrom4([4]byte{10, 0, byte(i % 2), byte(i + 2)}),
		}
		for _, name := range []string{"web", "admin"} {
			if g.IntN(2) == 0 {
				p.Ports = append(p.Ports, NamedPort{name, []Protocol{TCP, UDP}[g.IntN(2)], uint16(1 + g.IntN(12))})
			}
		}
		c.Pods = append(c.Pods, p)
	}
	for i := range 1 + g.IntN(5) {
		p := &networking.NetworkPolicy{ObjectMeta: meta.ObjectMeta{Namespace: g.namespace(), Name: fmt.Sprintf("np%d", i)}}
		p.Spec.PodSelector = *g.selector()
		p.Spec.PolicyTypes = [][]networking.PolicyType{
			{networking.PolicyTypeIngress}, {networking.PolicyTypeEgress}, {networking.PolicyTypeIngress, networking.PolicyTypeEgress},
		}[g.IntN(3)]
		for range g.IntN(3) {
			p.Spec.Ingress = append(p.Spec.Ingress, networking.NetworkPolicyIngressRule{From: g.peers(), Ports: g.ports()})
		}
		for range g.IntN(3) {
			p.Spec.Egress = append(p.Spec.Egress, networking.NetworkPolicyEgressRule{To: g.peers(), Ports: g.ports()})
		}
		c.Policies = append(c.Policies, p)
	}
	return c
}

func (g generator) namespace() string { return fmt.Sprintf("n%d", 1+g.IntN(3)) }

func (g generator) labels() labels.Set {
	out := labels.Set{}
	for _, key := range []string{"k", "l"} {
		if g.IntN(4) > 0 {
			out[key] = string(rune('x' + g.IntN(2)))
		}
	}
	return out
}

func (g generator) selector() *meta.LabelSelector {
	s := &meta.LabelSelector{}
	switch g.IntN(4) {
	case 0:
	case 1, 2:
		s.MatchLabels = map[string]string{"k": string(rune('x' + g.IntN(2)))}
	case 3:
		e := meta.LabelSelectorRequirement{Key: "l", Operator: []meta.LabelSelectorOperator{
			meta.LabelSelectorOpIn, meta.LabelSelectorOpNotIn, meta.LabelSelectorOpExists, meta.LabelSelectorOpDoesNotExist,
		}[g.IntN(4)]}
		if e.Operator == meta.LabelSelectorOpIn || e.Operator == meta.LabelSelectorOpNotIn {
			e.Values = []string{"x"}
		}
		s.MatchExpressions = append(s.MatchExpressions, e)
	}
	return s
}

func (g generator) peers() []networking.NetworkPolicyPeer {
	var out []networking.NetworkPolicyPeer
	for range g.IntN(3) {
		switch g.IntN(4) {
		case 0:
			out = append(out, networking.NetworkPolicyPeer{PodSelector: g.selector()})
		case 1:
			out = append(out, networking.NetworkPolicyPeer{NamespaceSelector: g.selector()})
		case 2:
			out = append(out, networking.NetworkPolicyPeer{NamespaceSelector: g.selector(), PodSelector: g.selector()})
		case 3:
			block := &networking.IPBlock{CIDR: []string{"0.0.0.0/0", "10.0.0.0/16", "192.0.2.0/24"}[g.IntN(3)]}
			if g.IntN(2) == 0 {
				block.Except = []string{[]string{"10.0.1.0/24", "192.0.2.128/25"}[g.IntN(2)]}
			}
			out = append(out, networking.NetworkPolicyPeer{IPBlock: block})
		}
	}
	return out
}

func (g generator) ports() []networking.NetworkPolicyPort {
	var out []networking.NetworkPolicyPort
	for range g.IntN(3) {
		var port networking.NetworkPolicyPort
		if g.IntN(2) == 0 {
			protocol := []core.Protocol{core.ProtocolTCP, core.ProtocolUDP, core.ProtocolSCTP}[g.IntN(3)]
			port.Protocol = &protocol
		}
		switch g.IntN(4) {
		case 0:
		case 1:
			name := intstr.FromString([]string{"web", "admin"}[g.IntN(2)])
			port.Port = &name
		default:
			number := intstr.FromInt32(1 + g.Int32N(12))
			port.Port = &number
			if g.IntN(2) == 0 {
				end := number.IntVal + g.Int32N(5)
				port.EndPort = &end
			}
		}
		out = append(out, port)
	}
	return out
}
