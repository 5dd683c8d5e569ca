// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement

import "fmt"

// budget is what the tenant's quotas leave, by pool.
type budget struct {
	limit map[string]Amount
	used  map[string]Amount
}

// countQuota sums what the tenant has reserved in the environment, without the
// requesting application, whose new assignments count instead. Old and new
// instances of a Release count once: a quota bounds what is planned to stay.
func countQuota(s Snapshot, r Request) budget {
	b := budget{limit: map[string]Amount{}, used: map[string]Amount{}}
	for _, q := range r.Quotas {
		b.limit[q.Pool] = q.Limit
	}
	for _, h := range together(s.Reserved, func(Reservation) string { return "" }) {
		if h.Tenant == r.Tenant && h.Environment == r.Environment && h.Application != r.Application {
			b.take(h.Cell.Pool, h.Size, int64(len(h.Seats)))
		}
	}
	return b
}

func (b budget) take(pool string, size Amount, n int64) {
	b.used[pool] = b.used[pool].Plus(size.Times(n))
}

// refuses returns why n more instances would exceed the quota, or "".
func (b budget) refuses(r Request, pool string, size Amount, n int64) string {
	limit, ok := b.limit[pool]
	if !ok {
		return fmt.Sprintf("tenant %s has no quota in environment %s for pool %s: set one in the Tenant", r.Tenant, r.Environment, pool)
	}
	want := b.used[pool].Plus(size.Times(n))
	over := Amount{CPU: want.CPU - limit.CPU, Memory: want.Memory - limit.Memory, Instances: want.Instances - limit.Instances}
	if lacks := over.words(); lacks != "" {
		return fmt.Sprintf("the quota of tenant %s in environment %s for pool %s lacks %s for %s", r.Tenant, r.Environment, pool, lacks, instances(n))
	}
	return ""
}
