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
	"k8s.io/utils/ptr"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	"github.com/fairway-cloud/fairway/test/scale/stage"
)

// bounded is a component of which a host may hold so many (R48).
func bounded(name appv1.ComponentName, image string, count, most int32) appv1.Component {
	c := component(name, image, count)
	c.MaxPerHost = ptr.To(most)
	return c
}

// With one of six hosts to spare, five may hold ten of two a host and fifteen of three. With
// fewer of them there is room for others, and all find hosts in any order.
const (
	twos   = 7
	threes = 8
)

// hostsBounded places two components, of which a host may hold two and three, and fills up with
// one without a bound as far as is certain. The member's scheduler puts no more on any host, while
// a Release replaces all of them and after a host was lost, too, and nobody ever waits for room.
func hostsBounded(s *scene) {
	began := time.Now()
	pay := func(image string, twos, threes int32) *appv1.Application {
		return s.application("pay", bounded("two", image, twos, 2), bounded("three", image, threes, 3))
	}
	s.serve(pay(anyImage, 5, 5), "pay-1", s.within)
	s.serve(pay(nextImage, 5, 5), "pay-2", s.within)
	s.Say("bound: new ones took the places of old ones after %s", took(began))

	s.serve(pay(nextImage, twos, threes), "pay-3", s.within)
	rest := func(n int32) *appv1.Application { return s.application("rest", component("any", anyImage, n)) }
	others := s.most(0, rest)
	s.serve(rest(others), "rest-1", s.within)
	full := func() map[string]map[string]int {
		s.answer("east-2", "pay", "two", twos)
		s.answer("east-2", "pay", "three", threes)
		s.answer("east-2", "rest", "any", int(others))
		s.within()
		return s.onHosts()
	}
	before := full()
	s.Say("bound: %d of two a host, %d of three and %d others, the most that are certain, run on %d hosts after %s", twos, threes, others, len(before), took(began))

	lost := slices.MaxFunc(slices.Sorted(maps.Keys(before)), func(a, b string) int { return total(before[a]) - total(before[b]) })
	s.lose(lost)
	after := full()
	if len(after[lost]) > 0 {
		s.t.Errorf("host %s is lost and holds %v", lost, after[lost])
	}
	s.Say("bound: the same without host %s, which held %v, after %s", lost, before[lost], took(began))
	s.nobodyWaited()
}

// tooFewHosts loses more hosts than are to spare: what the bound leaves no host for waits, with
// room enough, rather than that a host holds a third.
func tooFewHosts(s *scene) {
	const n = 6
	s.serve(s.application("pay", bounded("two", anyImage, n, 2)), "pay-1", s.within)
	s.answer("east-2", "pay", "two", n)
	s.nobodyWaited()
	hosts := slices.Sorted(maps.Keys(s.onHosts()))
	s.lose(hosts[0])
	s.answer("east-2", "pay", "two", n)
	s.within()
	s.nobodyWaited()

	s.lose(slices.Sorted(maps.Keys(s.onHosts()))[0])
	var why []string
	stage.Must(s.t, s.Trying("have instances wait for a host that may take them", func() error {
		if why = s.watches["east-2"].Waited(s.namespace()); len(why) < 2 {
			return fmt.Errorf("%d wait: %v", len(why), why)
		}
		return nil
	}))
	for _, words := range why {
		if !strings.Contains(words, "didn't match pod topology spread constraints") || strings.Contains(words, "Insufficient") {
			s.t.Errorf("%s: want the bound alone to keep it off", words)
		}
	}
	s.within()
	s.Say("few: 2 hosts hold %v, and: %s", s.onHosts(), why[0])
}

// most is the largest number, from one on that is placed already, of which a trial says that
// all are certain to find hosts.
func (s *scene) most(from int32, of func(n int32) *appv1.Application) int32 {
	s.t.Helper()
	placed := func(n int32) bool {
		body, err := stage.BodyOf(of(n))
		stage.Must(s.t, err)
		var trial struct{ Trials []struct{ Verdict string } }
		stage.Must(s.t, s.Post("/api/v1/placement/simulate", map[string]any{"applications": []any{body}}, &trial))
		return len(trial.Trials) == 1 && trial.Trials[0].Verdict == "Placed"
	}
	n := from
	for placed(n + 1) {
		n++
	}
	return n
}

// lose has a host go silent, and waits until its instances are given up.
func (s *scene) lose(host string) {
	s.t.Helper()
	stage.Must(s.t, stage.Silence(s.t.Context(), s.api("east-2"), host))
	stage.Must(s.t, s.Trying("give up what was on host "+host, func() error {
		for _, p := range s.watches["east-2"].Instances(s.namespace()) {
			if p.Spec.NodeName == host {
				return fmt.Errorf("instance %s is on lost host %s", p.Name, host)
			}
		}
		return nil
	}))
}

// onHosts counts the tenant's instances by host, component and template; those that leave are
// not among them.
func (s *scene) onHosts() map[string]map[string]int {
	out := map[string]map[string]int{}
	for _, p := range s.watches["east-2"].Instances(s.namespace()) {
		if p.Spec.NodeName == "" {
			continue
		}
		if out[p.Spec.NodeName] == nil {
			out[p.Spec.NodeName] = map[string]int{}
		}
		out[p.Spec.NodeName][p.Labels[appv1.LabelComponent]+" "+p.Labels[appv1.LabelTemplate]]++
	}
	return out
}

// within fails where a host holds more of a component and template than it may, or a pod of a
// bounded component does not say so.
func (s *scene) within() {
	s.t.Helper()
	bounds := map[string]int{"two": 2, "three": 3}
	for host, there := range s.onHosts() {
		for kind, n := range there {
			name, _, _ := strings.Cut(kind, " ")
			if most := bounds[name]; most > 0 && n > most {
				s.t.Errorf("host %s holds %d of %s, and may hold %d", host, n, kind, most)
			}
		}
	}
	for _, p := range s.watches["east-2"].Instances(s.namespace()) {
		says := slices.ContainsFunc(p.Spec.TopologySpreadConstraints, func(c corev1.TopologySpreadConstraint) bool {
			return c.WhenUnsatisfiable == corev1.DoNotSchedule && int(c.MaxSkew) == bounds[p.Labels[appv1.LabelComponent]]
		})
		if bound := bounds[p.Labels[appv1.LabelComponent]] > 0; bound != says {
			s.t.Errorf("pod %s says a bound: %v, want %v", p.Name, says, bound)
		}
	}
}

func total(there map[string]int) (n int) {
	for _, x := range there {
		n += x
	}
	return n
}
