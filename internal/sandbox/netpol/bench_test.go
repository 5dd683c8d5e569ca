// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package netpol

import (
	"fmt"
	"net/netip"
	"testing"

	networking "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// BenchmarkCompile makes one host's rules in a cluster of 1,000 pods on 10
// hosts, in 20 namespaces of 5 policies each: what every change of a pod or a
// policy costs on each host. "script" writes them as text for nft; "floor"
// compares each pod with each policy's selector once.
func BenchmarkCompile(b *testing.B) {
	c := Cluster{Namespaces: map[string]labels.Set{}}
	port := intstr.FromInt32(8080)
	for n := range 20 {
		namespace := fmt.Sprintf("tenant-prod-app%d", n)
		c.Namespaces[namespace] = labels.Set{"name": namespace}
		for p := range 5 {
			c.Policies = append(c.Policies, &networking.NetworkPolicy{
				ObjectMeta: meta.ObjectMeta{Namespace: namespace, Name: fmt.Sprintf("p%d", p)},
				Spec: networking.NetworkPolicySpec{
					PodSelector: meta.LabelSelector{MatchLabels: map[string]string{"component": fmt.Sprintf("c%d", p)}},
					PolicyTypes: []networking.PolicyType{networking.PolicyTypeIngress, networking.PolicyTypeEgress},
					Ingress: []networking.NetworkPolicyIngressRule{{
						From:  []networking.NetworkPolicyPeer{{PodSelector: &meta.LabelSelector{MatchLabels: map[string]string{"component": fmt.Sprintf("c%d", (p+1)%5)}}}},
						Ports: []networking.NetworkPolicyPort{{Port: &port}},
					}},
					Egress: []networking.NetworkPolicyEgressRule{{
						To: []networking.NetworkPolicyPeer{{NamespaceSelector: &meta.LabelSelector{MatchLabels: map[string]string{"name": namespace}}}},
					}},
				},
			})
		}
		for i := range 50 {
			node := (n*50 + i) % 10
			c.Pods = append(c.Pods, Pod{
				Namespace: namespace, Name: fmt.Sprintf("pod-%d", i), Node: fmt.Sprintf("host-%d", node),
				Labels: labels.Set{"component": fmt.Sprintf("c%d", i%5)},
				IP:     netip.AddrFrom4([4]byte{10, 1, byte(node), byte((n*50+i)/10 + 1)}),
			})
		}
	}
	host := Host{Node: "host-3", PodCIDRs: []netip.Prefix{netip.MustParsePrefix("10.1.3.0/24")}}
	rules, troubles := Compile(c, host)
	if len(troubles) > 0 || len(rules.Known) != 100 {
		b.Fatal(len(rules.Known), troubles)
	}
	b.Run("compile", func(b *testing.B) {
		for b.Loop() {
			Compile(c, host)
		}
	})
	b.Run("script", func(b *testing.B) {
		for b.Loop() {
			if rules.Script() == "" {
				b.Fatal("no script")
			}
		}
	})
	b.Run("floor", func(b *testing.B) {
		for b.Loop() {
			for _, p := range c.Policies {
				for key, value := range p.Spec.PodSelector.MatchLabels {
					for _, pod := range c.Pods {
						_ = pod.Labels[key] == value
					}
				}
			}
		}
	})
}
