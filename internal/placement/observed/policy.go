// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package observed

import (
	"cmp"
	"fmt"
	"slices"

	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement"
	"github.com/fairway-cloud/fairway/internal/platform/canonical"
)

// spareFrom is from how many hosts on a cell keeps one host's worth free unless a
// PlacementPolicy says otherwise. With two hosts it would be half of the cell.
const spareFrom = 3

// BuiltIn is the policy that holds where no PlacementPolicy does.
func BuiltIn() placement.Policy {
	p := placement.DefaultPolicy()
	p.SpareFrom = spareFrom
	return p
}

// PolicyFor is the PlacementPolicy that holds for an environment; nil: the built-in one
// does. A policy that names the environment goes before one that names its class, and
// that before one that names neither; of several the first by name holds.
func (w World) PolicyFor(environment string) *placementv1.PlacementPolicy {
	var class tenancyv1.EnvironmentClass
	for _, e := range w.Environments.Items {
		if e.Name == environment {
			class = e.Spec.Class
		}
	}
	var best *placementv1.PlacementPolicy
	most := 0
	for i := range w.Policies.Items {
		p := &w.Policies.Items[i]
		if fit := fits(p.Spec, environment, class); fit > most || fit > 0 && fit == most && p.Name < best.Name {
			best, most = p, fit
		}
	}
	return best
}

// fits is how closely a policy names an environment. 0: it does not hold there.
func fits(s placementv1.PlacementPolicySpec, environment string, class tenancyv1.EnvironmentClass) int {
	switch {
	case slices.Contains(s.Environments, environment):
		return 3
	case slices.Contains(s.EnvironmentClasses, class):
		return 2
	case len(s.Environments)+len(s.EnvironmentClasses) == 0:
		return 1
	}
	return 0
}

// Policy is what the scheduler is told about an environment, and how a Placement names
// it.
func (w World) Policy(environment string) (placement.Policy, placementv1.DecidedBy, error) {
	p := BuiltIn()
	by := placementv1.DecidedBy{Name: placementv1.PolicyBuiltIn}
	if found := w.PolicyFor(environment); found != nil {
		p = told(p, found.Spec)
		by.Name, by.Generation = found.Name, found.Generation
	}
	for _, s := range p.Scores {
		by.Weights = append(by.Weights, placementv1.DecidedWeight{Score: s.Name, Weight: s.Weight})
	}
	for _, a := range p.Apart {
		by.Apart = append(by.Apart, placementv1.Apart(a))
	}
	by.SpareFrom, by.SurgePercent = int32(p.SpareFrom), p.Surge //nolint:gosec // the schema bounds it
	digest, err := canonical.DigestOf(map[string]any{"weights": by.Weights, "apart": by.Apart, "spareFrom": by.SpareFrom, "surgePercent": by.SurgePercent})
	if err != nil {
		return p, by, fmt.Errorf("could not digest placement policy %q: %w", by.Name, err)
	}
	by.Digest = digest
	return p, by, nil
}

// told is a policy with what a PlacementPolicy says differently.
func told(p placement.Policy, s placementv1.PlacementPolicySpec) placement.Policy {
	weights := map[string]int64{}
	for _, w := range s.Weights {
		weights[string(w.Score)] = w.Weight
	}
	p = p.Weighted(weights)
	if len(s.Apart) > 0 {
		p.Apart = nil
		for _, a := range s.Apart {
			p.Apart = append(p.Apart, placement.Apart(a))
		}
		slices.SortFunc(p.Apart, func(a, b placement.Apart) int {
			return cmp.Or(cmp.Compare(a.Tag, b.Tag), cmp.Compare(a.Other, b.Other), cmp.Compare(a.Price, b.Price))
		})
	}
	if s.SpareFrom != nil {
		p.SpareFrom = int(*s.SpareFrom)
	}
	if s.Surge != nil {
		p.Surge = s.Surge.HostsPercent
	}
	return p
}
