// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package observed_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app"
	"github.com/fairway-cloud/fairway/internal/app/apptest"
	"github.com/fairway-cloud/fairway/internal/placement/observed"
)

// What a Release holds that waits for its approval, or that was stopped before its first
// step, is not what runs: losses, trials and the next Release go by what is in force.
func TestInForce(t *testing.T) {
	made := func(name, release, reason string, hoursOld int, seats ...int32) placementv1.Placement {
		p := placementv1.Placement{ObjectMeta: metav1.ObjectMeta{Namespace: "retail-prod", Name: name, CreationTimestamp: metav1.NewTime(apptest.Now.Add(-time.Duration(hoursOld) * time.Hour))}}
		p.Status.Release = release
		if reason != "" {
			p.Status.Conditions = []metav1.Condition{{Type: placementv1.ConditionReserved, Status: metav1.ConditionTrue, Reason: reason}}
		}
		p.Spec.Application = "mobile-bank"
		p.Spec.Assignments = []placementv1.Assignment{{Component: "account", Seats: seats, Cell: placementv1.Cell{Cluster: "east-1", Pool: "p", Zone: "business", Rack: "a", DCN: "dcn-east-1"}}}
		return p
	}
	runs := made("runs", "r-1", placementv1.ReasonInUse, 48, 0, 1, 2, 3, 4, 5, 6, 7)
	waits := made("waits", "r-2", placementv1.ReasonPlanned, 2, 0, 1)
	later := made("later", "r-3", placementv1.ReasonPlanned, 1, 0)
	grown := made("grown", "r-4", placementv1.ReasonInUse, 3, 0, 1, 2)
	proposal := made("proposal", "", "", 0, 0)
	a := apptest.MobileBank()
	frozen, err := app.Freeze(a, apptest.Images(a), apptest.Bank())
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		held             []placementv1.Placement
		inForce, planned string
		seats            []int32 // that the next decision starts from
	}{
		"a Release waits for its approval":  {held: []placementv1.Placement{runs, waits}, inForce: "runs", planned: "waits", seats: runs.Spec.Assignments[0].Seats},
		"two Releases have begun":           {held: []placementv1.Placement{runs, grown, waits}, inForce: "grown", planned: "waits", seats: []int32{0, 1, 2}},
		"nothing runs yet":                  {held: []placementv1.Placement{waits, later}, planned: "later", seats: []int32{0}},
		"a proposal":                        {held: []placementv1.Placement{proposal, runs}, inForce: "runs", seats: runs.Spec.Assignments[0].Seats},
		"used before this was said":         {held: []placementv1.Placement{made("old", "r-0", "", 72, 0)}, inForce: "old", seats: []int32{0}},
		"nothing at all, or only proposals": {held: []placementv1.Placement{proposal}},
	} {
		t.Run(name, func(t *testing.T) {
			named := func(p *placementv1.Placement) string {
				if p == nil {
					return ""
				}
				return p.Name
			}
			if got := named(observed.InForce(tc.held)); got != tc.inForce {
				t.Errorf("in force is %q, want %q", got, tc.inForce)
			}
			if got := named(observed.Planned(tc.held)); got != tc.planned {
				t.Errorf("planned is %q, want %q", got, tc.planned)
			}
			var seats []int32
			for _, before := range observed.RequestOf(frozen.Content, "retail-prod/mobile-bank", &tenancyv1.Tenant{}, nil, tc.held).Previous {
				seats = append(seats, before.Seats...)
			}
			if diff := cmp.Diff(tc.seats, seats); diff != "" {
				t.Errorf("the next decision starts from (-want +got):\n%s", diff)
			}
		})
	}
}
