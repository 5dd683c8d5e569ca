// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	deliveryv1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app"
	"github.com/fairway-cloud/fairway/internal/app/apptest"
	"github.com/fairway-cloud/fairway/internal/approval"
	"github.com/fairway-cloud/fairway/internal/audit"
	placementcontroller "github.com/fairway-cloud/fairway/internal/placement/controller"
	"github.com/fairway-cloud/fairway/internal/platform/members/memberstest"
	"github.com/fairway-cloud/fairway/internal/release"
	"github.com/fairway-cloud/fairway/internal/release/controller"
	"github.com/fairway-cloud/fairway/internal/release/releasetest"
	"github.com/fairway-cloud/fairway/internal/release/rendering"
)

func schemeOf(t testing.TB) *runtime.Scheme {
	t.Helper()
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		appv1.AddToScheme, deliveryv1.AddToScheme, fleetv1.AddToScheme,
		placementv1.AddToScheme, releasev1.AddToScheme, tenancyv1.AddToScheme,
	} {
		if err := add(s); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// bank is a hub without a server, the real scheduler and renderer, and members
// that deliver at once.
type bank struct {
	t       testing.TB
	hub     client.Client
	fuse    *fuse
	clock   *clocktesting.FakePassiveClock
	source  *memberstest.Source
	members map[string]*releasetest.Member
	journal *journal
	gate    *gate
	finder  finder
	steps   *controller.Reconciler
	// lowest is the least number of ready instances seen by component and DCN.
	lowest map[string]int32
}

var errKilled = errors.New("killed")

// fuse ends the process, as it were, at a write of the release room.
type fuse struct {
	writes int
	// at is the write at which it blows. 0: never.
	at int
	// after says that the write at which it blows still happens.
	after bool
	blown bool
	// off lets the writes of members pass uncounted.
	off bool
}

func (f *fuse) write(do func() error) error {
	if f.off {
		return do()
	}
	if f.blown {
		return errKilled
	}
	f.writes++
	if f.at == 0 || f.writes < f.at {
		return do()
	}
	f.blown = true
	if f.after {
		_ = do()
	}
	return errKilled
}

type journal struct {
	fuse *fuse
	acts []audit.Act
	open map[string]bool
	away bool
}

func (j *journal) Intent(_ context.Context, act audit.Act) (string, error) {
	if j.away {
		return "", errors.New("the disk is full")
	}
	if j.fuse.blown {
		return "", errKilled
	}
	j.acts = append(j.acts, act)
	id := fmt.Sprint(len(j.acts))
	j.open[id] = true
	return id, nil
}

func (j *journal) Outcome(_ context.Context, id string, _ audit.Outcome) error {
	delete(j.open, id)
	return nil
}

type gate struct {
	refuse string
	err    error
	acts   []approval.Act
}

func (g *gate) Check(_ context.Context, act approval.Act) (approval.Verdict, error) {
	g.acts = append(g.acts, act)
	return approval.Verdict{Allowed: g.refuse == "", Reason: g.refuse}, g.err
}

// finder finds everybody who is asked for.
type finder map[string]release.Instance

func (f finder) Find(_ context.Context, _ string, seats []string) ([]release.Instance, error) {
	var out []release.Instance
	for _, s := range seats {
		if i, ok := f[s]; ok {
			out = append(out, i)
		}
	}
	return out, nil
}

func newBank(t testing.TB) *bank {
	b := &bank{
		t: t, fuse: &fuse{off: true}, clock: clocktesting.NewFakePassiveClock(apptest.Now), source: memberstest.New(t),
		members: map[string]*releasetest.Member{}, gate: &gate{}, finder: finder{}, lowest: map[string]int32{},
	}
	b.journal = &journal{fuse: b.fuse, open: map[string]bool{}}
	b.hub = fake.NewClientBuilder().WithScheme(schemeOf(t)).
		WithStatusSubresource(&appv1.Application{}, &appv1.Revision{}, &deliveryv1.Delivery{}, &placementv1.Placement{}, &releasev1.Release{}).
		WithInterceptorFuncs(b.interceptors()).Build()
	b.world()
	b.start()
	return b
}

// interceptors count generations, which the fake does not, and blow the fuse.
func (b *bank) interceptors() interceptor.Funcs {
	return interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			return b.fuse.write(func() error { o.SetGeneration(1); return c.Create(ctx, o, opts...) })
		},
		Update: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.UpdateOption) error {
			return b.fuse.write(func() error { o.SetGeneration(o.GetGeneration() + 1); return c.Update(ctx, o, opts...) })
		},
		Patch: func(ctx context.Context, c client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption) error {
			return b.fuse.write(func() error { return c.Patch(ctx, o, p, opts...) })
		},
		Delete: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.DeleteOption) error {
			return b.fuse.write(func() error { return c.Delete(ctx, o, opts...) })
		},
		SubResourcePatch: func(ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption) error {
			return b.fuse.write(func() error { return c.SubResource(sub).Patch(ctx, o, p, opts...) })
		},
	}
}

// start makes a new process.
func (b *bank) start() {
	b.fuse.blown, b.fuse.at = false, 0
	b.steps = &controller.Reconciler{
		Hub: b.hub, Direct: b.hub, Gate: b.gate, Recorder: b.journal, Clock: b.clock, Instances: b.finder,
		Placer:   &placementcontroller.Placer{Hub: b.hub, Direct: b.hub, Clock: b.clock},
		Renderer: &rendering.Renderer{Hub: b.hub, Members: b.source},
	}
}

func (b *bank) create(objects ...client.Object) {
	b.t.Helper()
	off := b.fuse.off
	b.fuse.off = true
	defer func() { b.fuse.off = off }()
	for _, o := range objects {
		if err := b.hub.Create(b.t.Context(), o); err != nil {
			b.t.Fatal(err)
		}
	}
}

func (b *bank) world() {
	bankWorld := apptest.Bank()
	for _, l := range bankWorld.Levels {
		b.create(&tenancyv1.SecurityLevel{ObjectMeta: metav1.ObjectMeta{Name: l.Name}, Spec: tenancyv1.SecurityLevelSpec{Rank: l.Rank}})
	}
	for _, z := range bankWorld.Zones {
		zone := &fleetv1.NetworkZone{ObjectMeta: metav1.ObjectMeta{Name: z.Name}, Spec: fleetv1.NetworkZoneSpec{AcceptedLevels: z.Accepts}}
		for _, f := range z.Flows {
			zone.Spec.Flows = append(zone.Spec.Flows, fleetv1.ZoneFlow{To: f.To, Ports: f.Ports})
		}
		b.create(zone)
	}
	tenant := &tenancyv1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: "retail"}}
	racks := map[string]string{"dmz": "a", "business": "a", "core": "b"}
	for zone, hosts := range map[string]int{"dmz": 1, "business": 2, "core": 1} {
		pool := &fleetv1.Pool{
			ObjectMeta: metav1.ObjectMeta{Name: "retail-" + zone},
			Spec:       fleetv1.PoolSpec{Tenant: "retail", SecurityLevel: "level-3", Zones: []string{zone}},
		}
		for _, site := range []string{"east", "west"} {
			rack := fleetv1.PoolRack{Cluster: site + "-1", Rack: site + "-" + racks[zone]}
			for i := range hosts {
				name := fmt.Sprintf("%s-%s-%d", site, zone, i+1)
				rack.Hosts = append(rack.Hosts, name)
				rack.Room = append(rack.Room, fleetv1.HostRoom{Host: name, Resources: fleetv1.Resources{
					CPU: resource.MustParse("8"), Memory: resource.MustParse("16Gi"), Instances: 110,
				}})
			}
			pool.Status.Racks = append(pool.Status.Racks, rack)
		}
		b.create(pool)
		tenant.Spec.Quotas = append(tenant.Spec.Quotas, tenancyv1.Quota{
			Environment: "prod", Pool: pool.Name, Instances: 40, CPU: resource.MustParse("16"), Memory: resource.MustParse("64Gi"),
		})
	}
	b.create(tenant)
	for _, site := range []string{"east", "west"} {
		b.create(
			&fleetv1.DCN{ObjectMeta: metav1.ObjectMeta{Name: "dcn-" + site + "-1"}, Spec: fleetv1.DCNSpec{DataCenter: "dc-" + site, Environment: "prod"}},
			&fleetv1.Cluster{
				ObjectMeta: metav1.ObjectMeta{Name: site + "-1"},
				Spec:       fleetv1.ClusterSpec{DataCenter: "dc-" + site, Environment: "prod", StorageClasses: []fleetv1.StorageClass{{Kind: "Shared", ClassName: "shared"}}},
				Status: fleetv1.ClusterStatus{PodAdmission: "Policy", Conditions: []metav1.Condition{{
					Type: fleetv1.ConditionReachable, Status: metav1.ConditionTrue, Reason: "Answers", LastTransitionTime: metav1.NewTime(apptest.Now),
				}}},
			})
		b.members[site+"-1"] = &releasetest.Member{}
		b.source.AddClient(site+"-1", b.hub)
	}
	b.create(&appv1.Application{ObjectMeta: metav1.ObjectMeta{Namespace: "retail-prod", Name: "mobile-bank"}})
}

// revise makes a Revision of mobile-bank and returns its name.
func (b *bank) revise(options ...apptest.Option) string {
	b.t.Helper()
	a := apptest.MobileBank(options...)
	frozen, err := app.Freeze(a, apptest.Images(a), apptest.Bank())
	if err != nil {
		b.t.Fatal(err)
	}
	name := app.RevisionName(a.Name, frozen.Digest)
	var found appv1.Revision
	if b.hub.Get(b.t.Context(), client.ObjectKey{Namespace: "retail-prod", Name: name}, &found) == nil {
		return name
	}
	b.create(&appv1.Revision{
		ObjectMeta: metav1.ObjectMeta{Namespace: "retail-prod", Name: name},
		Spec:       appv1.RevisionSpec{Application: a.Name, Content: frozen.Text, Digest: frozen.Digest, Makers: []string{"zhang.wei"}},
	})
	return name
}

// reconcile looks once at every Release that is not over.
func (b *bank) reconcile() {
	b.fuse.off = false
	defer func() { b.fuse.off = true }()
	var list releasev1.ReleaseList
	if err := b.hub.List(b.t.Context(), &list); err != nil {
		b.t.Fatal(err)
	}
	for i := range list.Items {
		if _, err := b.steps.Reconcile(b.t.Context(), &list.Items[i]); err != nil && !errors.Is(err, errKilled) {
			b.t.Fatalf("release %q: %v", list.Items[i].Name, err)
		}
	}
}

// deliver has every member carry its Deliveries out.
func (b *bank) deliver() (changed bool) {
	b.fuse.off = true
	var list deliveryv1.DeliveryList
	if err := b.hub.List(b.t.Context(), &list); err != nil {
		b.t.Fatal(err)
	}
	for i := range list.Items {
		d := &list.Items[i]
		before := d.DeepCopy()
		b.members[strings.TrimPrefix(d.Namespace, "fairway-cluster-")].Deliver(d)
		if equality.Semantic.DeepEqual(before.Status, d.Status) {
			continue
		}
		changed = true
		if err := b.hub.Status().Patch(b.t.Context(), d, client.MergeFrom(before)); err != nil {
			b.t.Fatal(err)
		}
	}
	b.count(list.Items)
	return changed
}

func (b *bank) count(deliveries []deliveryv1.Delivery) {
	ready := map[string]int32{}
	for _, d := range deliveries {
		for _, w := range d.Status.Workloads {
			ready[w.Component+" in "+w.Cell.DCN] += w.Ready
		}
	}
	for key := range b.lowest {
		b.lowest[key] = min(b.lowest[key], ready[key])
	}
}

// watch begins to count the least number of ready instances.
func (b *bank) watch() {
	b.lowest = map[string]int32{}
	for _, d := range b.deliveries() {
		for _, w := range d.Status.Workloads {
			b.lowest[w.Component+" in "+w.Cell.DCN] += w.Ready
		}
	}
}

// settle goes on until nothing is written any more.
func (b *bank) settle() {
	b.t.Helper()
	for range 100 {
		writes := b.fuse.writes
		b.reconcile()
		if b.fuse.blown {
			return
		}
		if !b.deliver() && b.fuse.writes == writes {
			return
		}
	}
	b.t.Fatal("it never comes to rest")
}

func (b *bank) deliveries() map[string]deliveryv1.Delivery {
	var list deliveryv1.DeliveryList
	if err := b.hub.List(b.t.Context(), &list); err != nil {
		b.t.Fatal(err)
	}
	out := map[string]deliveryv1.Delivery{}
	for _, d := range list.Items {
		out[strings.TrimPrefix(d.Namespace, "fairway-cluster-")] = d
	}
	return out
}

func (b *bank) release(name string) *releasev1.Release {
	b.t.Helper()
	var r releasev1.Release
	if err := b.hub.Get(b.t.Context(), client.ObjectKey{Namespace: "retail-prod", Name: name}, &r); err != nil {
		b.t.Fatal(err)
	}
	return &r
}

func (b *bank) application() *appv1.Application {
	b.t.Helper()
	var a appv1.Application
	if err := b.hub.Get(b.t.Context(), client.ObjectKey{Namespace: "retail-prod", Name: "mobile-bank"}, &a); err != nil {
		b.t.Fatal(err)
	}
	return &a
}

// say changes a Release's desired state.
func (b *bank) say(name, desired string) {
	r := b.release(name)
	before := r.DeepCopy()
	r.Spec.Desired = desired
	if err := b.hub.Patch(b.t.Context(), r, client.MergeFrom(before)); err != nil {
		b.t.Fatal(err)
	}
}

// reach says whether a cluster answers.
func (b *bank) reach(cluster string, answers bool) {
	b.members[cluster].Away = !answers
	var c fleetv1.Cluster
	if err := b.hub.Get(b.t.Context(), client.ObjectKey{Name: cluster}, &c); err != nil {
		b.t.Fatal(err)
	}
	before := c.DeepCopy()
	condition := metav1.Condition{Type: fleetv1.ConditionReachable, Status: metav1.ConditionTrue, Reason: "Answers"}
	if !answers {
		condition = metav1.Condition{Type: fleetv1.ConditionReachable, Status: metav1.ConditionFalse, Reason: "Silent", Message: "it does not answer since 08:00"}
	}
	meta.SetStatusCondition(&c.Status.Conditions, condition)
	if err := b.hub.Patch(b.t.Context(), &c, client.MergeFrom(before)); err != nil {
		b.t.Fatal(err)
	}
}

// picture is what runs, in lines.
func (b *bank) picture() []string {
	var out []string
	deliveries := b.deliveries()
	for _, cluster := range slices.Sorted(maps.Keys(deliveries)) {
		d := deliveries[cluster]
		for _, w := range d.Spec.Workloads {
			out = append(out, fmt.Sprintf("%s: %s %s seats %v", cluster, short(w.Name), w.Kind, w.Seats))
		}
	}
	a := b.application()
	return append(out, fmt.Sprintf("application: released %q, held by %q", a.Status.ReleasedRevision, a.Status.ActiveRelease))
}

func short(name string) string { return strings.TrimPrefix(name, "mobile-bank-") }

func (b *bank) pass(d time.Duration) { b.clock.SetTime(b.clock.Now().Add(d)) }
