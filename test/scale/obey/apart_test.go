// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package obey

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	"github.com/fairway-cloud/fairway/test/scale/stage"
)

// Two racks of eight hosts: with one of each to spare, six instances of the front and six of
// those that keep apart from it are the most that find their hosts in each, in any order.
const (
	fronts = 12
	backs  = 6
	books  = 6
)

// hostsApart has a component, and one of another application, share no host with a third
// (R48). The member's scheduler keeps to it, nobody waits for room, and both hold after
// hosts were lost and their instances came back.
func hostsApart(s *scene) {
	began := time.Now()
	pay := s.application("pay", component("front", anyImage, fronts), component("back", anyImage, backs))
	pay.Spec.Placement = &appv1.PlacementWishes{AntiAffinity: []appv1.AntiAffinity{{Component: "back", From: "front"}}}
	ledger := s.application("ledger", component("book", anyImage, books))
	ledger.Spec.Placement = &appv1.PlacementWishes{AntiAffinity: []appv1.AntiAffinity{{Component: "book", Application: "pay", From: "front", Scope: appv1.SpreadHost}}}
	s.serve(pay, "pay-1")
	s.serve(ledger, "ledger-1")
	before := s.apart()
	s.Say("apart: %s after %s", told(before), took(began))

	// One host of each rack, on which those lie that have the fewest hosts to go to.
	var lost []string
	for _, rack := range []string{"east-1-apart-a", "east-1-apart-b"} {
		worst := slices.MaxFunc(slices.Sorted(maps.Keys(before)), func(a, b string) int {
			weight := func(host string) int {
				n := 0
				if strings.HasPrefix(host, rack) {
					n = 1 + len(before[host])
					if !slices.Contains(before[host], "front") {
						n += 100
					}
				}
				return n
			}
			return weight(a) - weight(b)
		})
		stage.Must(s.t, stage.Silence(s.t.Context(), s.api("east-1"), worst))
		lost = append(lost, worst)
	}
	s.Say("apart: hosts %v are lost, with %v and %v", lost, before[lost[0]], before[lost[1]])
	stage.Must(s.t, s.Trying("bring back what was on the lost hosts", func() error {
		for _, p := range s.watches["east-1"].Instances(s.namespace()) {
			if slices.Contains(lost, p.Spec.NodeName) {
				return fmt.Errorf("instance %s is on lost host %s", p.Name, p.Spec.NodeName)
			}
		}
		return nil
	}))
	s.Say("apart: %s after %s", told(s.apart()), took(began))
	s.nobodyWaited()
}

// apart waits until all instances answer, and fails where a host holds two that keep apart.
// It tells who is on which host.
func (s *scene) apart() map[string][]string {
	s.t.Helper()
	on := map[string][]string{}
	for _, of := range []struct {
		application, component string
		want                   int
	}{{"pay", "front", fronts}, {"pay", "back", backs}, {"ledger", "book", books}} {
		for _, p := range s.answer("east-1", of.application, of.component, of.want) {
			on[p.Spec.NodeName] = append(on[p.Spec.NodeName], of.component)
			s.saysSo(p, of.component)
		}
	}
	for host, who := range on {
		if slices.Contains(who, "front") && (slices.Contains(who, "back") || slices.Contains(who, "book")) {
			s.t.Errorf("host %s holds %v: the front keeps apart from the others", host, who)
		}
	}
	return on
}

// saysSo wants the rule in the pods of those that keep apart, and in no others.
func (s *scene) saysSo(p *corev1.Pod, component string) {
	s.t.Helper()
	var from []string
	if anti := p.Spec.Affinity.PodAntiAffinity; anti != nil {
		for _, term := range anti.RequiredDuringSchedulingIgnoredDuringExecution {
			from = append(from, term.LabelSelector.MatchLabels[appv1.LabelComponent])
		}
	}
	if want := component != "front"; want != slices.Equal(from, []string{"front"}) {
		s.t.Errorf("pod %s of %s keeps apart from %v", p.Name, component, from)
	}
}

func told(on map[string][]string) string {
	fronts, others := 0, 0
	for _, who := range on {
		if slices.Contains(who, "front") {
			fronts++
		} else {
			others++
		}
	}
	return fmt.Sprintf("%d hosts hold fronts, %d others", fronts, others)
}

// ruleComes has a Release bring the rule to an application that runs without it, and then
// another replace who is kept apart from. Who does not change stays as it is; those whose
// pods say the rule are never beside the others, old or new, and nobody waits for room.
func ruleComes(s *scene) {
	const n = 3
	pay := s.application("pay", component("front", anyImage, n), component("back", anyImage, n))
	s.serve(pay, "pay-1")
	fronts := uids(s.answer("east-2", "pay", "front", n))
	backs := uids(s.answer("east-2", "pay", "back", n))

	pay.Spec.Placement = &appv1.PlacementWishes{AntiAffinity: []appv1.AntiAffinity{{Component: "back", From: "front"}}}
	s.serve(pay, "pay-2", s.obeyed)
	if now := uids(s.answer("east-2", "pay", "front", n)); same(fronts, now) != n {
		s.t.Errorf("%d of %d fronts are the same: the rule is in the pods of the back alone", same(fronts, now), n)
	}
	if now := uids(s.answer("east-2", "pay", "back", n)); same(backs, now) != 0 {
		s.t.Errorf("%d backs are from before the rule", same(backs, now))
	}
	s.obeyed()

	pay.Spec.Components[0].Image = nextImage
	s.serve(pay, "pay-3", s.obeyed)
	if now := uids(s.answer("east-2", "pay", "front", n)); same(fronts, now) != 0 {
		s.t.Errorf("%d fronts have the image of before", same(fronts, now))
	}
	s.answer("east-2", "pay", "back", n)
	s.obeyed()
	s.nobodyWaited()
	s.Say("turn: the rule came, and a new front after it")
}

// obeyed fails where an instance whose pod says that it keeps apart from the front is beside
// one, those that leave included.
func (s *scene) obeyed() {
	s.t.Helper()
	fronts := map[string]string{}
	all := s.watches["east-2"].All(s.namespace())
	for _, p := range all {
		if p.Spec.NodeName != "" && p.Labels[appv1.LabelComponent] == "front" {
			fronts[p.Spec.NodeName] = p.Name
		}
	}
	for _, p := range all {
		if beside := fronts[p.Spec.NodeName]; beside != "" && p.Spec.Affinity.PodAntiAffinity != nil {
			s.t.Errorf("host %s holds %s and %s, which keeps apart from it", p.Spec.NodeName, beside, p.Name)
		}
	}
}
