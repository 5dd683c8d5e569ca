// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller_test

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement/placementtest"
	"github.com/fairway-cloud/fairway/internal/release"
	"github.com/fairway-cloud/fairway/internal/release/releasetest"
)

// What no Placement holds is refused with what to divide, and its room is given back.
func TestAnApplicationTooLargeForOnePlacement(t *testing.T) {
	s := newSite(t, nil)
	s.change(&fleetv1.Pool{ObjectMeta: metav1.ObjectMeta{Name: "retail-business"}}, func(o client.Object) {
		for k := range o.(*fleetv1.Pool).Status.Racks {
			r := &o.(*fleetv1.Pool).Status.Racks[k]
			r.Hosts = nil
			for i := range 5000 {
				r.Hosts = append(r.Hosts, fmt.Sprintf("host-%s-%04d.%s", r.Rack, i, strings.Repeat("x", 200)))
			}
			r.Capacity = fleetv1.Resources{CPU: resource.MustParse("5k"), Memory: resource.MustParse("5Ti"), Instances: 50000}
		}
	})
	large := placementtest.Revision(t, "pay", 90)
	place := func(application string, revision *appv1.Revision) error {
		_, err := s.placer.Place(t.Context(), releasetest.New(application+"-1", revision.Name, func(r *releasev1.Release) { r.Spec.Application = application }), revision)
		return err
	}
	for range 2 { // its room is given back: it would not find the quota of 100 a second time
		refusal := release.Refused(place("pay", large))
		if refusal == nil || refusal.Reason != releasev1.ReasonNotPlaced || !strings.Contains(refusal.Message, `application "pay" is too large for one placement: its components (1) lie in`) || !strings.Contains(refusal.Message, "divide the application") {
			t.Fatalf("%v: want a refusal that says what to divide", refusal)
		}
	}
	var all placementv1.PlacementList
	if err := s.List(t.Context(), &all); err != nil || len(all.Items) != 0 {
		t.Errorf("%d placements, %v: want none", len(all.Items), err)
	}
	if refusal := release.Refused(place("loan", placementtest.Revision(t, "loan", 90))); refusal == nil || strings.Contains(refusal.Message, "quota") {
		t.Errorf("%v: want the quota free", refusal)
	}
}
