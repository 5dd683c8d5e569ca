// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package keeper

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"
	"sigs.k8s.io/controller-runtime/pkg/client"

	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement"
	"github.com/fairway-cloud/fairway/internal/placement/observed"
)

// hub is the objects as they are, and the news of them that are on their way.
type hub struct {
	t       *rapid.T
	now     time.Time
	version int
	objects map[id]client.Object
	// late is news that has not come yet, and past all news that has.
	late, past []news
}

type news struct {
	o    client.Object
	gone bool
}

// put writes an object; ours says that we did, and know it at once.
func (h *hub) put(o client.Object) client.Object {
	h.version++
	if before := h.objects[idOf(o)]; before != nil {
		o.SetUID(before.GetUID())
	} else {
		o.SetUID(types.UID(strconv.Itoa(h.version)))
	}
	o.SetResourceVersion(strconv.Itoa(h.version))
	h.objects[idOf(o)] = o
	h.late = append(h.late, news{o: o})
	return o
}

func (h *hub) remove(o client.Object) {
	h.version++
	delete(h.objects, idOf(o))
	last, _ := o.DeepCopyObject().(client.Object)
	last.SetResourceVersion(strconv.Itoa(h.version))
	h.late = append(h.late, news{o: last, gone: true})
}

// deliver brings news in any order, some of it twice.
func (h *hub) deliver(v *View, all bool) {
	order := rapid.Permutation(h.late).Draw(h.t, "order")
	h.late = nil
	if !all && len(order) > 0 {
		n := rapid.IntRange(0, len(order)).Draw(h.t, "delivered")
		order, h.late = slices.Clone(order[:n]), slices.Clone(order[n:])
	}
	h.past = append(h.past, order...)
	if len(h.past) > 0 {
		order = append(order, rapid.SliceOfN(rapid.SampledFrom(h.past), 0, 3).Draw(h.t, "repeated")...)
	}
	for _, n := range order {
		if n.gone {
			v.lost(n.o, n.o.GetResourceVersion(), h.now)
		} else {
			v.saw(slim(n.o))
		}
	}
}

// world is the dumb way: everything read anew.
func (h *hub) world() observed.World {
	var w observed.World
	keys := slices.SortedFunc(maps.Keys(h.objects), func(a, b id) int { return compareKeys(a.key, b.key) })
	for _, list := range w.Lists() {
		var of []runtime.Object
		for _, k := range keys {
			if k.kind == kindOf(list) {
				of = append(of, h.objects[k])
			}
		}
		if err := meta.SetList(list, of); err != nil {
			h.t.Fatal(err)
		}
	}
	return w
}

func named(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Name: name} }

// describe writes an object of the fleet that is new or has changed.
func (h *hub) describe() {
	site := rapid.SampledFrom([]string{"east", "west"})
	switch rapid.IntRange(0, 7).Draw(h.t, "described") {
	case 0:
		h.cluster(rapid.SampledFrom([]string{"c0", "c1", "c2"}).Draw(h.t, "cluster"), site.Draw(h.t, "site"))
	case 1, 2:
		h.pool(rapid.SampledFrom([]string{"p0", "p1"}).Draw(h.t, "pool"))
	case 3:
		h.put(&fleetv1.NetworkZone{ObjectMeta: named("business"), Spec: fleetv1.NetworkZoneSpec{AcceptedLevels: rapid.SampledFrom([][]string{{"basic"}, {"basic", "high"}, {"high"}}).Draw(h.t, "levels")}})
	case 4:
		h.put(&tenancyv1.SecurityLevel{ObjectMeta: named("basic"), Spec: tenancyv1.SecurityLevelSpec{PodAdmission: rapid.SampledFrom([]string{"Optional", "Required"}).Draw(h.t, "guard")}})
	case 5:
		h.dcns(site.Draw(h.t, "site"))
	case 6:
		d := &fleetv1.DataCenter{ObjectMeta: named(site.Draw(h.t, "site"))}
		for _, r := range []string{"r0", "r1", "r2"} {
			d.Spec.Racks = append(d.Spec.Racks, fleetv1.Rack{Name: r, AvailabilityZone: rapid.SampledFrom([]string{"", "az-1", "az-2"}).Draw(h.t, "zone")})
		}
		h.put(d)
	case 7:
		h.put(&placementv1.PlacementPolicy{ObjectMeta: named("bank"), Spec: placementv1.PlacementPolicySpec{Weights: []placementv1.Weight{{Score: "Racks", Weight: int64(rapid.IntRange(0, 50).Draw(h.t, "weight"))}}}})
	}
}

func (h *hub) cluster(name, site string) {
	c := &fleetv1.Cluster{ObjectMeta: named(name), Spec: fleetv1.ClusterSpec{DataCenter: site, Environment: "prod"}, Status: fleetv1.ClusterStatus{PodAdmission: "Policy"}}
	if rapid.IntRange(0, 4).Draw(h.t, "away") > 0 {
		c.Status.Conditions = []metav1.Condition{{Type: fleetv1.ConditionReachable, Status: metav1.ConditionTrue}}
	}
	h.put(c)
}

func (h *hub) dcns(site string) {
	h.put(&fleetv1.DCN{ObjectMeta: named("d0"), Spec: fleetv1.DCNSpec{DataCenter: "east", Environment: "prod", Partner: rapid.SampledFrom([]string{"", "d1"}).Draw(h.t, "partner")}})
	h.put(&fleetv1.DCN{ObjectMeta: named("d1"), Spec: fleetv1.DCNSpec{DataCenter: site, Environment: "prod", Partner: rapid.SampledFrom([]string{"", "d0"}).Draw(h.t, "partner")}})
}

func (h *hub) pool(name string) {
	p := &fleetv1.Pool{ObjectMeta: named(name), Spec: fleetv1.PoolSpec{Tenant: rapid.SampledFrom([]string{"retail", "retail", "cards"}).Draw(h.t, "tenant"), SecurityLevel: "basic", Zones: []string{"business"}}}
	for _, c := range []string{"c0", "c1", "c2"} {
		for i := range rapid.IntRange(0, 3).Draw(h.t, "racks") {
			r := fleetv1.PoolRack{Cluster: c, Rack: fmt.Sprintf("r%d", i)}
			for j := range rapid.IntRange(0, 3).Draw(h.t, "hosts") {
				r.Hosts = append(r.Hosts, fmt.Sprintf("%s-%s-%d-%d", name, c, i, j))
			}
			n := int64(len(r.Hosts))
			r.Capacity = fleetv1.Resources{CPU: *resource.NewQuantity(4*n, resource.DecimalSI), Memory: *resource.NewQuantity(n<<33, resource.BinarySI), Instances: 10 * n}
			p.Status.Racks = append(p.Status.Racks, r)
		}
	}
	h.put(p)
}

// some is an object of a kind, if there is one.
func some[T client.Object](h *hub) (none T) {
	var all []T
	for _, k := range slices.SortedFunc(maps.Keys(h.objects), func(a, b id) int { return compareKeys(a.key, b.key) }) {
		if o, is := h.objects[k].(T); is {
			all = append(all, o)
		}
	}
	if len(all) == 0 {
		return none
	}
	return rapid.SampledFrom(all).Draw(h.t, "object")
}

var applications = []string{"pay", "loan", "card"}

// speak writes or takes away what is said of an application beside Placements.
func (h *hub) speak() {
	application := rapid.SampledFrom(applications).Draw(h.t, "application")
	switch rapid.IntRange(0, 3).Draw(h.t, "said") {
	case 0:
		p := &placementv1.Profile{ObjectMeta: metav1.ObjectMeta{Namespace: "retail-prod", Name: application}}
		for _, tag := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"cpu-bound", "io-heavy", "latency-sensitive"}), 0, 2, rapid.ID).Draw(h.t, "tags") {
			p.Status.Tags = append(p.Status.Tags, placementv1.ProfileTag{Component: "c", Tag: tag, Effect: placementv1.TagCounts})
		}
		h.put(p)
	case 1:
		m := &placementv1.MachineImport{ObjectMeta: metav1.ObjectMeta{Namespace: "retail-prod", Name: application + ".cmdb"}, Spec: placementv1.MachineImportSpec{
			Application: application, Source: "cmdb", ObservedAt: metav1.NewTime(h.now), ValidFor: metav1.Duration{Duration: time.Hour},
		}}
		for i := range rapid.IntRange(0, 2).Draw(h.t, "machines") {
			m.Spec.Instances = append(m.Spec.Instances, placementv1.MachineInstance{Component: "c", Seat: int32(i), DCN: "d0", DataCenter: "east", Rack: fmt.Sprintf("r%d", i)})
		}
		h.put(m)
	case 2:
		if p := some[*placementv1.Profile](h); p != nil {
			h.remove(p)
		}
	case 3:
		if m := some[*placementv1.MachineImport](h); m != nil {
			h.remove(m)
		}
	}
}

// end uses a Placement, gives its room back, or deletes it.
func (h *hub) end(v *View) {
	p := some[*placementv1.Placement](h)
	if p == nil {
		return
	}
	now := p.DeepCopy()
	switch rapid.IntRange(0, 2).Draw(h.t, "end") {
	case 0:
		now.Status.Release = "r1"
	case 1:
		now.Status.Conditions = []metav1.Condition{{Type: placementv1.ConditionReserved, Status: metav1.ConditionFalse}}
	case 2:
		h.remove(p)
		return
	}
	written := h.put(now)
	if rapid.Bool().Draw(h.t, "ours") {
		v.saw(slim(written))
	}
}

// ask is a random request of an application.
func (h *hub) ask(w observed.World, application string) placement.Request {
	r := placement.Request{
		Application: "retail-prod/" + application, Tenant: "retail", Environment: "prod", HostKind: placement.RealHosts,
		Quotas: []tenancyv1.Quota{
			{Environment: "prod", Pool: "p0", Instances: 12, CPU: resource.MustParse("100"), Memory: resource.MustParse("1Ti")},
			{Environment: "prod", Pool: "p1", Instances: 12, CPU: resource.MustParse("100"), Memory: resource.MustParse("1Ti")},
		},
		Components: []placement.Component{{
			Name: "c", Template: rapid.SampledFrom([]string{"t0", "t1"}).Draw(h.t, "template"), Zone: "business", Level: "basic",
			Size:       placement.Amount{CPU: int64(rapid.IntRange(1, 4).Draw(h.t, "cpu")) * 500, Memory: 1 << 30, Instances: 1},
			Counts:     []placement.Count{{DCN: "d0", Count: int32(rapid.IntRange(0, 5).Draw(h.t, "d0"))}, {DCN: "d1", Count: int32(rapid.IntRange(0, 5).Draw(h.t, "d1"))}},
			MaxPerHost: int32(rapid.IntRange(0, 2).Draw(h.t, "per host")),
		}},
	}
	for _, p := range w.Of("retail-prod", application, h.now) {
		r.Previous = append(r.Previous, assignments(p)...)
	}
	return r
}

func assignments(p placementv1.Placement) []placement.Assignment {
	var out []placement.Assignment
	for _, r := range roomOf(p, time.Time{}) {
		out = append(out, r.Assignment)
	}
	return out
}

// stored is a decision as a Placement.
func (h *hub) stored(application string, d placement.Decision) *placementv1.Placement {
	p := &placementv1.Placement{
		ObjectMeta: metav1.ObjectMeta{Namespace: "retail-prod", Name: fmt.Sprintf("%s-%d", application, rapid.IntRange(0, 2).Draw(h.t, "name"))},
		Spec:       placementv1.PlacementSpec{Application: application, ExpiresAt: metav1.NewTime(h.now.Add(time.Duration(rapid.IntRange(0, 3).Draw(h.t, "expires")) * time.Minute))},
	}
	for _, a := range d.Assignments {
		one := placementv1.Assignment{
			Component: a.Component, Template: a.Template, Cell: placementv1.Cell(a.Cell), Block: a.Block, Seats: a.Seats, Hosts: a.Hosts,
			CPU: *resource.NewMilliQuantity(a.Size.CPU, resource.DecimalSI), Memory: *resource.NewQuantity(a.Size.Memory, resource.BinarySI),
			MaxPerHost: a.MaxPerHost,
		}
		p.Spec.Assignments = append(p.Spec.Assignments, one)
	}
	return p
}

// TestTheViewFollows compares a View that has followed many changes, of which it heard
// late, twice and in any order, with a Fleet that is opened anew from the hub.
func TestTheViewFollows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := &hub{t: t, now: time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC), objects: map[id]client.Object{}}
		for i, site := range []string{"east", "east", "west"} {
			h.cluster(fmt.Sprintf("c%d", i), site)
		}
		h.pool("p0")
		h.dcns("east")
		h.put(&fleetv1.NetworkZone{ObjectMeta: named("business"), Spec: fleetv1.NetworkZoneSpec{AcceptedLevels: []string{"basic"}}})
		h.put(&tenancyv1.SecurityLevel{ObjectMeta: named("basic"), Spec: tenancyv1.SecurityLevelSpec{PodAdmission: "Required"}})
		v := newView()
		h.deliver(v, true)
		for step := range rapid.IntRange(1, 12).Draw(t, "steps") {
			for range rapid.IntRange(0, 3).Draw(t, "changes") {
				switch rapid.IntRange(0, 4).Draw(t, "change") {
				case 0:
					h.describe()
				case 1:
					h.speak()
				case 2:
					h.end(v)
				case 3:
					if c := some[*fleetv1.Cluster](h); c != nil && rapid.IntRange(0, 5).Draw(t, "leaves") == 0 {
						h.remove(c)
					}
					if p := some[*fleetv1.Pool](h); p != nil && rapid.IntRange(0, 5).Draw(t, "leaves") == 0 {
						h.remove(p)
					}
				case 4:
					h.now = h.now.Add(time.Duration(rapid.IntRange(0, 40).Draw(t, "minutes")) * time.Minute)
				}
				h.deliver(v, false)
				v.refresh(h.now)
			}
			if rapid.IntRange(0, 9).Draw(t, "listed") == 0 {
				for _, list := range ptr(h.world()).Lists() {
					items, _ := meta.ExtractList(list)
					var all []client.Object
					for _, o := range items {
						all = append(all, o.(client.Object))
					}
					v.are(kindOf(list), strconv.Itoa(h.version), all, h.now)
				}
			}
			h.deliver(v, true)
			v.refresh(h.now)

			w := h.world()
			application := rapid.SampledFrom(applications).Draw(t, "application")
			request := h.ask(w, application)
			policy, _, err := w.Policy("prod")
			if err != nil {
				t.Fatal(err)
			}
			mine, _, err := v.Policy("prod")
			if err != nil {
				t.Fatal(err)
			}
			request.Policy = &policy
			want := placement.Place(w.Snapshot(h.now), []placement.Request{request}, policy)[0]
			request.Policy = &mine
			got := v.Place([]placement.Request{request})[0]
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("step %d: a view that followed decides otherwise (-anew +followed):\n%s", step, diff)
			}
			key := client.ObjectKey{Namespace: "retail-prod", Name: application}
			if !got.Refused && rapid.IntRange(0, 3).Draw(t, "stored") > 0 {
				v.saw(slim(h.put(h.stored(application, got))))
			}
			v.settle(key)
		}
	})
}

func ptr[T any](v T) *T { return &v }
