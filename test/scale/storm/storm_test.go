// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package storm

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	deliveryv1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
)

// lostAfter is how long a rack is away before it counts as lost: longer than hosts that
// vanish together take to be missed one after the other, as in a bank's policy.
const lostAfter = time.Minute

// lostPolicy of one environment, with times that a test can wait for.
func lostPolicy(environment string, action placementv1.LostAction) *placementv1.PlacementPolicy {
	after := &metav1.Duration{Duration: lostAfter}
	return &placementv1.PlacementPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "lost-" + environment},
		Spec: placementv1.PlacementPolicySpec{
			Environments: []string{environment}, SpareFrom: new(int32),
			Lost: &placementv1.LostPolicy{
				Action: action, SickSharePercent: 55, After: placementv1.LostAfter{Rack: after, Cluster: after, DataCenter: after},
				ReturnAfter: &metav1.Duration{Duration: time.Minute},
			},
		},
	}
}

// TestEvictionStorm has 12 of 20 hosts of each of two members vanish and come back, one
// member in production, the other where policy lets automation act (R86). The brake trips;
// nothing is moved by Fairway; who sits on a host that never vanished keeps UID and
// restart count; and after a person has released the brake nothing needless moves.
func TestEvictionStorm(t *testing.T) {
	sit, prod := &site{name: "east-1", center: "east", environment: "sit"}, &site{name: "west-1", center: "west", environment: "prod"}
	b := open(t, map[string]tenancyv1.EnvironmentClass{"sit": tenancyv1.ClassTest, "prod": tenancyv1.ClassProduction}, nil,
		[]*placementv1.PlacementPolicy{lostPolicy("sit", placementv1.LostRelease), lostPolicy("prod", placementv1.LostPropose)}, sit, prod)
	var first []string
	for _, name := range []string{"pay", "card", "loan"} {
		first = append(first, b.run(name, "sit", map[string]int32{"east": 12}))
	}
	b.completed("retail-prod", b.run("ledger", "prod", map[string]int32{"west": 12}))
	b.completed("retail-sit", first...)
	b.say("four applications run, 48 instances")

	// Two whole racks and two hosts of a third.
	vanish := map[*site][]string{}
	for _, s := range b.sites {
		for i := range 2*hostsPerRack + 2 {
			vanish[s] = append(vanish[s], s.host(i/hostsPerRack, i%hostsPerRack))
		}
	}
	before, staying := map[*site]map[string]sat{}, 0
	for _, s := range b.sites {
		before[s] = seats(b.pods(s))
		gone := 0
		for _, p := range before[s] {
			if slices.Contains(vanish[s], p.host) {
				gone++
			}
		}
		if gone == 0 || gone == len(before[s]) {
			t.Fatalf("of %d instances in %s %d are on hosts that vanish: the test needs some of both", len(before[s]), s.name, gone)
		}
		staying += len(before[s]) - gone
		b.say("%s: %d instances, %d of them on the hosts that vanish", s.name, len(before[s]), gone)
	}
	calm := b.wishes()
	b.acts()

	for _, s := range b.sites {
		b.silence(s, true, vanish[s]...)
	}
	b.await("the brake trips", func() string {
		for _, brake := range list(b, &placementv1.BrakeList{}).Items {
			if brake.Spec.By == "fairway" && slices.Equal(brake.Spec.Environments, []string{"sit"}) {
				b.say("brake %s: %s", brake.Name, brake.Spec.Reason)
				return ""
			}
		}
		return fmt.Sprintf("hosts ready: %d and %d", b.clusterOf(sit).Status.Hosts.Ready, b.clusterOf(prod).Status.Hosts.Ready)
	})
	b.await("every rack that is lost is proposed for", func() string {
		if n := len(b.proposals()); n != 4 {
			return fmt.Sprintf("%d proposals, want one for each application", n)
		}
		return ""
	})
	b.say("the racks count as lost: 4 proposals, which move nothing")
	b.untouched(calm)
	for _, s := range b.sites {
		b.evictions(s, before[s], vanish[s])
	}

	for _, s := range b.sites {
		b.silence(s, false, vanish[s]...)
	}
	b.await("all hosts are back", func() string {
		for _, s := range b.sites {
			if n := b.clusterOf(s).Status.Hosts.Ready; n != racks*hostsPerRack {
				return fmt.Sprintf("%d hosts of %s are ready", n, s.name)
			}
		}
		return ""
	})
	for _, s := range b.sites {
		b.report(s, vanish[s])
	}
	b.await("proposals are withdrawn", func() string {
		if left := b.proposals(); len(left) > 0 {
			return fmt.Sprintf("%d are left", len(left))
		}
		return ""
	})
	b.await("every application is whole again", func() string { return b.lacks() })
	b.say("all hosts are back, the proposals are withdrawn, all applications are whole")

	brakes := list(b, &placementv1.BrakeList{}).Items
	if len(brakes) != 1 || brakes[0].Spec.Released != nil {
		t.Errorf("%d brakes, want the one that holds until a person releases it", len(brakes))
	}
	name := brakes[0].Name
	for _, who := range []string{"ops", "biz"} {
		b.refused("A system administrator releases it.", who, "placement", "brake", "release", name, "--reason", "the power is back")
	}
	b.refused("could not find", "platform", "placement", "brake", "release", "another", "--reason", "the power is back")
	b.does("platform", "placement", "brake", "release", name, "--reason", "the power is back")
	b.must(b.hub.Get(t.Context(), client.ObjectKey{Name: name}, &brakes[0]))
	if r := brakes[0].Spec.Released; r == nil || r.By != "platform" || r.Reason != "the power is back" {
		t.Errorf("released: %+v, want by whom and why", r)
	}
	b.say("brake %s is released by a system administrator; others were refused", name)
	b.look()
	b.untouched(calm)
	for _, s := range b.sites {
		b.survivors(s, before[s], vanish[s])
	}
	b.say("%d instances on hosts that never vanished keep UID and restart count", staying)
}

// wishes are what moves instances when it changes: Deliveries and Placements in use, and
// the Releases there are.
func (b *bank) wishes() map[string]string {
	b.t.Helper()
	out := map[string]string{}
	for _, d := range list(b, &deliveryv1.DeliveryList{}).Items {
		text, err := json.Marshal(d.Spec)
		b.must(err)
		out["Delivery "+d.Namespace+"/"+d.Name] = string(text)
	}
	for _, p := range list(b, &placementv1.PlacementList{}).Items {
		if p.Status.Release != "" {
			out["Placement "+p.Namespace+"/"+p.Name] = p.Status.Release + " " + p.Spec.Digest
		}
	}
	for _, r := range list(b, &releasev1.ReleaseList{}).Items {
		out["Release "+r.Namespace+"/"+r.Name] = r.Spec.Desired
	}
	return out
}

// untouched fails where a wish has changed, or where Fairway has done anything in a member
// since evidence was looked at last but give seats.
func (b *bank) untouched(calm map[string]string) {
	b.t.Helper()
	now := b.wishes()
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if calm[name] != now[name] {
			b.t.Errorf("%s has changed, or is new:\n%s\n%s", name, calm[name], now[name])
		}
	}
	for name := range calm {
		if _, there := now[name]; !there {
			b.t.Errorf("%s is gone", name)
		}
	}
	for _, act := range b.acts() {
		// An instance that the member itself brought inside its cell is given its seat.
		seats := !slices.ContainsFunc(act.Details, func(d string) bool { return !strings.HasPrefix(d, "label Pod ") })
		if strings.HasPrefix(act.Verb, "release.") || act.Cluster != "" && !seats {
			b.t.Errorf("%s did %s to %s in %q: %v", act.Person, act.Verb, act.Subject, act.Cluster, act.Details)
		}
	}
}

// evictions says what the member's own controllers have done.
func (b *bank) evictions(s *site, before map[string]sat, vanished []string) {
	b.t.Helper()
	nodes := &corev1.NodeList{}
	b.must(s.api.List(b.t.Context(), nodes))
	silent, evicting := 0, 0
	for i := range nodes.Items {
		for _, taint := range nodes.Items[i].Spec.Taints {
			if taint.Key == corev1.TaintNodeUnreachable && taint.Effect == corev1.TaintEffectNoExecute {
				evicting++
			}
		}
		for _, c := range nodes.Items[i].Status.Conditions {
			if c.Type == corev1.NodeReady && c.Status != corev1.ConditionTrue {
				silent++
			}
		}
	}
	now, leaving, newcomers := seats(b.pods(s)), 0, 0
	for name := range now {
		if _, there := before[name]; !there {
			newcomers++
		}
	}
	for _, p := range b.pods(s) {
		if p.DeletionTimestamp != nil && slices.Contains(vanished, p.Spec.NodeName) {
			leaving++
		}
	}
	b.say("%s itself: %d hosts not ready, %d of them with the taint that evicts; %d instances leaving, %d new ones", s.name, silent, evicting, leaving, newcomers)
}

// report says of what stayed on hosts that are back that it answers, as their kubelets
// would: the simulator says it once in a pod's life, and the member has said otherwise.
func (b *bank) report(s *site, hosts []string) {
	b.t.Helper()
	for _, p := range b.pods(s) {
		if p.DeletionTimestamp != nil || p.Status.Phase != corev1.PodRunning || !slices.Contains(hosts, p.Spec.NodeName) {
			continue
		}
		before := p.DeepCopy()
		for i := range p.Status.Conditions {
			if p.Status.Conditions[i].Type == corev1.PodReady || p.Status.Conditions[i].Type == corev1.ContainersReady {
				p.Status.Conditions[i].Status = corev1.ConditionTrue
			}
		}
		b.must(client.IgnoreNotFound(s.api.Status().Patch(b.t.Context(), &p, client.MergeFrom(before))))
	}
}

// survivors fails where an instance on a host that never vanished is not the same.
func (b *bank) survivors(s *site, before map[string]sat, vanished []string) {
	b.t.Helper()
	now, same, all := seats(b.pods(s)), 0, 0
	for name, was := range before {
		if slices.Contains(vanished, was.host) {
			all++
			if now[name].uid == was.uid {
				same++
			}
			continue
		}
		if now[name] != was {
			b.t.Errorf("%s sat on host %s, which never vanished: it was %+v and is %+v", name, was.host, was, now[name])
		}
	}
	b.say("%s: of %d instances on hosts that vanished %d are the same as before", s.name, all, same)
}

// lacks says which Delivery is not ready.
func (b *bank) lacks() string {
	b.t.Helper()
	for _, d := range list(b, &deliveryv1.DeliveryList{}).Items {
		want, ready := int32(0), int32(0)
		for _, w := range d.Spec.Workloads {
			want += w.Replicas
		}
		for _, w := range d.Status.Workloads {
			ready += w.Ready
			if w.Instances > w.Ready || w.Leaving > 0 {
				return fmt.Sprintf("%s/%s: %+v", d.Namespace, d.Name, w)
			}
		}
		if ready != want {
			return fmt.Sprintf("%s/%s: %d of %d instances are ready: %s", d.Namespace, d.Name, ready, want, words(d.Status.Conditions))
		}
	}
	return ""
}

// look has the controller of losses look at everything twice more, and act where it would.
func (b *bank) look() {
	b.t.Helper()
	for range 2 {
		began := b.looks()
		policy := &list(b, &placementv1.PlacementPolicyList{}).Items[0]
		before := policy.DeepCopy()
		metav1.SetMetaDataAnnotation(&policy.ObjectMeta, "storm.test/look", fmt.Sprint(time.Now().UnixNano()))
		b.must(b.hub.Patch(b.t.Context(), policy, client.MergeFrom(before)))
		b.await("the controller of losses looks again", func() string {
			if b.looks() == began {
				return "it has not looked yet"
			}
			return ""
		})
	}
}
