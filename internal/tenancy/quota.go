// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package tenancy

import (
	"cmp"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/resource"

	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
)

// Amount is what instances reserve.
type Amount struct {
	// Instances by number.
	Instances int64
	// CPU in thousandths of a core.
	CPU int64
	// Memory in bytes.
	Memory int64
}

// Plus returns the sum of two amounts.
func (a Amount) Plus(b Amount) Amount {
	return Amount{Instances: a.Instances + b.Instances, CPU: a.CPU + b.CPU, Memory: a.Memory + b.Memory}
}

// Share is an amount in one environment and pool.
type Share struct {
	Environment string
	Pool        string
	Amount
}

// Rules that a Reason names.
const (
	// RuleNoQuota: the tenant has no quota in the environment and pool.
	RuleNoQuota = "NoQuota"
	// RuleInstances: more instances than the quota.
	RuleInstances = "Instances"
	// RuleCPU: more CPU than the quota.
	RuleCPU = "CPU"
	// RuleMemory: more memory than the quota.
	RuleMemory = "Memory"
)

// Reason is why something asked for exceeds a quota.
type Reason struct {
	Environment string
	Pool        string
	// Rule that is broken.
	Rule string
	// Message gives the numbers and says what to do.
	Message string
}

// CheckQuota says what of the shares asked for exceeds the tenant's quotas,
// given those that are used already; none: all of it fits. Shares of one
// environment and pool add up, and quotas of one environment and pool do too. A
// share of nothing always fits. What is used may exceed a quota that was lowered
// since; it only matters where more is asked for.
func CheckQuota(used, asked []Share, quotas []tenancyv1.Quota) []Reason {
	type key struct{ environment, pool string }
	in := func(shares []Share) map[key]Amount {
		sums := map[key]Amount{}
		for _, share := range shares {
			at := key{share.Environment, share.Pool}
			sums[at] = sums[at].Plus(share.Amount)
		}
		return sums
	}
	limits := map[key]Amount{}
	for _, quota := range quotas {
		at := key{quota.Environment, quota.Pool}
		limits[at] = limits[at].Plus(Amount{Instances: quota.Instances, CPU: quota.CPU.MilliValue(), Memory: quota.Memory.Value()})
	}
	has := in(used)
	var reasons []Reason
	for at, more := range in(asked) {
		if more == (Amount{}) {
			continue
		}
		limit, ok := limits[at]
		if !ok {
			reasons = append(reasons, Reason{Environment: at.environment, Pool: at.pool, Rule: RuleNoQuota, Message: fmt.Sprintf(
				"the tenant has no quota in environment %q for pool %q: have one set in the Tenant, or name another pool", at.environment, at.pool)})
			continue
		}
		for _, r := range exceeding(has[at], more, limit) {
			r.Environment, r.Pool = at.environment, at.pool
			r.Message = fmt.Sprintf("the quota in environment %q for pool %q %s: ask for less, or have the quota raised in the Tenant", at.environment, at.pool, r.Message)
			reasons = append(reasons, r)
		}
	}
	order := []string{RuleNoQuota, RuleInstances, RuleCPU, RuleMemory}
	slices.SortFunc(reasons, func(a, b Reason) int {
		return cmp.Or(cmp.Compare(a.Environment, b.Environment), cmp.Compare(a.Pool, b.Pool),
			cmp.Compare(slices.Index(order, a.Rule), slices.Index(order, b.Rule)))
	})
	return reasons
}

func exceeding(used, more, limit Amount) []Reason {
	var reasons []Reason
	over := func(rule string, used, more, limit int64, words func(int64) string) {
		if more > 0 && used+more > limit {
			reasons = append(reasons, Reason{Rule: rule, Message: fmt.Sprintf("is %s, of which %s are used and %s more are asked for", words(limit), words(used), words(more))})
		}
	}
	over(RuleInstances, used.Instances, more.Instances, limit.Instances, func(n int64) string { return fmt.Sprintf("%d instances", n) })
	over(RuleCPU, used.CPU, more.CPU, limit.CPU, func(n int64) string {
		return resource.NewMilliQuantity(n, resource.DecimalSI).String() + " CPU"
	})
	over(RuleMemory, used.Memory, more.Memory, limit.Memory, func(n int64) string {
		return resource.NewQuantity(n, resource.BinarySI).String() + " memory"
	})
	return reasons
}
