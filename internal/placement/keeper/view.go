// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package keeper

import (
	"cmp"
	"maps"
	"reflect"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"sigs.k8s.io/controller-runtime/pkg/client"

	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement"
	"github.com/fairway-cloud/fairway/internal/placement/observed"
)

// id names an object of the world.
type id struct {
	kind reflect.Type
	key  client.ObjectKey
}

func idOf(o client.Object) id { return id{reflect.TypeOf(o), client.ObjectKeyFromObject(o)} }

// View is the fleet as it was last seen, ready for decisions. The newest version of an
// object holds, in whatever order news of it come.
type View struct {
	now     time.Time
	objects map[id]client.Object
	// gone are the versions up to which objects are known to be gone.
	gone map[id]grave
	// speaking are the objects that speak of an application.
	speaking map[client.ObjectKey]map[id]bool
	// pending is room of decisions whose Placements are not written yet.
	pending map[client.ObjectKey][]placement.Reservation

	fleet *placement.Fleet
	// rebuilt is how often the fleet was opened anew.
	rebuilt int
	// stale says that the fleet has to be opened anew; otherwise touched and changed
	// are the applications and objects that it has not taken over yet.
	stale   bool
	touched map[client.ObjectKey]bool
	changed map[id]bool
	// due is when an application comes to hold something else by time alone, and soonest
	// is not after the first of them. Zero: never.
	due     map[client.ObjectKey]time.Time
	soonest time.Time

	// known are what the fleet was told of an application, so that it can be taken back.
	known map[client.ObjectKey]told
	// said is what objects that the fleet follows one by one said last.
	said  map[id]placement.Snapshot
	pools map[string]placement.Pool
	// sorted are the pools by name, and rules the kinds that policies are drawn from;
	// nil: not gathered yet.
	sorted []placement.Pool
	rules  *observed.World
}

type grave struct {
	version string
	at      time.Time
}

// told is what the fleet knows of an application beside what it holds.
type told struct {
	components []string
	machines   bool
}

func newView() *View {
	return &View{
		objects: map[id]client.Object{}, gone: map[id]grave{}, speaking: map[client.ObjectKey]map[id]bool{},
		pending: map[client.ObjectKey][]placement.Reservation{}, stale: true,
		touched: map[client.ObjectKey]bool{}, changed: map[id]bool{}, due: map[client.ObjectKey]time.Time{},
		known: map[client.ObjectKey]told{}, said: map[id]placement.Snapshot{}, pools: map[string]placement.Pool{},
	}
}

// newer reports whether version a is after b. What cannot be compared is.
func newer(a, b string) bool {
	order, err := resourceversion.CompareResourceVersion(a, b)
	return err != nil || order > 0
}

// saw takes over an object unless a newer version of it is known.
func (v *View) saw(o client.Object) {
	k := idOf(o)
	if before := v.objects[k]; before != nil && !newer(o.GetResourceVersion(), before.GetResourceVersion()) {
		return
	}
	if g, is := v.gone[k]; is {
		if !newer(o.GetResourceVersion(), g.version) {
			return
		}
		delete(v.gone, k)
	}
	if before := v.objects[k]; before != nil {
		v.touch(before)
		v.silence(before)
	}
	v.objects[k] = o
	if application, one := observed.ApplicationOf(o); one {
		if v.speaking[application] == nil {
			v.speaking[application] = map[id]bool{}
		}
		v.speaking[application][k] = true
	}
	v.touch(o)
}

// lost forgets an object that is gone since a version of it, unless it is there again.
// Without a version it is gone whatever was known of it.
func (v *View) lost(o client.Object, since string, now time.Time) {
	k := idOf(o)
	if g, is := v.gone[k]; !is || newer(since, g.version) {
		v.gone[k] = grave{since, now}
	}
	before := v.objects[k]
	if before == nil || since != "" && newer(before.GetResourceVersion(), since) {
		return
	}
	v.touch(before)
	v.silence(before)
	delete(v.objects, k)
}

// are takes over all objects of a kind as they were at a version. What is newer stays.
func (v *View) are(kind reflect.Type, version string, all []client.Object, now time.Time) {
	there := make(map[id]bool, len(all))
	for _, o := range all {
		there[idOf(o)] = true
		v.saw(o)
	}
	for k, o := range v.objects {
		if k.kind == kind && !there[k] {
			v.lost(o, version, now)
		}
	}
}

// bury forgets what is gone for longer than any news of it can be on its way.
func (v *View) bury(now time.Time) {
	const long = time.Hour
	if len(v.gone) > 1000 {
		maps.DeleteFunc(v.gone, func(_ id, g grave) bool { return now.Sub(g.at) > long })
	}
}

func (v *View) silence(o client.Object) {
	if application, one := observed.ApplicationOf(o); one {
		delete(v.speaking[application], idOf(o))
		if len(v.speaking[application]) == 0 {
			delete(v.speaking, application)
		}
	}
}

// touch notes that what an object says has changed.
func (v *View) touch(o client.Object) {
	if application, one := observed.ApplicationOf(o); one {
		v.touched[application] = true
		return
	}
	switch o.(type) {
	case *fleetv1.Cluster, *fleetv1.Pool, *fleetv1.NetworkZone, *tenancyv1.SecurityLevel:
		v.changed[idOf(o)] = true
	case *tenancyv1.Environment, *placementv1.PlacementPolicy:
		v.rules = nil
	default:
		v.stale = true
	}
}

// reserve holds room for a decision until its Placement is written, and settle gives
// it back.
func (v *View) reserve(application client.ObjectKey, room []placement.Reservation) {
	v.pending[application] = append(v.pending[application], room...)
}

func (v *View) settle(application client.ObjectKey) {
	delete(v.pending, application)
	v.touched[application] = true
}

// refresh brings the fleet up to date.
func (v *View) refresh(now time.Time) {
	v.now = now
	v.bury(now)
	if v.stale {
		v.open()
		return
	}
	for k := range v.changed {
		v.change(k)
	}
	clear(v.changed)
	if !v.soonest.IsZero() && !now.Before(v.soonest) {
		v.soonest = time.Time{}
		for application, at := range v.due {
			if !now.Before(at) {
				v.touched[application] = true
			} else {
				v.expect(application, at)
			}
		}
	}
	for application := range v.touched {
		v.tell(application, nil)
	}
	clear(v.touched)
}

// open makes the fleet anew of all that is known.
func (v *View) open() {
	w := v.world(func(id) bool { return true })
	s := w.Snapshot(v.now)
	for _, application := range slices.SortedFunc(maps.Keys(v.pending), compareKeys) {
		s.Reserved = append(s.Reserved, v.pending[application]...)
	}
	v.fleet, v.stale, v.sorted, v.rules = placement.Open(s), false, nil, nil
	v.rebuilt++
	clear(v.touched)
	clear(v.changed)
	clear(v.due)
	clear(v.known)
	clear(v.said)
	clear(v.pools)
	v.soonest = time.Time{}
	for _, p := range s.Pools {
		v.pools[p.Name] = p
	}
	for _, p := range s.Profiles {
		v.know(p.Application, p.Component, false)
	}
	for _, m := range s.Machines {
		v.know(m.Application, "", true)
	}
	for application := range v.speaking {
		v.await(application)
	}
}

func (v *View) know(application, component string, machine bool) {
	key := keyOf(application)
	t := v.known[key]
	if component != "" && !slices.Contains(t.components, component) {
		t.components = append(t.components, component)
	}
	t.machines = t.machines || machine
	v.known[key] = t
}

// world is what some of the objects make, in the order of their names.
func (v *View) world(wanted func(id) bool) observed.World {
	of := map[reflect.Type][]runtime.Object{}
	var ids []id
	for k := range v.objects {
		if wanted(k) {
			ids = append(ids, k)
		}
	}
	return v.gather(ids, of)
}

func (v *View) gather(ids []id, of map[reflect.Type][]runtime.Object) observed.World {
	slices.SortFunc(ids, func(a, b id) int { return compareKeys(a.key, b.key) })
	for _, k := range ids {
		of[k.kind] = append(of[k.kind], v.objects[k])
	}
	var w observed.World
	for _, list := range w.Lists() {
		if some := of[kindOf(list)]; len(some) > 0 {
			_ = meta.SetList(list, some) // the kind is that of the list's items
		}
	}
	return w
}

// kindOf is the kind of a list's items.
func kindOf(list client.ObjectList) reflect.Type {
	items, _ := reflect.TypeOf(list).Elem().FieldByName("Items")
	return reflect.PointerTo(items.Type.Elem())
}

func compareKeys(a, b client.ObjectKey) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}

// change takes over an object of the kinds that the fleet follows one by one.
func (v *View) change(k id) {
	s := v.gather(v.present(k), map[reflect.Type][]runtime.Object{}).Snapshot(v.now)
	if before, is := v.said[k]; is && reflect.DeepEqual(before, s) {
		return // most changes say nothing to the scheduler: a heartbeat, another condition
	}
	v.said[k] = s
	f, name := v.fleet, k.key.Name
	switch {
	case len(s.Clusters) > 0:
		f.SetCluster(s.Clusters[0])
	case len(s.Pools) > 0:
		v.setPool(s.Pools[0])
	case len(s.Zones) > 0:
		f.SetZone(s.Zones[0])
	case len(s.Levels) > 0:
		f.SetLevel(s.Levels[0])
	default:
		delete(v.said, k)
		switch k.kind {
		case reflect.TypeFor[*fleetv1.Cluster]():
			f.DropCluster(name)
		case reflect.TypeFor[*fleetv1.Pool]():
			delete(v.pools, name)
			v.sorted = nil
			f.DropPool(name)
		case reflect.TypeFor[*fleetv1.NetworkZone]():
			f.DropZone(name)
		case reflect.TypeFor[*tenancyv1.SecurityLevel]():
			f.DropLevel(name)
		}
	}
}

// setPool takes over a pool: only the racks that have changed, if nothing else has.
func (v *View) setPool(p placement.Pool) {
	before, known := v.pools[p.Name]
	v.pools[p.Name], v.sorted = p, nil
	if !known || !sameButHosts(before, p) {
		v.fleet.SetPool(p)
		return
	}
	for i, r := range p.Racks {
		if !reflect.DeepEqual(before.Racks[i], r) {
			v.fleet.SetRack(p.Name, r)
		}
	}
}

// sameButHosts reports whether two states of a pool differ in the hosts of their racks
// at most.
func sameButHosts(a, b placement.Pool) bool {
	seen := map[[2]string]bool{}
	if len(a.Racks) != len(b.Racks) {
		return false
	}
	for i, r := range b.Racks {
		at := [2]string{r.Cluster, r.Name}
		if seen[at] || a.Racks[i].Cluster != r.Cluster || a.Racks[i].Name != r.Name {
			return false
		}
		seen[at] = true
	}
	a.Racks, b.Racks = nil, nil
	return reflect.DeepEqual(a, b)
}

// present is an object, if it is there.
func (v *View) present(k id) []id {
	if v.objects[k] == nil {
		return nil
	}
	return []id{k}
}

// tell has the fleet hold and know of an application what is said of it now. Objects
// that are left out count as if they were not there, and room of decisions that are
// not written yet then does not count either.
func (v *View) tell(application client.ObjectKey, without func(client.Object) bool) {
	ids := v.of(application, without)
	s := v.gather(ids, map[reflect.Type][]runtime.Object{}).Snapshot(v.now)
	name := application.String()
	var now told
	for _, p := range s.Profiles {
		v.fleet.SetProfile(p)
		now.components = append(now.components, p.Component)
	}
	before := v.known[application]
	for _, c := range before.components {
		if !slices.Contains(now.components, c) {
			v.fleet.SetProfile(placement.Profile{Application: name, Component: c})
		}
	}
	now.machines = len(s.Machines) > 0
	if before.machines || now.machines {
		v.fleet.SetMachines(name, s.Machines)
	}
	delete(v.known, application)
	if now.machines || len(now.components) > 0 {
		v.known[application] = now
	}
	room := s.Reserved
	if without == nil {
		room = append(room, v.pending[application]...)
	}
	v.fleet.Hold(name, room)
	v.await(application)
}

// of are the objects that speak of an application.
func (v *View) of(application client.ObjectKey, without func(client.Object) bool) []id {
	ids := make([]id, 0, len(v.speaking[application]))
	for k := range v.speaking[application] {
		if without == nil || !without(v.objects[k]) {
			ids = append(ids, k)
		}
	}
	return ids
}

// await notes when an application comes to hold something else by time alone.
func (v *View) await(application client.ObjectKey) {
	delete(v.due, application)
	for k := range v.speaking[application] {
		if at, some := observed.Changes(v.objects[k], v.now); some {
			if before, is := v.due[application]; !is || at.Before(before) {
				v.due[application] = at
			}
		}
	}
	if at, some := v.due[application]; some {
		v.expect(application, at)
	}
}

func (v *View) expect(application client.ObjectKey, at time.Time) {
	v.due[application] = at
	if v.soonest.IsZero() || at.Before(v.soonest) {
		v.soonest = at
	}
}
