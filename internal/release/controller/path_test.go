// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	deliveryv1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app/apptest"
	delivery "github.com/fairway-cloud/fairway/internal/delivery/controller"
	placement "github.com/fairway-cloud/fairway/internal/placement/controller"
	"github.com/fairway-cloud/fairway/internal/platform/kubetest"
	"github.com/fairway-cloud/fairway/internal/platform/members/memberstest"
	"github.com/fairway-cloud/fairway/internal/release"
	"github.com/fairway-cloud/fairway/internal/release/controller"
	"github.com/fairway-cloud/fairway/internal/release/releasetest"
	"github.com/fairway-cloud/fairway/internal/release/rendering"
)

// path is a hub that is its own member east-1, with Kubernetes' own controllers
// and scheduler, and kubelets that say of every pod that it runs.
type path struct {
	*bank
	member    client.Client
	deliverer *delivery.Reconciler
	// fewest is the least number of ready pods seen, by component.
	fewest map[string]int
}

const memberNamespace = "retail-prod-mobile-bank"

// eastOnly leaves out the other data centre, and the volume that nobody provides.
var eastOnly = []apptest.Option{
	changed("channel.dcn-west-1=0"), changed("account.dcn-west-1=0"), changed("ledger.dcn-west-1=0"),
	apptest.With("ledger", func(c *appv1.Component) { c.Volumes = nil }),
}

func newPath(t *testing.T) *path {
	server := kubetest.Start(t, kubetest.WithCRDs(), kubetest.WithControllerManager(), kubetest.WithScheduler())
	c, err := client.NewWithWatch(server.Config(), client.Options{Scheme: schemeOf(t)})
	if err != nil {
		t.Fatal(err)
	}
	plain, err := client.New(server.Config(), client.Options{Scheme: scheme.Scheme})
	if err != nil {
		t.Fatal(err)
	}
	p := &path{bank: newRealBank(t, c), member: plain}
	p.source = memberstest.New(t)
	p.source.Add("east-1", server.Config())
	p.steps = &controller.Reconciler{
		Hub: c, Direct: c, Gate: p.gate, Recorder: p.journal, Clock: clock.RealClock{},
		Instances: &controller.Finder{Hub: c, Members: p.source},
		Placer:    &placement.Placer{Hub: c, Direct: c, Clock: clock.RealClock{}},
		Renderer:  &rendering.Renderer{Hub: c, Members: p.source},
	}
	p.deliverer = &delivery.Reconciler{Hub: c, Renderings: c, Members: p.source, Fence: memberstest.Open{}, Gate: p.gate, Recorder: p.journal}
	for name, rack := range map[string][2]string{
		"east-dmz-1": {"retail-dmz", "east-a"}, "east-business-1": {"retail-business", "east-a"},
		"east-business-2": {"retail-business", "east-a"}, "east-core-1": {"retail-core", "east-b"},
	} {
		p.addHost(name, rack[0], rack[1])
	}
	if err := plain.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: fleetv1.SystemNamespace}}); client.IgnoreAlreadyExists(err) != nil {
		t.Fatal(err)
	}
	return p
}

func (p *path) addHost(name, pool, rack string) {
	node := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{
			fleetv1.LabelPool: pool, fleetv1.LabelRack: rack, corev1.LabelHostname: name, corev1.LabelOSStable: "linux",
		}},
		Spec: corev1.NodeSpec{Taints: []corev1.Taint{{Key: fleetv1.TaintPool, Value: pool, Effect: corev1.TaintEffectNoSchedule}}},
	}
	if err := p.member.Create(p.t.Context(), node); err != nil {
		p.t.Fatal(err)
	}
	p.beat(node)
}

// beat says that a host is well, and what it holds.
func (p *path) beat(node *corev1.Node) {
	now := metav1.Now()
	amounts := corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("8"), corev1.ResourceMemory: resource.MustParse("16Gi"), corev1.ResourcePods: resource.MustParse("110"),
	}
	node.Status.Capacity, node.Status.Allocatable = amounts, amounts
	node.Status.Conditions = []corev1.NodeCondition{{
		Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "KubeletReady", LastHeartbeatTime: now, LastTransitionTime: now,
	}}
	if err := p.member.Status().Update(p.t.Context(), node); err != nil && !apierrors.IsConflict(err) {
		p.t.Fatal(err)
	}
}

// kubelets carry out what the scheduler decided: pods become ready, and end.
func (p *path) kubelets() {
	var nodes corev1.NodeList
	if err := p.member.List(p.t.Context(), &nodes); err != nil {
		p.t.Fatal(err)
	}
	for i := range nodes.Items {
		if c := nodes.Items[i].Status.Conditions; len(c) == 0 || c[0].Status != corev1.ConditionTrue || time.Since(c[0].LastHeartbeatTime.Time) > 5*time.Second {
			p.beat(&nodes.Items[i])
		}
	}
	for _, pod := range p.pods() {
		switch {
		case pod.DeletionTimestamp != nil:
			_ = p.member.Delete(p.t.Context(), &pod, client.GracePeriodSeconds(0))
		case pod.Spec.NodeName != "" && pod.Status.Phase != corev1.PodRunning:
			now := metav1.Now()
			pod.Status.Phase, pod.Status.StartTime = corev1.PodRunning, &now
			pod.Status.PodIP, pod.Status.HostIP = "10.0.0.1", "10.1.0.1"
			for _, kind := range []corev1.PodConditionType{corev1.PodInitialized, corev1.ContainersReady, corev1.PodReady} {
				pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{Type: kind, Status: corev1.ConditionTrue, LastTransitionTime: now})
			}
			for _, c := range pod.Spec.Containers {
				pod.Status.ContainerStatuses = append(pod.Status.ContainerStatuses, corev1.ContainerStatus{Name: c.Name, Ready: true, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}}})
			}
			_ = p.member.Status().Update(p.t.Context(), &pod)
		}
	}
}

func (p *path) pods() []corev1.Pod {
	var pods corev1.PodList
	if err := p.member.List(p.t.Context(), &pods, client.InNamespace(memberNamespace)); err != nil {
		p.t.Fatal(err)
	}
	return pods.Items
}

// count notes the least number of pods that answer.
func (p *path) count() {
	ready := map[string]int{}
	for _, pod := range p.pods() {
		if pod.DeletionTimestamp == nil && pod.Status.Phase == corev1.PodRunning {
			ready[pod.Labels[appv1.LabelComponent]]++
		}
	}
	for component := range p.fewest {
		p.fewest[component] = min(p.fewest[component], ready[component])
	}
}

// seats returns "seat on node revision" by UID of the pods that stay.
func (p *path) seats() map[string]string {
	out := map[string]string{}
	for _, pod := range p.pods() {
		if pod.DeletionTimestamp == nil {
			out[string(pod.UID)] = pod.Labels[appv1.LabelSeat]
		}
	}
	return out
}

func names(seats map[string]string) string {
	var all []string
	for _, seat := range seats {
		all = append(all, seat)
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// finish runs controllers and kubelets until a Release is complete and nothing of
// its instances is still to be labelled.
func (p *path) finish(name, seats string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 90*time.Second)
	defer cancel()
	for {
		p.reconcile()
		p.turn()
		if r := p.release(name); release.Finished(r) && p.application().Status.ActiveRelease == "" && names(p.seats()) == seats {
			return
		}
		select {
		case <-ctx.Done():
			p.t.Fatalf("release %q does not come to an end with seats %q but %q: %s\n%s", name, seats, names(p.seats()), p.words(name), strings.Join(p.picture(), "\n"))
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// turn lets members move.
func (p *path) turn() {
	var list deliveryv1.DeliveryList
	if err := p.hub.List(p.t.Context(), &list); err != nil {
		p.t.Fatal(err)
	}
	for i := range list.Items {
		if _, err := p.deliverer.Reconcile(p.t.Context(), &list.Items[i]); err != nil && !apierrors.IsConflict(err) {
			p.t.Logf("delivery: %v", err)
		}
	}
	p.kubelets()
	p.count()
}

func (p *path) words(name string) string {
	var out []string
	for _, c := range p.release(name).Status.Conditions {
		out = append(out, fmt.Sprintf("%s=%s %s", c.Type, c.Status, c.Message))
	}
	for cluster, d := range p.deliveries() {
		for _, c := range d.Status.Conditions {
			out = append(out, fmt.Sprintf("%s %s=%s %s", cluster, c.Type, c.Status, c.Message))
		}
		out = append(out, fmt.Sprintf("%s generation %d: %+v", cluster, d.Generation, d.Status))
	}
	return strings.Join(out, "\n")
}

// TestThePath takes an application over the whole path: scheduler, renderer,
// release and delivery on a real Kubernetes, whose own controllers run the pods.
func TestThePath(t *testing.T) {
	if testing.Short() {
		t.Skip("a real API server is left out under -short")
	}
	p := newPath(t)
	with := func(more ...apptest.Option) string { return p.revise(slices.Concat(eastOnly, more)...) }
	watch := func() { p.fewest = map[string]int{"account": 2, "channel": 2, "ledger": 2} }
	const all = "account-0 account-1 channel-0 channel-1 ledger-0 ledger-1"

	first := with()
	p.create(releasetest.New("first", first))
	p.finish("first", all)

	// One component changes: the others keep their pods, and nobody is missed.
	watch()
	before := p.seats()
	p.create(releasetest.New("upgrade", with(changed("account.image=2.0"))))
	p.finish("upgrade", all)
	after := p.seats()
	for uid, seat := range before {
		if kept := after[uid] == seat; kept == strings.HasPrefix(seat, "account-") {
			t.Errorf("%s: its pod stays: %v", seat, kept)
		}
	}
	if p.fewest["account"] < 2 || p.fewest["channel"] < 2 {
		t.Errorf("at least two of account and channel must answer all the time: %v", p.fewest)
	}

	// Scaling replaces nobody.
	watch()
	before = p.seats()
	p.create(releasetest.New("grow", with(changed("account.image=2.0"), changed("account.dcn-east-1=3"))))
	p.finish("grow", all[:len("account-0 account-1")]+" account-2"+all[len("account-0 account-1"):])
	p.create(releasetest.New("shrink", with(changed("account.image=2.0"))))
	p.finish("shrink", all)
	for uid, seat := range before {
		if p.seats()[uid] != seat {
			t.Errorf("%s: scaling up and down again replaced its pod", seat)
		}
	}

	// A restart replaces the named instance and keeps its seat.
	before = p.seats()
	p.create(releasetest.New("restart", "", releasetest.Restart("account-1")))
	p.finish("restart", all)
	for uid, seat := range before {
		if kept := p.seats()[uid] == seat; kept == (seat == "account-1") {
			t.Errorf("%s: its pod stays after the restart of account-1: %v", seat, kept)
		}
	}

	p.create(releasetest.New("back", first, releasetest.Rollback))
	p.finish("back", all)

	p.create(releasetest.New("retire", "", releasetest.Retire))
	p.finish("retire", "")
	if len(p.deliveries()) != 0 {
		t.Errorf("deliveries are left: %v", p.picture())
	}
}
