// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package storm

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	deliveryv1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement/observed"
)

// TestClusterAway has one of two clusters of a data centre stop answering (R86). What it
// runs is proposed for the other; a person's Release brings it there; the Delivery of the
// lost cluster waits, and takes its instances away only when the cluster is back and the
// others are ready. The way back is proposed then.
func TestClusterAway(t *testing.T) {
	one, two := &site{name: "east-1", center: "east", environment: "prod"}, &site{name: "east-2", center: "east", environment: "prod"}
	b := open(t, map[string]tenancyv1.EnvironmentClass{"prod": tenancyv1.ClassProduction}, nil, []*placementv1.PlacementPolicy{lostPolicy("prod", placementv1.LostPropose)}, one, two)
	const all = 12
	b.completed("retail-prod", b.run("ledger", "prod", map[string]int32{"east": all}))
	was := seats(b.pods(two))
	if len(was) == 0 || len(was) == all {
		t.Fatalf("%d of %d instances run in %s: the test needs some in both clusters", len(was), all, two.name)
	}
	b.say("%d instances run in %s, %d in %s", all-len(was), one.name, len(was), two.name)

	b.faults()
	two.cluster.StopAPIServer()
	var found placementv1.Placement
	b.await("what the lost cluster ran is proposed for the other", func() string {
		proposed := b.proposals()
		if len(proposed) == 0 {
			return "nothing is proposed"
		}
		found = proposed[0]
		return ""
	})
	if c := found.Spec.Cause; c.Kind != placementv1.CauseLost || len(c.Places) != 1 || c.Places[0].Kind != placementv1.LostCluster || c.Places[0].Name != two.name ||
		len(c.Gains) != 1 || c.Gains[0].Cluster != one.name || int(c.Gains[0].Instances) != len(was) {
		t.Errorf("proposed for %+v: want cluster %s lost and %d instances that come to %s", c, two.name, len(was), one.name)
	}
	b.say("%s is proposed", found.Name)

	b.refused("", "biz", "release", "start", "ledger", "-n", "retail-prod", "--placement", found.Name, "--reason", "a test", "--ticket", "CHG-7")
	away := b.release("retail-prod", "ledger", "--placement", found.Name)
	b.await("all instances answer in the cluster that is left", func() string {
		d := b.deliveryIn(two)
		if ready := b.ready(one); ready < all {
			if d.Spec.Intent == "Retire" || replicas(d) < int32(len(was)) { //nolint:gosec // small
				t.Errorf("with %d of %d instances ready elsewhere the lost cluster is to give up some: %+v", ready, all, d.Spec)
			}
			r := &releasev1.Release{}
			b.must(b.hub.Get(t.Context(), client.ObjectKey{Namespace: "retail-prod", Name: away}, r))
			return fmt.Sprintf("%d of %d: %s", ready, all, words(r.Status.Conditions))
		}
		return ""
	})
	b.say("all %d instances answer in %s", all, one.name)
	b.await("the release says that it waits for the cluster", func() string {
		r := &releasev1.Release{}
		b.must(b.hub.Get(t.Context(), client.ObjectKey{Namespace: "retail-prod", Name: away}, r))
		d := b.deliveryIn(two)
		progressing := meta.FindStatusCondition(r.Status.Conditions, releasev1.ConditionProgressing)
		applied := meta.FindStatusCondition(d.Status.Conditions, deliveryv1.ConditionApplied)
		if progressing == nil || !strings.Contains(progressing.Message, "cluster "+two.name+": waits for the cluster, which is away") ||
			replicas(d) > 0 || applied == nil || applied.Reason != "NotConnected" || applied.ObservedGeneration != d.Generation {
			return words(r.Status.Conditions) + words(d.Status.Conditions) + fmt.Sprint(replicas(d))
		}
		b.say("release: %s", progressing.Message)
		b.say("delivery in %s: %s", two.name, applied.Message)
		return ""
	})
	b.gated(away)
	n := 0
	for what, times := range b.faults() {
		b.say("logged %d times: %s", times, what)
		n += times
	}
	if n > 30 {
		t.Errorf("%d errors were logged while the cluster was away: it is no error", n)
	}
	if p := b.placementOf("retail-prod", "ledger"); p != found.Name {
		t.Errorf("placement %s is in force, want the proposal %s", p, found.Name)
	}

	two.cluster.StartAPIServer(t)
	b.say("%s serves again", two.name)
	for name, p := range seats(b.pods(two)) {
		if was[name].uid != p.uid {
			t.Errorf("%s runs in %s, and was not there before: %+v", name, two.name, p)
		}
	}
	b.await("the hub knows that the cluster is back", func() string {
		return lacking(b.clusterOf(two).Status.Conditions, fleetv1.ConditionReachable)
	})
	b.say("the hub knows that %s is back", two.name)
	// A second later all of the lost cluster's replicas are asked to go. Its own controller
	// manager sees that only when it asks its API server again: client-go's reflectors do
	// so every 30 to 60 s once one has been away for a while.
	b.completed("retail-prod", away)
	b.say("the release is complete")
	b.await("the cluster that was lost runs nothing of it any more", func() string {
		if left := b.pods(two); len(left) > 0 {
			return fmt.Sprintf("%d instances", len(left))
		}
		err := two.api.Get(t.Context(), client.ObjectKey{Name: "retail-prod-ledger"}, &corev1.Namespace{})
		if !apierrors.IsNotFound(err) {
			return fmt.Sprintf("the namespace is still there: %v", err)
		}
		return ""
	})
	if ready := b.ready(one); ready != all {
		t.Errorf("%d instances answer, want %d all the time", ready, all)
	}
	b.say("%s is back and gave up its instances", two.name)
	b.await("the way back is proposed", func() string {
		for _, p := range b.proposals() {
			if c := p.Spec.Cause; c.Kind == placementv1.CauseRecovered && c.From == found.Name && len(c.Gains) == 1 && c.Gains[0].Cluster == two.name && int(c.Gains[0].Instances) == len(was) {
				b.say("%s is proposed for the way back", p.Name)
				return ""
			}
		}
		return fmt.Sprintf("proposals: %+v", b.proposals())
	})
}

// gated fails where a Release did not pass the Gate for real: its approval is used, who asked,
// who agreed and each step is on record.
func (b *bank) gated(release string) {
	b.t.Helper()
	q := &approvalv1.ApprovalRequest{}
	b.must(b.hub.Get(b.t.Context(), client.ObjectKey{Namespace: "retail-prod", Name: release + "-1"}, q))
	if !slices.ContainsFunc(q.Status.Conditions, func(c metav1.Condition) bool { return c.Reason == approvalv1.ReasonUsed }) {
		b.t.Errorf("approval request %s: %s: want it used", q.Name, words(q.Status.Conditions))
	}
	did := map[string]int{}
	for _, act := range b.acts() {
		if act.Release == "retail-prod/"+release || strings.Contains(act.Subject, release) {
			did[act.Person+" "+act.Verb+" "+string(act.Result)]++
		}
	}
	b.say("evidence of %s: %v", release, did)
	for _, want := range []string{"ops release.createIn Done", "ops approval.approve Refused", "biz approval.approve Done", "ops release.start Done", "ops release.step Done", "ops delivery.step Done"} {
		if did[want] == 0 {
			b.t.Errorf("no record of %s: %v", want, did)
		}
	}
}

// lacking says how a condition is that is not true.
func lacking(conditions []metav1.Condition, kind string) string {
	if meta.IsStatusConditionTrue(conditions, kind) {
		return ""
	}
	return words(conditions)
}

func (b *bank) deliveryIn(s *site) *deliveryv1.Delivery {
	b.t.Helper()
	d := &deliveryv1.Delivery{}
	b.must(b.hub.Get(b.t.Context(), client.ObjectKey{Namespace: "fairway-cluster-" + s.name, Name: "retail-prod-ledger"}, d))
	return d
}

func replicas(d *deliveryv1.Delivery) (n int32) {
	for _, w := range d.Spec.Workloads {
		n += w.Replicas
	}
	return n
}

// ready counts the instances of a member that answer.
func (b *bank) ready(s *site) (n int) {
	b.t.Helper()
	for _, p := range b.pods(s) {
		for _, c := range p.Status.Conditions {
			if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue && p.DeletionTimestamp == nil {
				n++
			}
		}
	}
	return n
}

// placementOf is the Placement that an application runs by.
func (b *bank) placementOf(namespace, application string) string {
	b.t.Helper()
	p := &placementv1.PlacementList{}
	b.must(b.hub.List(b.t.Context(), p, client.InNamespace(namespace)))
	var held []placementv1.Placement
	for _, one := range p.Items {
		if one.Spec.Application == application && !meta.IsStatusConditionFalse(one.Status.Conditions, placementv1.ConditionReserved) {
			held = append(held, one)
		}
	}
	if in := observed.InForce(held); in != nil {
		return in.Name
	}
	return ""
}
