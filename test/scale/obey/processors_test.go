// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package obey

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	"github.com/fairway-cloud/fairway/test/scale/stage"
)

// severalProcessors has hosts of two processors in each rack (R10): an image for one of them
// runs on its hosts only, one for both on either, as placement, pods and the member's
// scheduler agree. When the one's hosts are gone, what needs them is refused in words.
func severalProcessors(s *scene) {
	arm := s.application("arm", component("app", armImage, 6))
	both := s.application("both", component("app", bothImage, 8))
	placed := map[string]*placementv1.Placement{"arm": s.serve(arm, "arm-1"), "both": s.serve(both, "both-1")}
	for name, want := range map[string]struct {
		count int
		on    []string
	}{"arm": {6, []string{"arm64"}}, "both": {8, []string{"amd64", "arm64"}}} {
		n := 0
		for _, a := range placed[name].Spec.Assignments {
			if n += len(a.Seats); !slices.Equal(a.Architectures, want.on) {
				s.t.Errorf("%s is placed for %v, want %v", name, a.Architectures, want.on)
			}
		}
		if n != want.count {
			s.t.Errorf("%d instances of %s are placed, want %d", n, name, want.count)
		}
		counts := map[string]int{}
		for _, p := range s.answer("east-1", name, "app", want.count) {
			if got := processorsOf(p); !slices.Equal(got, want.on) {
				s.t.Errorf("pod %s of %s asks for %v, want %v", p.Name, name, got, want.on)
			}
			node := &corev1.Node{}
			stage.Must(s.t, s.api("east-1").Get(s.t.Context(), client.ObjectKey{Name: p.Spec.NodeName}, node))
			counts[node.Labels[corev1.LabelArchStable]]++
			if !slices.Contains(want.on, node.Labels[corev1.LabelArchStable]) {
				s.t.Errorf("pod %s of %s runs on host %s of %s, want %v", p.Name, name, node.Name, node.Labels[corev1.LabelArchStable], want.on)
			}
			spec := placed[name].Spec
			if i := slices.IndexFunc(spec.Assignments, func(a placementv1.Assignment) bool { return slices.Contains(spec.HostsOf(a), node.Name) }); i < 0 {
				s.t.Errorf("pod %s of %s runs on host %s, which its placement does not name", p.Name, name, node.Name)
			}
		}
		s.Say("mixed: %s runs on %v", name, counts)
	}
	s.nobodyWaited()

	gone := 0
	for _, h := range pools[1].hostsIn("east-1") {
		if h.Arch == "arm64" {
			gone++
			stage.Must(s.t, s.api("east-1").Delete(s.t.Context(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: h.Name}}))
		}
	}
	stage.Must(s.t, s.Trying("see that the hosts are gone", func() error {
		p, n := &fleetv1.Pool{}, 0
		if err := s.Own.Get(s.t.Context(), client.ObjectKey{Name: s.tenant}, p); err != nil {
			return err
		}
		for _, r := range p.Status.Racks {
			n += len(r.Hosts)
		}
		if want := len(pools[1].hostsIn("east-1")) - gone; n != want {
			return fmt.Errorf("%d hosts offer room, want %d", n, want)
		}
		return nil
	}))
	late := s.application("late", component("app", armImage, 2))
	s.refused(late)
}

// processorsOf are those that a pod's node affinity asks for.
func processorsOf(p *corev1.Pod) []string {
	for _, term := range p.Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms {
		for _, e := range term.MatchExpressions {
			if e.Key == corev1.LabelArchStable {
				return e.Values
			}
		}
	}
	return nil
}

// refused wants an application that needs arm64 to be refused, by a trial and by a Release,
// in words that say why and what would do.
func (s *scene) refused(a *appv1.Application) {
	s.t.Helper()
	revision := s.write(a)
	wants := []string{
		"the image runs on arm64; the 2 hosts of pool mixed on rack east-1-mixed-a of cluster east-1 are amd64",
		"hosts of arm64 would do, or an image for the processors that are there",
	}
	body, err := stage.BodyOf(a)
	stage.Must(s.t, err)
	var trial struct {
		Trials []struct {
			Verdict   string
			Placement placementv1.PlacementSpec
		}
	}
	stage.Must(s.t, s.Post("/api/v1/placement/simulate", map[string]any{"applications": []any{body}}, &trial))
	if len(trial.Trials) != 1 || trial.Trials[0].Verdict != "Refused" {
		s.t.Fatalf("a trial says %+v, want a refusal", trial)
	}
	rule := slices.IndexFunc(trial.Trials[0].Placement.Reasons, func(r placementv1.Reason) bool {
		return r.Rule == "Processor" && containsAll(r.Message, wants)
	})
	if rule < 0 {
		s.t.Errorf("a trial is refused for %+v: want the rule Processor, with %q", trial.Trials[0].Placement.Reasons, wants)
	}

	s.ask(a, a.Name+"-1", revision)
	stage.Must(s.t, s.Trying("refuse "+a.Name, func() error {
		r := &releasev1.Release{}
		if err := s.Own.Get(s.t.Context(), client.ObjectKey{Namespace: a.Namespace, Name: a.Name + "-1"}, r); err != nil {
			return err
		}
		c := meta.FindStatusCondition(r.Status.Conditions, releasev1.ConditionStalled)
		if c == nil || c.Status != metav1.ConditionTrue || c.Reason != "NotPlaced" || !containsAll(c.Message, wants) {
			return fmt.Errorf("%s", words(r.Status.Conditions))
		}
		s.Say("mixed: refused: %s", c.Message)
		return nil
	}))
}

func containsAll(text string, wants []string) bool {
	return !slices.ContainsFunc(wants, func(w string) bool { return !strings.Contains(text, w) })
}
