// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package storm

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
)

// TestDataCenterLost has every member of a data centre stop answering (R86). Its DCN has a
// partner in another one: what fits there is proposed, and runs there after a person's
// Release; what does not says so on its Application, with numbers. Nothing is taken away in
// the lost data centre before it is back; then the way back is proposed.
func TestDataCenterLost(t *testing.T) {
	one, two, west := &site{name: "east-1", center: "east", environment: "prod"}, &site{name: "east-2", center: "east", environment: "prod"}, &site{name: "west-1", center: "west", environment: "prod"}
	b := open(t, map[string]tenancyv1.EnvironmentClass{"prod": tenancyv1.ClassProduction}, map[string]string{"dcn-east": "dcn-west", "dcn-west": "dcn-east"},
		[]*placementv1.PlacementPolicy{lostPolicy("prod", placementv1.LostPropose)}, one, two, west)
	// ledger is in both data centres, card in the east only, and so is branch, which matters
	// less, with more instances of half a host each than the west has halves.
	const branches = 44
	first := []string{
		b.run("ledger", "prod", map[string]int32{"east": 8, "west": 6}),
		b.run("card", "prod", map[string]int32{"east": 6}),
		b.run("branch", "prod", map[string]int32{"east": branches}, func(a *appv1.Application) {
			a.Spec.AvailabilityClass, a.Spec.Components[0].Resources = "class-c", &appv1.Resources{Class: appv1.SizeLarge}
		}),
	}
	b.completed("retail-prod", first...)
	before := map[string]map[string]int{}
	for _, name := range []string{"ledger", "card", "branch"} {
		before[name] = b.seatsOf(name)
		b.say("%s runs at %v", name, before[name])
	}
	was := map[*site]map[string]sat{}
	for _, s := range b.sites {
		was[s] = seats(b.pods(s))
	}
	b.apart(one, west)
	b.acts()

	one.cluster.StopAPIServer()
	two.cluster.StopAPIServer()
	b.say("the east is gone")
	proposed := map[string]placementv1.Placement{}
	b.await("what fits is proposed for the west", func() string {
		for _, p := range b.proposals() {
			if len(p.Spec.Cause.Places) == 1 && p.Spec.Cause.Places[0].Kind == placementv1.LostDataCenter && p.Spec.Cause.Places[0].Name == "dc-east" {
				proposed[p.Spec.Application] = p
			}
		}
		if len(proposed) < 2 || b.fits("branch") == nil {
			return fmt.Sprintf("proposed: %v; branch: %v", slices.Sorted(maps.Keys(proposed)), b.fits("branch"))
		}
		return ""
	})
	for name, instances := range map[string]int{"ledger": 8, "card": 6} {
		c := proposed[name].Spec.Cause
		if c == nil || len(c.Gains) != 1 || c.Gains[0].Cluster != west.name || int(c.Gains[0].Instances) != instances ||
			!slices.ContainsFunc(c.Check, func(s string) bool { return strings.Contains(s, "go to its partner dcn-west") }) {
			t.Errorf("%s is proposed for %+v: want %d instances that come to %s, and what to check", name, c, instances, west.name)
		}
		if c := b.fits(name); c != nil {
			t.Errorf("%s: %+v: it fits", name, c)
		}
	}
	lacks := b.fits("branch")
	if lacks.Reason != appv1.ReasonWouldNotFit || !strings.HasPrefix(lacks.Message, fmt.Sprintf("data centre dc-east is lost, and %d instances find no place elsewhere: component app in dcn-west: ", branches)) {
		t.Errorf("branch: %+v: want what is lost and how many find no place", lacks)
	}
	b.say("branch: %s: %s", lacks.Reason, lacks.Message)
	told := b.does("platform", "placement", "lost")
	for _, want := range []string{"DataCenter dc-east of prod is away", "no place for retail-prod/branch: data centre dc-east is lost, and 44 instances"} {
		if !strings.Contains(told, want) {
			t.Errorf("fairway placement lost does not say %q:\n%s", want, told)
		}
	}
	for _, act := range b.acts() {
		if strings.HasPrefix(act.Verb, "release.") || act.Cluster != "" {
			t.Errorf("%s did %s to %s before anybody decided", act.Person, act.Verb, act.Subject)
		}
	}

	moved := []string{b.release("retail-prod", "ledger", "--placement", proposed["ledger"].Name), b.release("retail-prod", "card", "--placement", proposed["card"].Name)}
	b.await("what fits answers in the west", func() string {
		if n := b.ready(west); n != 8+6+6 {
			return fmt.Sprintf("%d of 20", n)
		}
		return ""
	})
	for name, is := range seats(b.pods(west)) {
		if before, there := was[west][name]; there && before != is {
			t.Errorf("%s was %+v and is %+v: who ran in the west stays", name, before, is)
		}
	}
	b.gated(moved[0])
	b.say("20 instances answer in the west")

	// The east is back: everything ran on in it, and is given up only now.
	for _, s := range []*site{one, two} {
		s.cluster.StartAPIServer(t)
		for name, is := range seats(b.pods(s)) {
			if was[s][name].uid != is.uid {
				t.Errorf("%s in %s is %+v, and was %+v: nothing is touched while it is away", name, s.name, is, was[s][name])
			}
		}
		if n := len(b.pods(s)); n != len(was[s]) {
			t.Errorf("%d instances in %s, and there were %d: nothing is deleted while it is away", n, s.name, len(was[s]))
		}
	}
	b.say("the east is back, with all that it ran")
	b.await("what branch lacks is over", func() string {
		if c := b.fits("branch"); c != nil {
			return c.Message
		}
		return ""
	})
	b.completed("retail-prod", moved...)
	b.await("the way back is proposed", func() string {
		back := map[string]bool{}
		for _, p := range b.proposals() {
			if p.Spec.Cause.Kind == placementv1.CauseRecovered && maps.Equal(seatsIn(&p), before[p.Spec.Application]) {
				back[p.Spec.Application] = true
			}
		}
		if len(back) != 2 {
			return fmt.Sprintf("for %v", slices.Sorted(maps.Keys(back)))
		}
		return ""
	})
	if now := b.seatsOf("branch"); !maps.Equal(now, before["branch"]) {
		t.Errorf("branch is at %v, and was at %v", now, before["branch"])
	}
	b.say("the way back is proposed for ledger and card, to where they were")
}

// apart fails where two members share a host, a rack or a pool.
func (b *bank) apart(one, other *site) {
	b.t.Helper()
	for r := range racks {
		if one.rack(r) == other.rack(r) {
			b.t.Errorf("%s and %s share rack %s", one.name, other.name, one.rack(r))
		}
	}
	for _, p := range list(b, &placementv1.PlacementList{}).Items {
		for _, a := range p.Spec.Assignments {
			if at := b.centerOf(a.Cell.Cluster); a.Cell.DCN != "dcn-"+at {
				b.t.Errorf("%s has instances of DCN %s in %s", p.Name, a.Cell.DCN, at)
			}
		}
	}
}

func (b *bank) centerOf(cluster string) string {
	for _, s := range b.sites {
		if s.name == cluster {
			return s.center
		}
	}
	return ""
}

// fits is what an application says of its instances that find no place; nil: nothing.
func (b *bank) fits(name string) *metav1.Condition {
	b.t.Helper()
	a := &appv1.Application{}
	b.must(b.hub.Get(b.t.Context(), client.ObjectKey{Namespace: "retail-prod", Name: name}, a))
	return meta.FindStatusCondition(a.Status.Conditions, appv1.ConditionFits)
}

// seatsOf counts the instances of an application by cell, as the Placement in force says.
func (b *bank) seatsOf(name string) map[string]int {
	b.t.Helper()
	p := &placementv1.Placement{}
	b.must(b.hub.Get(b.t.Context(), client.ObjectKey{Namespace: "retail-prod", Name: b.placementOf("retail-prod", name)}, p))
	return seatsIn(p)
}

func seatsIn(p *placementv1.Placement) map[string]int {
	out := map[string]int{}
	for _, a := range p.Spec.Assignments {
		if len(a.Seats) > 0 {
			out[a.Cell.Key()] += len(a.Seats)
		}
	}
	return out
}
