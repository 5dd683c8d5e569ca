// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package app

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
)

// networkPolicies close the namespace and open exactly what was declared: dependencies
// within what zones allow, bindings, exposure, name resolution, and the bank's observers.
func (r *rendering) networkPolicies() {
	both := []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress}
	r.policy("default-deny", nil, networkingv1.NetworkPolicySpec{PolicyTypes: both})
	r.policy("dns", nil, networkingv1.NetworkPolicySpec{
		PolicyTypes: both[1:], Egress: []networkingv1.NetworkPolicyEgressRule{{To: r.nameServers(), Ports: dnsPorts()}},
	})
	allowances := slices.Clone(r.in.Allowances)
	byKey(allowances, func(a Allowance) string { return a.Name })
	for _, a := range allowances {
		rule := networkingv1.NetworkPolicyIngressRule{From: blocks(a.From)}
		for _, port := range a.Ports {
			rule.Ports = append(rule.Ports, policyPort(port, appv1.ProtocolTCP))
		}
		if len(rule.From) == 0 {
			continue // an observer from nowhere opens nothing
		}
		r.policy("allow-"+a.Name, nil, networkingv1.NetworkPolicySpec{
			PolicyTypes: both[:1], Ingress: []networkingv1.NetworkPolicyIngressRule{rule},
		})
	}
	r.each(func(c component) {
		for _, dcn := range c.dcns {
			spec := networkingv1.NetworkPolicySpec{PolicyTypes: both, Ingress: r.ingress(c, dcn), Egress: r.egress(c, dcn)}
			r.policy(serviceName(string(c.Name), dcn), []string{appv1.LabelComponent, string(c.Name), appv1.LabelDCN, dcn}, spec)
		}
	})
}

func (r *rendering) policy(name string, labels []string, spec networkingv1.NetworkPolicySpec) {
	spec.PodSelector = metav1.LabelSelector{MatchLabels: selector(labels...)}
	if len(labels) == 0 {
		spec.PodSelector = metav1.LabelSelector{}
	}
	r.share(object("networking.k8s.io/v1", "NetworkPolicy", &networkingv1.NetworkPolicy{ObjectMeta: r.meta(name, labels...), Spec: spec}))
}

func (r *rendering) nameServers() []networkingv1.NetworkPolicyPeer {
	dns := networkingv1.NetworkPolicyPeer{
		NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": "kube-system"}},
		PodSelector:       &metav1.LabelSelector{MatchLabels: map[string]string{"k8s-app": "kube-dns"}},
	}
	if r.served.Minor() < sinceNamespaceNameLabel {
		dns.NamespaceSelector = &metav1.LabelSelector{}
		r.reason("", "networking.k8s.io/v1/NetworkPolicy "+r.out.Namespace+"/dns", "spec.egress", Adapted,
			"version %s does not label namespaces with their names; name resolution is open to pods labelled k8s-app=kube-dns in every namespace", r.served.Version)
	}
	peers := append([]networkingv1.NetworkPolicyPeer{dns}, blocks(r.in.DNSNetworks)...)
	var own []string
	r.each(func(c component) {
		if c.DNS != nil {
			for _, server := range c.DNS.Servers {
				own = append(own, single(server))
			}
		}
	})
	slices.Sort(own)
	return append(peers, blocks(slices.Compact(own))...)
}

func dnsPorts() []networkingv1.NetworkPolicyPort {
	return []networkingv1.NetworkPolicyPort{policyPort(53, appv1.ProtocolUDP), policyPort(53, appv1.ProtocolTCP)}
}

// egress is what a component calls.
func (r *rendering) egress(c component, dcn string) []networkingv1.NetworkPolicyEgressRule {
	var out []networkingv1.NetworkPolicyEgressRule
	for _, d := range c.deps {
		if !Allows(r.in.Zones, c.Zone, d.Zone, d.Port, d.Protocol) {
			r.reason(string(c.Name), "", "dependsOn["+d.Name+"]", Refused,
				"no NetworkZone allows connections from zone %q to port %d in zone %q; ask for the flow or remove the dependency", c.Zone, d.Port, d.Zone)
			continue
		}
		rule := networkingv1.NetworkPolicyEgressRule{Ports: []networkingv1.NetworkPolicyPort{policyPort(d.Port, d.Protocol)}}
		switch {
		case d.Component != "":
			rule.To = r.peers(d.Component, dcn, d.Reach)
			if len(rule.To) > 1 {
				r.reason(string(c.Name), "", "dependsOn["+d.Name+"].reach", Adapted,
					"instances in other clusters are told apart by network, not by component; FAIRWAY_DEPENDENCY_%s_URL names those of the own DCN", d.Variable)
			}
			if _, here := r.components[appv1.ComponentName(d.Component)]; !here && len(rule.To) == 1 {
				r.reason(string(c.Name), "", "dependsOn["+d.Name+"]", Missing,
					"component %q does not run in cluster %q, so calls to it find no instance there", d.Component, r.in.Cluster)
			}
		case d.Application != nil:
			tenant := d.Application.Tenant
			if tenant == "" {
				tenant = r.in.Content.Tenant
			}
			peer := labelled(string(d.Application.Component), dcn, d.Reach)
			peer.NamespaceSelector = r.namespaceOf(tenant, d.Application.Name)
			rule.To = []networkingv1.NetworkPolicyPeer{peer}
		default:
			rule.To = blocks(d.Networks)
			if len(rule.To) == 0 {
				continue // an address without networks opens nothing
			}
		}
		out = append(out, rule)
	}
	return out
}

// ingress is who may call a component.
func (r *rendering) ingress(c component, dcn string) []networkingv1.NetworkPolicyIngressRule {
	var out []networkingv1.NetworkPolicyIngressRule
	for _, caller := range r.in.Content.Spec.Components {
		deps, err := dependencies(r.in.Content.Spec, caller)
		if err != nil {
			continue // gather has seen it for every component that runs here
		}
		for _, d := range deps {
			if d.Component != string(c.Name) || !Allows(r.in.Zones, caller.Zone, c.Zone, d.Port, d.Protocol) {
				continue
			}
			out = append(out, networkingv1.NetworkPolicyIngressRule{
				From:  r.peers(string(caller.Name), dcn, d.Reach),
				Ports: []networkingv1.NetworkPolicyPort{policyPort(d.Port, d.Protocol)},
			})
		}
	}
	callers := slices.Clone(r.in.Callers)
	byKey(callers, func(k Caller) string { return k.Tenant + " " + k.Application + " " + string(k.Component) })
	for _, k := range callers {
		if k.To != c.Name || !Allows(r.in.Zones, k.Zone, c.Zone, k.Port, k.Protocol) {
			continue
		}
		peer := labelled(string(k.Component), dcn, appv1.ReachAllDCNs)
		peer.NamespaceSelector = r.namespaceOf(k.Tenant, k.Application)
		out = append(out, networkingv1.NetworkPolicyIngressRule{
			From: []networkingv1.NetworkPolicyPeer{peer}, Ports: []networkingv1.NetworkPolicyPort{policyPort(k.Port, k.Protocol)},
		})
	}
	for _, e := range r.in.Content.Spec.Exposure {
		if e.Component != c.Name || e.NodePort == nil {
			continue
		}
		port, ok := named(c.Ports, string(e.Port), func(p appv1.Port) string { return string(p.Name) })
		if !ok {
			continue // nodePort says so
		}
		out = append(out, networkingv1.NetworkPolicyIngressRule{
			From: blocks(e.Sources), Ports: []networkingv1.NetworkPolicyPort{policyPort(port.Port, port.Protocol)},
		})
	}
	return out
}

// peers are the pods of another component: of the same DCN, or with reach AllDCNs of every
// DCN, those in other clusters by their networks.
func (r *rendering) peers(other, dcn string, reach appv1.Reach) []networkingv1.NetworkPolicyPeer {
	out := []networkingv1.NetworkPolicyPeer{labelled(other, dcn, reach)}
	if reach == appv1.ReachAllDCNs {
		var networks []string
		for _, n := range r.in.PeerNetworks {
			networks = append(networks, n...)
		}
		slices.Sort(networks)
		out = append(out, blocks(slices.Compact(networks))...)
	}
	return out
}

func labelled(component, dcn string, reach appv1.Reach) networkingv1.NetworkPolicyPeer {
	labels := map[string]string{appv1.LabelComponent: component}
	if reach != appv1.ReachAllDCNs {
		labels[appv1.LabelDCN] = dcn
	}
	return networkingv1.NetworkPolicyPeer{PodSelector: &metav1.LabelSelector{MatchLabels: labels}}
}

func (r *rendering) namespaceOf(tenant, application string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: map[string]string{
		appv1.LabelTenant: tenant, appv1.LabelEnvironment: r.in.Content.Environment, appv1.LabelApplication: application,
	}}
}

func blocks(networks []string) []networkingv1.NetworkPolicyPeer {
	var out []networkingv1.NetworkPolicyPeer
	for _, n := range networks {
		out = append(out, networkingv1.NetworkPolicyPeer{IPBlock: &networkingv1.IPBlock{CIDR: n}})
	}
	return out
}

// single is the network of one address.
func single(ip string) string {
	if strings.Contains(ip, ":") {
		return ip + "/128"
	}
	return ip + "/32"
}

func policyPort(port int32, protocol appv1.TransportProtocol) networkingv1.NetworkPolicyPort {
	p := corev1.ProtocolTCP
	if protocol == appv1.ProtocolUDP {
		p = corev1.ProtocolUDP
	}
	return networkingv1.NetworkPolicyPort{Protocol: &p, Port: ptr.To(intstr.FromInt32(port))}
}
