// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement

import (
	"strings"

	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/tenancy"
)

// share is what a quota bounds.
type share struct{ tenant, environment, pool string }

// spend counts against the quota of a pool what the decision takes.
func (b *board) spend(pool string, a Amount) { b.spent[pool] = b.spent[pool].Plus(a) }

// usedIn is what the tenant has reserved of a pool in the environment, the decision
// included. Old and new instances of a Release count once: a quota bounds what is
// planned to stay.
func (b *board) usedIn(pool string) Amount {
	return b.fleet.used[share{b.request.Tenant, b.request.Environment, pool}].Plus(b.spent[pool])
}

// quotaLeft is how many more instances of a size the quota of a pool allows.
func (b *board) quotaLeft(pool string, size Amount) int64 {
	var limit Amount
	found := false
	for i := range b.request.Quotas {
		if q := &b.request.Quotas[i]; q.Pool == pool && q.Environment == b.request.Environment {
			found = true
			limit = limit.Plus(Amount{CPU: q.CPU.MilliValue(), Memory: q.Memory.Value(), Instances: q.Instances})
		}
	}
	if !found {
		return 0
	}
	return perHost(limit.Plus(b.usedIn(pool).Times(-1)), size)
}

// overQuota says why n more instances would exceed the quota, or "".
func (b *board) overQuota(pool string, size Amount, n int64) string {
	return exceeds(pool, b.request.Environment, b.usedIn(pool), size.Times(n), b.request.Quotas)
}

// exceeds says why more in a pool exceeds the quota there, or "".
func exceeds(pool, environment string, used, more Amount, quotas []tenancyv1.Quota) string {
	if more.Within(Amount{}) {
		return ""
	}
	of := func(a Amount) []tenancy.Share {
		return []tenancy.Share{{Environment: environment, Pool: pool, Amount: tenancy.Amount{Instances: a.Instances, CPU: a.CPU, Memory: a.Memory}}}
	}
	var parts []string
	for _, reason := range tenancy.CheckQuota(of(used), of(more), quotas) {
		parts = append(parts, reason.Message)
	}
	return strings.Join(parts, "; ")
}
