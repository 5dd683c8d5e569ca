// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package tenancy_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"
	"pgregory.net/rapid"

	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/tenancy"
)

func quota(environment, pool string, instances, milli, memory int64) tenancyv1.Quota {
	return tenancyv1.Quota{
		Environment: environment, Pool: pool, Instances: instances,
		CPU: *resource.NewMilliQuantity(milli, resource.DecimalSI), Memory: *resource.NewQuantity(memory, resource.BinarySI),
	}
}

func share(environment, pool string, instances, milli, memory int64) tenancy.Share {
	return tenancy.Share{Environment: environment, Pool: pool, Amount: tenancy.Amount{Instances: instances, CPU: milli, Memory: memory}}
}

func TestCheckQuota(t *testing.T) {
	const gi = 1 << 30
	quotas := []tenancyv1.Quota{quota("prod", "core", 4, 2000, 4*gi), quota("prod", "dmz", 2, 500, gi)}
	cases := map[string]struct {
		reason      string
		used, asked []tenancy.Share
		want        []tenancy.Reason
	}{
		"nothing": {reason: "who asks for nothing fits"},
		"to the brim": {
			reason: "a quota may be used up",
			used:   []tenancy.Share{share("prod", "core", 1, 500, gi), share("prod", "core", 1, 500, gi)},
			asked:  []tenancy.Share{share("prod", "core", 2, 1000, 2*gi)},
		},
		"one too many": {
			reason: "the last instance exceeds all three",
			used:   []tenancy.Share{share("prod", "core", 4, 2000, 4*gi)},
			asked:  []tenancy.Share{share("prod", "core", 1, 500, gi)},
			want: []tenancy.Reason{
				{Environment: "prod", Pool: "core", Rule: "Instances", Message: `the quota in environment "prod" for pool "core" is 4 instances, of which 4 instances are used and 1 instances more are asked for: ask for less, or have the quota raised in the Tenant`},
				{Environment: "prod", Pool: "core", Rule: "CPU", Message: `the quota in environment "prod" for pool "core" is 2 CPU, of which 2 CPU are used and 500m CPU more are asked for: ask for less, or have the quota raised in the Tenant`},
				{Environment: "prod", Pool: "core", Rule: "Memory", Message: `the quota in environment "prod" for pool "core" is 4Gi memory, of which 4Gi memory are used and 1Gi memory more are asked for: ask for less, or have the quota raised in the Tenant`},
			},
		},
		"no quota": {
			reason: "a pool without a quota takes nothing",
			asked:  []tenancy.Share{share("prod", "cards", 1, 1, 1)},
			want:   []tenancy.Reason{{Environment: "prod", Pool: "cards", Rule: "NoQuota", Message: `the tenant has no quota in environment "prod" for pool "cards": have one set in the Tenant, or name another pool`}},
		},
		"other environment": {
			reason: "a quota of production is none of a test",
			asked:  []tenancy.Share{share("sit", "core", 1, 1, 1)},
			want:   []tenancy.Reason{{Environment: "sit", Pool: "core", Rule: "NoQuota", Message: `the tenant has no quota in environment "sit" for pool "core": have one set in the Tenant, or name another pool`}},
		},
		"lowered since": {
			reason: "what runs may exceed a lowered quota as long as nobody asks for more",
			used:   []tenancy.Share{share("prod", "dmz", 9, 9000, 9*gi)},
			asked:  []tenancy.Share{share("prod", "dmz", 0, 0, 0)},
		},
	}
	for name, tc := range cases {
		if diff := cmp.Diff(tc.want, tenancy.CheckQuota(tc.used, tc.asked, quotas)); diff != "" {
			t.Errorf("%s (%s): -want +got\n%s", name, tc.reason, diff)
		}
	}
}

// The dumb twin adds instances one at a time and looks at every quota each time.
func fits(used, asked []tenancy.Share, quotas []tenancyv1.Quota) bool {
	for _, one := range asked {
		if one.Instances == 0 && one.CPU == 0 && one.Memory == 0 {
			continue
		}
		var found bool
		var instances, cpu, memory, wantsInstances, wantsCPU, wantsMemory int64
		for _, q := range quotas {
			if q.Environment == one.Environment && q.Pool == one.Pool {
				found = true
				instances += q.Instances
				cpu += q.CPU.MilliValue()
				memory += q.Memory.Value()
			}
		}
		for _, all := range [][]tenancy.Share{used, asked} {
			for _, s := range all {
				if s.Environment == one.Environment && s.Pool == one.Pool {
					instances -= s.Instances
					cpu -= s.CPU
					memory -= s.Memory
				}
			}
		}
		for _, s := range asked {
			if s.Environment == one.Environment && s.Pool == one.Pool {
				wantsInstances += s.Instances
				wantsCPU += s.CPU
				wantsMemory += s.Memory
			}
		}
		if !found || wantsInstances > 0 && instances < 0 || wantsCPU > 0 && cpu < 0 || wantsMemory > 0 && memory < 0 {
			return false
		}
	}
	return true
}

func TestCheckQuotaAgainstTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		environment, pool, amount := rapid.SampledFrom([]string{"prod", "sit"}), rapid.SampledFrom([]string{"a", "b"}), rapid.Int64Range(0, 3)
		some := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) tenancy.Share {
			return share(environment.Draw(t, "environment"), pool.Draw(t, "pool"), amount.Draw(t, "instances"), amount.Draw(t, "cpu"), amount.Draw(t, "memory"))
		}), 0, 4)
		quotas := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) tenancyv1.Quota {
			n := rapid.Int64Range(0, 8)
			return quota(environment.Draw(t, "environment"), pool.Draw(t, "pool"), n.Draw(t, "instances"), n.Draw(t, "cpu"), n.Draw(t, "memory"))
		}), 0, 4).Draw(t, "quotas")
		used, asked := some.Draw(t, "used"), some.Draw(t, "asked")
		reasons := tenancy.CheckQuota(used, asked, quotas)
		if want := fits(used, asked, quotas); (len(reasons) == 0) != want {
			t.Fatalf("fits: %v, but the reasons are %v", want, reasons)
		}
	})
}
