// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement_test

import (
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"
	"pgregory.net/rapid"

	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement"
)

// TestWhatIsForgottenMovesNobody takes one object out of random fleets, whatever runs there and
// however it changes: nothing is said to leave since an object is not known, and nothing new
// comes where one is not.
func TestWhatIsForgottenMovesNobody(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, components := drawFleet(t)
		policy := placement.DefaultPolicy()
		r := placement.Request{Application: "retail/app", Tenant: "retail", Environment: "prod", Components: components}
		for _, p := range s.Pools {
			r.Quotas = append(r.Quotas, tenancyv1.Quota{Environment: "prod", Pool: p.Name, Instances: 1000, CPU: resource.MustParse("1000"), Memory: resource.MustParse("10Ti")})
		}
		first := placement.Place(s, []placement.Request{r}, policy)[0]
		if first.Refused {
			return
		}
		r.Previous = first.Assignments
		for _, a := range first.Assignments {
			s.Reserved = append(s.Reserved, placement.Reservation{Application: r.Application, Tenant: "retail", Environment: "prod", Assignment: a})
		}
		var objects []func(c placement.Cell) bool
		gone := s
		drop := func(kind string) {
			switch kind {
			case "cluster":
				i := rapid.IntRange(0, len(s.Clusters)-1).Draw(t, "cluster")
				gone.Clusters = slices.Delete(slices.Clone(s.Clusters), i, i+1)
				objects = append(objects, func(c placement.Cell) bool { return c.Cluster == s.Clusters[i].Name })
			case "pool":
				i := rapid.IntRange(0, len(s.Pools)-1).Draw(t, "pool")
				gone.Pools = slices.Delete(slices.Clone(s.Pools), i, i+1)
				objects = append(objects, func(c placement.Cell) bool { return c.Pool == s.Pools[i].Name })
			case "dcn":
				i := rapid.IntRange(0, len(s.DCNs)-1).Draw(t, "dcn")
				gone.DCNs = slices.Delete(slices.Clone(s.DCNs), i, i+1)
				objects = append(objects, func(c placement.Cell) bool { return c.DCN == s.DCNs[i].Name })
			default:
				i := rapid.IntRange(0, len(s.Zones)-1).Draw(t, "zone")
				gone.Zones = slices.Delete(slices.Clone(s.Zones), i, i+1)
				objects = append(objects, func(c placement.Cell) bool { return c.Zone == s.Zones[i].Name })
			}
		}
		drop(rapid.SampledFrom([]string{"cluster", "pool", "dcn", "zone"}).Draw(t, "kind"))
		if rapid.Bool().Draw(t, "changes") {
			r.Components = changeComponents(t, components)
		} else {
			policy.Explain = true
		}
		d := placement.Place(gone, []placement.Request{r}, policy)[0]
		for _, why := range d.Reasons {
			if rule := why.Rule; !why.Refusal && (rule == "EnvironmentServed" || rule == "TenantOwnsPool" || rule == "ZoneAcceptsLevel") && !policy.Explain {
				t.Fatalf("%s: %s", rule, why.Message)
			}
		}
		if d.Refused {
			return
		}
		for _, a := range d.Assignments {
			for _, seat := range a.Seats {
				unknown := slices.ContainsFunc(objects, func(is func(placement.Cell) bool) bool { return is(a.Cell) })
				if there := slices.ContainsFunc(r.Previous, func(b placement.Assignment) bool {
					return b.Component == a.Component && b.Cell == a.Cell && slices.Contains(b.Seats, seat)
				}); unknown && !there {
					t.Fatalf("%s-%d is new in cell %v, of which something is not known", a.Component, seat, a.Cell)
				}
			}
		}
		if policy.Explain { // nothing changes: everybody stays
			for _, a := range r.Previous {
				i := slices.IndexFunc(d.Assignments, func(b placement.Assignment) bool { return b.Component == a.Component && b.Cell == a.Cell })
				if len(a.Seats) > 0 && slices.ContainsFunc(objects, func(is func(placement.Cell) bool) bool { return is(a.Cell) }) && (i < 0 || !slices.Equal(d.Assignments[i].Seats, a.Seats)) {
					t.Fatalf("%s leaves cell %v", a.Component, a.Cell)
				}
			}
		}
	})
}
