// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package app

import appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"

// The renderer's generations. A Revision freezes one, and is rendered by it for as long as it
// is there: a template digest promises the same pods, whatever version of Fairway renders
// them. Whoever changes what an old content renders to adds a generation here, keeps the old
// way for those before it, and says in generationOfComponent whom it concerns: a Revision
// freezes the oldest generation that renders it as the latest does, so that a new version of
// Fairway makes no other Revision, and restarts nobody, whose pods do not change.
const (
	// firstGeneration renders no rule of spec.placement.antiAffinity.
	firstGeneration = 1
	// hostsApartGeneration renders those of scope Host (R48).
	hostsApartGeneration = 2
	// hostBoundGeneration renders maxPerHost from 2 on, and that of jobs (R48).
	hostBoundGeneration = 3

	latestGeneration = hostBoundGeneration
)

// generationOf is the one that a Revision of an application is frozen for.
func generationOf(spec appv1.ApplicationSpec, application string) int32 {
	latest := int32(firstGeneration)
	for _, c := range spec.Components {
		latest = max(latest, generationOfComponent(spec, application, c.Name))
	}
	return latest
}

// generationOfComponent is the oldest that renders the pods of one component as the latest
// does.
func generationOfComponent(spec appv1.ApplicationSpec, application string, component appv1.ComponentName) int32 {
	c, _ := named(spec.Components, string(component), func(c appv1.Component) string { return string(c.Name) })
	switch {
	case boundSaidLate(c):
		return hostBoundGeneration
	case len(keptOffHosts(spec, application, component)) > 0:
		return hostsApartGeneration
	}
	return firstGeneration
}
