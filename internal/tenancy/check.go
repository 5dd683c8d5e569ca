// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package tenancy

import (
	"slices"

	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
)

// check looks for what a Tenant says that has no effect, so that nobody learns of
// it when a Release finds no room.
func (p *plan) check() {
	spec := p.seen.Spec
	if spec.Parent != "" && !slices.Contains(p.seen.Tenants, spec.Parent) {
		p.find(RuleParentMissing, "the tenant above, %q, does not exist: make it, or correct parent", spec.Parent)
	}
	for _, binding := range spec.Roles {
		for _, environment := range binding.Environments {
			if !slices.Contains(spec.Environments, environment) {
				p.find(RuleRoleUnused, "role %s is given in environment %q, which the tenant does not use: add the environment, or correct the role", binding.Role, environment)
			}
		}
	}
	type place struct{ environment, pool string }
	planned := map[place]bool{}
	for _, quota := range spec.Quotas {
		here := place{quota.Environment, quota.Pool}
		if planned[here] {
			p.find(RuleQuotaTwice, "environment %q has two quotas for pool %q: keep one", quota.Environment, quota.Pool)
		}
		planned[here] = true
		if !slices.Contains(spec.Environments, quota.Environment) {
			p.find(RuleQuotaUnused, "a quota names environment %q, which the tenant does not use: add the environment, or remove the quota", quota.Environment)
		}
		at := slices.IndexFunc(p.seen.Pools, func(pool fleetv1.Pool) bool { return pool.Name == quota.Pool })
		switch {
		case at < 0:
			p.find(RuleQuotaUnused, "a quota names pool %q, which does not exist: make the pool, or remove the quota", quota.Pool)
		case !serves(p.seen.Pools[at].Spec, p.seen.Name):
			p.find(RuleQuotaUnused, "a quota names pool %q, which is not open to the tenant: open the pool, or remove the quota", quota.Pool)
		}
	}
}

func serves(pool fleetv1.PoolSpec, tenant string) bool {
	return pool.Tenant == tenant || slices.Contains(pool.SharedBy, tenant)
}
