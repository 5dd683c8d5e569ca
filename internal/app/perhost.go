// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package app

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
)

// beyondHosts is more than a cluster ever has hosts.
const beyondHosts = 1_000_000

// MaxPerHost is how many instances of a component of a Revision one host may hold
// (maxPerHost, R48): in its pods, as these say it to the member's scheduler, or, where they do
// not say so, of a cell, which then has so many for each of its hosts. One of the two is 0,
// and both where there is no bound.
func MaxPerHost(content Content, c appv1.Component) (inPods, ofCell int32) {
	switch {
	case c.MaxPerHost == nil:
		return 0, 0
	case content.Renderer < hostBoundGeneration && boundSaidLate(c):
		return 0, *c.MaxPerHost
	}
	return *c.MaxPerHost, 0
}

// boundSaidLate reports whether a component has a bound that pods say since
// hostBoundGeneration only.
func boundSaidLate(c appv1.Component) bool {
	return c.MaxPerHost != nil && (*c.MaxPerHost > 1 || !runsForever(c))
}

// boundHosts has the member's scheduler put no more of a workload's pods on a host than
// maxPerHost says. One: by a required anti-affinity. More: by a spread that may be uneven by
// so many, counted from 0, since there are fewer hosts than minDomains asks for.
func (r *rendering) boundHosts(c component, a Assignment, about string, spec *corev1.PodSpec) {
	most, ofCell := MaxPerHost(r.in.Content, c.Component)
	selects := &metav1.LabelSelector{MatchLabels: workloadSelector(c, a)}
	switch {
	case most == 1:
		spec.Affinity.PodAntiAffinity = &corev1.PodAntiAffinity{
			RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{LabelSelector: selects, TopologyKey: corev1.LabelHostname}},
		}
	case most > 1 && r.served.has(fieldMinDomains):
		spec.TopologySpreadConstraints = append(spec.TopologySpreadConstraints, corev1.TopologySpreadConstraint{
			MaxSkew: most, TopologyKey: corev1.LabelHostname, WhenUnsatisfiable: corev1.DoNotSchedule, LabelSelector: selects,
			MinDomains: ptr.To[int32](beyondHosts),
		})
	case most > 1:
		r.reason(string(c.Name), about, "spec.template.spec.topologySpreadConstraints.minDomains", Missing,
			"version %s cannot bound instances per host at %d: the Placement leaves room for the bound, and a single host may hold more; place the component on Kubernetes 1.%d or newer to have it kept", r.served.Version, most, fieldMinDomains.since)
	case ofCell > 0:
		r.reason(string(c.Name), about, "maxPerHost", Missing,
			"the revision is from before pods said a bound per host: each cell has at most %d instances for each of its hosts, and a single host may hold more; release a newer revision to have it kept", ofCell)
	}
}
