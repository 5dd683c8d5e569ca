// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package storm

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
)

// TestNoRoomInProduction has the hosts of a rack shrink under running instances, of which
// one goes: its successor finds no host. In production that is proposed; a person's Release
// brings it elsewhere, and nobody else moves.
func TestNoRoomInProduction(t *testing.T) {
	one := &site{name: "east-1", center: "east", environment: "prod"}
	b := open(t, map[string]tenancyv1.EnvironmentClass{"prod": tenancyv1.ClassProduction}, nil, []*placementv1.PlacementPolicy{lostPolicy("prod", placementv1.LostRelease)}, one)
	b.completed("retail-prod", b.run("ledger", "prod", map[string]int32{"east": 12}))
	rackOf := map[string]string{}
	for r := range racks {
		for i := range hostsPerRack {
			rackOf[one.host(r, i)] = one.rack(r)
		}
	}
	var victim *corev1.Pod
	for _, p := range b.pods(one) {
		if rackOf[p.Spec.NodeName] == one.rack(0) {
			victim = &p
			break
		}
	}
	if victim == nil {
		t.Fatalf("nothing runs in rack %s", one.rack(0))
	}
	for i := range hostsPerRack {
		b.resize(one, one.host(0, i), corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("64Gi"), corev1.ResourcePods: resource.MustParse("110")})
	}
	b.must(one.api.Delete(t.Context(), victim))
	others := seats(b.pods(one))
	delete(others, victim.Namespace+"/"+victim.Name)
	b.say("the hosts of rack %s offer nothing any more, and one of its instances is gone", one.rack(0))

	var found placementv1.Placement
	b.await("what waits for room is proposed elsewhere", func() string {
		for _, p := range b.proposals() {
			if p.Spec.Cause.Kind == placementv1.CauseNoRoom {
				found = p
				return ""
			}
		}
		return words(b.deliveryIn(one).Status.Conditions)
	})
	c := found.Spec.Cause
	if len(c.Waits) != 1 || c.Waits[0].Component != "app" || c.Waits[0].Cell.Rack != one.rack(0) || len(c.Waits[0].Seats) != 1 || len(c.Gains) != 1 || c.Gains[0].Instances != 1 {
		t.Errorf("proposed for %+v: want one instance of app that waits in rack %s", c, one.rack(0))
	}
	if n := len(list(b, &releasev1.ReleaseList{}).Items); n != 1 {
		t.Errorf("%d releases: in production none starts by itself", n)
	}
	b.say("%s is proposed", found.Name)

	b.completed("retail-prod", b.release("retail-prod", "ledger", "--placement", found.Name))
	b.await("all instances have a host and answer", func() string {
		if n := b.ready(one); n != 12 {
			return fmt.Sprintf("%d of 12 answer", n)
		}
		return b.lacks()
	})
	now := seats(b.pods(one))
	for name, was := range others {
		// The successor that waited is gone, too: another sits on its seat elsewhere.
		if was.host != "" && now[name] != was {
			t.Errorf("%s was %+v and is %+v: only what waited moves", name, was, now[name])
		}
	}
	for name, is := range now {
		if _, there := others[name]; !there && rackOf[is.host] == one.rack(0) {
			t.Errorf("%s came to host %s in rack %s, which has no room", name, is.host, one.rack(0))
		}
	}
	if left := b.proposals(); len(left) > 0 {
		t.Errorf("%d proposals are left: %+v", len(left), left[0].Spec.Cause)
	}
	if p := b.placementOf("retail-prod", "ledger"); p != found.Name {
		t.Errorf("placement %s is in force, want the proposal %s", p, found.Name)
	}
	b.say("it runs elsewhere, and the %d others are the same", len(now)-1)
}
