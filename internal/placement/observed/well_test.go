// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package observed_test

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app/apptest"
	"github.com/fairway-cloud/fairway/internal/placement/observed"
	"github.com/fairway-cloud/fairway/internal/placement/placementtest"
)

// Of a fleet that is well nobody looks further, whatever was proposed once: only a proposal that
// holds room, and what may still follow of a loss, count.
func TestAllWell(t *testing.T) {
	for name, c := range map[string]struct {
		change func(p *placementv1.Placement)
		never  bool
		want   bool
	}{
		"nothing was proposed":             {func(p *placementv1.Placement) { p.Spec.Cause = nil }, false, true},
		"a proposal":                       {func(*placementv1.Placement) {}, false, false},
		"it expired":                       {func(p *placementv1.Placement) { p.Spec.ExpiresAt = metav1.NewTime(apptest.Now) }, false, true},
		"it was withdrawn":                 {func(p *placementv1.Placement) { reserve(p, metav1.ConditionFalse) }, false, true},
		"it is in force, the way back due": {func(p *placementv1.Placement) { p.Status.Release = "pay-2" }, false, false},
		"it is in force, and nobody goes":  {func(p *placementv1.Placement) { p.Status.Release = "pay-2" }, true, true},
		"the way back is in force": {func(p *placementv1.Placement) {
			p.Status.Release, p.Spec.Cause.Kind = "pay-3", placementv1.CauseRecovered
		}, false, true},
		"what waited for room is elsewhere": {func(p *placementv1.Placement) { p.Status.Release, p.Spec.Cause.Kind = "pay-3", placementv1.CauseNoRoom }, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			p := &placementv1.Placement{ObjectMeta: metav1.ObjectMeta{Namespace: "retail-prod", Name: "pay-1"}}
			p.Spec.Application, p.Spec.Cause, p.Spec.ExpiresAt = "pay", &placementv1.Cause{Kind: placementv1.CauseLost}, metav1.NewTime(apptest.Now.Add(time.Hour))
			reserve(p, metav1.ConditionTrue)
			c.change(p)
			hub := placementtest.Hub(t).WithObjects(p).Build()
			if c.never {
				policy := &placementv1.PlacementPolicy{}
				if err := hub.Get(t.Context(), client.ObjectKey{Name: "all"}, policy); err != nil {
					t.Fatal(err)
				}
				policy.Spec.Lost = &placementv1.LostPolicy{Return: "Never"}
				if err := hub.Update(t.Context(), policy); err != nil {
					t.Fatal(err)
				}
			}
			if well, err := observed.AllWell(t.Context(), hub, apptest.Now); err != nil || well != c.want {
				t.Errorf("all is well: %t, %v, want %t", well, err, c.want)
			}
		})
	}
}

func reserve(p *placementv1.Placement, status metav1.ConditionStatus) {
	meta.SetStatusCondition(&p.Status.Conditions, metav1.Condition{Type: placementv1.ConditionReserved, Status: status, Reason: "Proposed"})
}
