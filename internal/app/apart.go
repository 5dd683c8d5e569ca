// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package app

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
)

// KeptApart lists from whom a component of a Revision keeps apart (spec.placement.antiAffinity,
// R48), each with its application and scope, sorted and each once. Rules of scope Host are
// not among them where the Revision's pods do not say so: nobody would keep them.
func KeptApart(content Content, component appv1.ComponentName) []appv1.AntiAffinity {
	all := keptApart(content.Spec, content.Application, component)
	if content.Renderer < hostsApartGeneration {
		return slices.DeleteFunc(all, func(a appv1.AntiAffinity) bool { return a.Scope == appv1.SpreadHost })
	}
	return all
}

// keptApart lists them as an application says. Nobody keeps apart from himself.
func keptApart(spec appv1.ApplicationSpec, application string, component appv1.ComponentName) []appv1.AntiAffinity {
	if spec.Placement == nil {
		return nil
	}
	var out []appv1.AntiAffinity
	for _, a := range spec.Placement.AntiAffinity {
		def(fill, &a.Application, application)
		def(fill, &a.Scope, appv1.SpreadHost)
		if a.Component == component && (a.From != component || a.Application != application) {
			out = append(out, a)
		}
	}
	slices.SortFunc(out, compareAntiAffinity)
	return slices.Compact(out)
}

func compareAntiAffinity(a, b appv1.AntiAffinity) int {
	return cmp.Or(cmp.Compare(a.Application, b.Application), cmp.Compare(a.From, b.From), cmp.Compare(a.Scope, b.Scope))
}

// keptOffHosts are those of them that share no host: they are part of the pods.
func keptOffHosts(spec appv1.ApplicationSpec, application string, component appv1.ComponentName) []appv1.AntiAffinity {
	return slices.DeleteFunc(keptApart(spec, application, component), func(a appv1.AntiAffinity) bool { return a.Scope != appv1.SpreadHost })
}

// keepApart has the member's scheduler keep pods off hosts of the components that theirs
// keeps apart from. Schedulers obey it both ways: it keeps those off their hosts as well.
// Racks and zones need nothing: pods are pinned to cells, and the Placement chose those.
func (r *rendering) keepApart(c component, spec *corev1.PodSpec) {
	content := r.in.Content
	if content.Renderer < hostsApartGeneration {
		return
	}
	for _, a := range keptOffHosts(content.Spec, content.Application, c.Name) {
		term := corev1.PodAffinityTerm{
			LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{appv1.LabelApplication: a.Application, appv1.LabelComponent: string(a.From)}},
			TopologyKey:   corev1.LabelHostname,
		}
		if a.Application != content.Application {
			term.Namespaces = []string{MemberNamespace(content.Tenant, content.Environment, a.Application)}
		}
		if spec.Affinity.PodAntiAffinity == nil {
			spec.Affinity.PodAntiAffinity = &corev1.PodAntiAffinity{}
		}
		anti := spec.Affinity.PodAntiAffinity
		anti.RequiredDuringSchedulingIgnoredDuringExecution = append(anti.RequiredDuringSchedulingIgnoredDuringExecution, term)
	}
}

// checkApart wants the components that are named to be there. Those of other applications
// may come later.
func checkApart(c *checking, found func(component, format string, args ...any)) {
	if c.spec.Placement == nil {
		return
	}
	there := func(name appv1.ComponentName) bool {
		_, ok := named(c.spec.Components, string(name), func(c appv1.Component) string { return string(c.Name) })
		return ok
	}
	for i, a := range c.spec.Placement.AntiAffinity {
		own := a.Application == "" || a.Application == c.name
		switch {
		case !there(a.Component):
			found("", "placement.antiAffinity[%d] is for component %q, which does not exist; correct component", i, a.Component)
		case own && !there(a.From):
			found(string(a.Component), "placement.antiAffinity[%d] keeps apart from component %q, which does not exist; correct from, or name its application", i, a.From)
		case own && a.From == a.Component:
			found(string(a.Component), "placement.antiAffinity[%d] keeps %q apart from itself; use the component's maxPerHost, or the minimum of racks and zones of the availability class", i, a.From)
		}
	}
}
