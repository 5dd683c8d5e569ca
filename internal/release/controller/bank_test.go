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

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
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
	placementcontroller "github.com/fairway-cloud/fairway/internal/placement/controller"
	"github.com/fairway-cloud/fairway/internal/platform/members/memberstest"
	"github.com/fairway-cloud/fairway/internal/release/controller"
	"github.com/fairway-cloud/fairway/internal/release/releasetest"
	"github.com/fairway-cloud/fairway/internal/release/rendering"
)

func schemeOf(t testing.TB) *runtime.Scheme {
	t.Helper()
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		corev1.AddToScheme, appv1.AddToScheme, deliveryv1.AddToScheme, fleetv1.AddToScheme,
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
	t   testing.TB
	hub client.Client
	// real says that the hub is an API server.
	real    bool
	fuse    *fuse
	clock   *clocktesting.FakePassiveClock
	source  *memberstest.Source
	members map[string]*releasetest.Member
	journal *journal
	gate    *gate
	finder  *finder
	steps   *controller.Reconciler
	// lowest is the least number of ready instances seen by component and DCN.
	lowest map[string]int32
}

// newBank makes a bank on a hub that is not a server.
func newBank(t testing.TB) *bank {
	b := emptyBank(t)
	b.hub = fake.NewClientBuilder().WithScheme(schemeOf(t)).
		WithStatusSubresource(&appv1.Application{}, &appv1.Revision{}, &deliveryv1.Delivery{}, &placementv1.Placement{}, &releasev1.Release{}).
		WithInterceptorFuncs(b.interceptors()).Build()
	b.world()
	b.start()
	return b
}

// newRealBank makes a bank on a real API server.
func newRealBank(t testing.TB, hub client.WithWatch) *bank {
	b := emptyBank(t)
	b.real = true
	b.hub = interceptor.NewClient(hub, b.interceptors())
	for _, name := range []string{"retail-prod", "fairway-cluster-east-1", "fairway-cluster-west-1"} {
		b.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
	}
	b.world()
	b.start()
	return b
}

func emptyBank(t testing.TB) *bank {
	b := &bank{
		t: t, fuse: &fuse{off: true}, clock: clocktesting.NewFakePassiveClock(apptest.Now), source: memberstest.New(t),
		members: map[string]*releasetest.Member{}, gate: &gate{}, finder: newFinder(), lowest: map[string]int32{},
	}
	b.journal = &journal{fuse: b.fuse, open: map[string]bool{}}
	return b
}

// interceptors count generations, where nobody else does, and blow the fuse.
func (b *bank) interceptors() interceptor.Funcs {
	generation := func(o client.Object, n int64) {
		if !b.real {
			o.SetGeneration(n)
		}
	}
	return interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			return b.fuse.write(func() error { generation(o, 1); return c.Create(ctx, o, opts...) })
		},
		Update: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.UpdateOption) error {
			return b.fuse.write(func() error { generation(o, o.GetGeneration()+1); return c.Update(ctx, o, opts...) })
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

// revise makes a Revision of mobile-bank and returns its name.
func (b *bank) revise(options ...apptest.Option) string {
	b.t.Helper()
	a := apptest.MobileBank(options...)
	a.Spec.AvailabilityClass = "class-b" // the bank has one data centre
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
	if !b.real {
		r.Generation++
	}
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
	patch := b.hub.Patch
	if b.real {
		patch = func(ctx context.Context, o client.Object, p client.Patch, _ ...client.PatchOption) error {
			return b.hub.Status().Patch(ctx, o, p)
		}
	}
	if err := patch(b.t.Context(), &c, client.MergeFrom(before)); err != nil {
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
