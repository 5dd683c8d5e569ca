// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package keeper

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement"
	"github.com/fairway-cloud/fairway/internal/placement/observed"
)

// keyOf is the key of an application "<namespace>/<name>".
func keyOf(application string) client.ObjectKey {
	namespace, name, _ := strings.Cut(application, "/")
	return client.ObjectKey{Namespace: namespace, Name: name}
}

// Now is when the view was brought up to date.
func (v *View) Now() time.Time { return v.now }

// Held are the Placements of an application that hold room, by name. They share what
// they hold with the view: whoever changes one copies it first.
func (v *View) Held(application client.ObjectKey) []placementv1.Placement {
	w := v.gather(v.of(application, nil), map[reflect.Type][]runtime.Object{})
	return w.Of(application.Namespace, application.Name, v.now)
}

// Pools are the pools of the fleet, by name.
func (v *View) Pools() []placement.Pool {
	if v.sorted == nil {
		v.sorted = make([]placement.Pool, 0, len(v.pools))
		for _, name := range slices.Sorted(maps.Keys(v.pools)) {
			v.sorted = append(v.sorted, v.pools[name])
		}
	}
	return v.sorted
}

// Policy is what the scheduler is told about an environment, and how a Placement names
// it.
func (v *View) Policy(environment string) (placement.Policy, placementv1.DecidedBy, error) {
	if v.rules == nil {
		w := v.world(func(k id) bool {
			return k.kind == reflect.TypeFor[*tenancyv1.Environment]() || k.kind == reflect.TypeFor[*placementv1.PlacementPolicy]()
		})
		v.rules = &w
	}
	return v.rules.Policy(environment)
}

// Away names what a request asks for and that does not answer, and asks without it.
func (v *View) Away(r placement.Request) (names []string, without placement.Request) {
	return v.fleet.Away(r)
}

// Place decides about requests together. What is given away is held until Settle.
func (v *View) Place(requests []placement.Request) []placement.Decision {
	decisions := v.fleet.Place(requests, placement.DefaultPolicy())
	for i, d := range decisions {
		if d.Refused {
			continue
		}
		r := requests[i]
		key := keyOf(r.Application)
		room := make([]placement.Reservation, 0, len(d.Assignments))
		for _, a := range d.Assignments {
			room = append(room, placement.Reservation{Application: r.Application, Tenant: r.Tenant, Environment: r.Environment, Assignment: a})
		}
		v.reserve(key, room)
	}
	return decisions
}

// Clash says why a Placement that is stored cannot stay beside what was stored before
// it; empty: it can. Placements that no Release uses yet and that were stored after it
// do not count: whoever stored one of them sees this one, and gives way.
func (v *View) Clash(made *placementv1.Placement, quotas []tenancyv1.Quota, policy placement.Policy) string {
	application := client.ObjectKey{Namespace: made.Namespace, Name: made.Spec.Application}
	v.touched[application] = true // whatever comes of it
	if v.clash(application, made, quotas, policy) == "" {
		return ""
	}
	later := func(o client.Object) bool {
		p, is := o.(*placementv1.Placement)
		return is && p.UID != made.UID && p.Status.Release == "" && newer(p.ResourceVersion, made.ResourceVersion)
	}
	for other := range v.due {
		if other == application {
			continue
		}
		v.tell(other, later)
		v.touched[other] = true
	}
	for other := range v.pending {
		v.tell(other, later)
		v.touched[other] = true
	}
	return v.clash(application, made, quotas, policy)
}

func (v *View) clash(application client.ObjectKey, made *placementv1.Placement, quotas []tenancyv1.Quota, policy placement.Policy) string {
	var before, now []placement.Reservation
	for _, p := range v.Held(application) {
		room := roomOf(p, v.now)
		now = append(now, room...)
		if p.UID != made.UID {
			before = append(before, room...)
		}
	}
	return v.fleet.Clash(application.String(), before, now, quotas, policy)
}

// roomOf is the room that a Placement holds.
func roomOf(p placementv1.Placement, now time.Time) []placement.Reservation {
	return observed.World{Placements: placementv1.PlacementList{Items: []placementv1.Placement{p}}}.Snapshot(now).Reserved
}
