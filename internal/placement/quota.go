// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement

import (
	"strings"

	"github.com/fairway-cloud/fairway/internal/tenancy"
)

// budget is what the tenant has reserved in the environment, by pool.
type budget map[string]Amount

// countQuota sums what the tenant has reserved in the environment, without the
// requesting application, whose new assignments count instead. Old and new
// instances of a Release count once: a quota bounds what is planned to stay.
func countQuota(s Snapshot, r Request) budget {
	used := budget{}
	for _, h := range together(s.Reserved, func(Reservation) string { return "" }) {
		if h.Tenant == r.Tenant && h.Environment == r.Environment && h.Application != r.Application {
			used.take(h.Cell.Pool, h.Size, int64(len(h.Seats)))
		}
	}
	return used
}

func (b budget) take(pool string, size Amount, n int64) {
	b[pool] = b[pool].Plus(size.Times(n))
}

// refuses returns why n more instances would exceed the quota, or "".
func (b budget) refuses(r Request, pool string, size Amount, n int64) string {
	share := func(a Amount) []tenancy.Share {
		return []tenancy.Share{{Environment: r.Environment, Pool: pool, Amount: tenancy.Amount{Instances: a.Instances, CPU: a.CPU, Memory: a.Memory}}}
	}
	var parts []string
	for _, reason := range tenancy.CheckQuota(share(b[pool]), share(size.Times(n)), r.Quotas) {
		parts = append(parts, reason.Message)
	}
	return strings.Join(parts, "; ")
}
