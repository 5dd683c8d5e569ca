// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package app

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
)

// processors are the architectures that Fairway places on, as Kubernetes names them (R10).
var processors = []string{"amd64", "arm64", "loong64"}

// runsOn are those of the processors that an image runs on, sorted. None: it does not say,
// and is taken to run on any, as it was before images were asked. An image that runs on none
// of them is an error: it would start nowhere.
func runsOn(image string, facts ImageFacts) ([]string, error) {
	if len(facts.Architectures) == 0 {
		return nil, nil
	}
	var out []string
	for _, p := range processors {
		if slices.Contains(facts.Architectures, p) {
			out = append(out, p)
		}
	}
	if out == nil {
		return nil, fmt.Errorf("image %q runs on %s, and Fairway places on %s; build it for one of these", image, listed(facts.Architectures), listed(processors))
	}
	return out, nil
}

// listed names a few of many, so that a message stays short.
func listed(names []string) string {
	const most = 8
	if more := len(names) - most; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), more)
	}
	return strings.Join(names, ", ")
}

// checkProcessors refuses images that start on no host that Fairway knows.
func checkProcessors(c *checking, found func(component, format string, args ...any)) {
	for _, comp := range c.spec.Components {
		if _, err := runsOn(comp.Image, c.world.Images[comp.Image]); err != nil {
			found(string(comp.Name), "%s", err)
		}
	}
}

// checkMissingProcessors tells of hosts that an image leaves idle: those of the pools that
// its component may use.
func checkMissingProcessors(c *checking, found func(component, format string, args ...any)) {
	for _, comp := range c.spec.Components {
		facts, asked := c.world.Images[comp.Image]
		on, err := runsOn(comp.Image, facts)
		if !asked || err != nil {
			continue // not known, or said already
		}
		hosts := map[string]int{}
		for _, p := range c.world.Pools {
			if c.fits(p, comp) {
				for name, n := range p.Hosts {
					hosts[name] += n
				}
			}
		}
		if len(on) == 0 {
			if len(hosts) > 1 {
				found(string(comp.Name), "image %q does not say which processors it runs on, and its pools have %s; build it so that it says, or it may be put where it does not start", comp.Image, counted(hosts))
			}
			continue
		}
		idle := map[string]int{}
		for name, n := range hosts {
			if !slices.Contains(on, name) {
				idle[name] = n
			}
		}
		if len(idle) > 0 {
			found(string(comp.Name), "image %q runs on %s, so %s of its pools cannot take it; build it for these as well, to use them all", comp.Image, listed(on), counted(idle))
		}
	}
}

// fits says whether a component may use a pool.
func (c *checking) fits(p Pool, comp appv1.Component) bool {
	return slices.Contains(p.Tenants, c.world.Tenant) && p.Level == c.levelOf(comp) && slices.Contains(p.Zones, comp.Zone)
}

// counted says how many hosts there are of each architecture.
func counted(hosts map[string]int) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(hosts)) {
		word := "hosts"
		if hosts[name] == 1 {
			word = "host"
		}
		called := name
		if name == "" {
			called = "unknown"
		}
		out = append(out, fmt.Sprintf("%d %s of architecture %s", hosts[name], word, called))
	}
	return strings.Join(out, ", ")
}

// onProcessors keeps pods to hosts of these architectures, so that a rack of several is safe.
func onProcessors(affinity *corev1.NodeAffinity, architectures []string) *corev1.NodeAffinity {
	if len(architectures) > 0 {
		term := &affinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[0]
		term.MatchExpressions = append(term.MatchExpressions, corev1.NodeSelectorRequirement{
			Key: corev1.LabelArchStable, Operator: corev1.NodeSelectorOpIn, Values: architectures,
		})
	}
	return affinity
}
