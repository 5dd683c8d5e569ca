// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app/apptest"
	"github.com/fairway-cloud/fairway/internal/platform/storytest"
	"github.com/fairway-cloud/fairway/internal/release"
	"github.com/fairway-cloud/fairway/internal/release/releasetest"
)

// TestStories plays testdata/*.txt with the real scheduler and renderer, and
// members that deliver at once: lines in the first column happen, indented lines
// are what the release room recorded and reports.
func TestStories(t *testing.T) {
	storytest.Play(t, func(t *testing.T) storytest.Stage {
		s := &story{bank: newBank(t), revisions: map[string]string{}, told: map[string]string{}}
		return func(verb string, words []string) []string {
			answers := s.do(verb, words)
			for i := range answers {
				answers[i] = s.alias(answers[i])
			}
			return answers
		}
	})
}

type story struct {
	*bank
	// revisions by the name that the story gives them.
	revisions map[string]string
	read      int
	told      map[string]string
}

func (s *story) alias(line string) string {
	for _, name := range slices.Sorted(maps.Keys(s.revisions)) {
		line = strings.ReplaceAll(line, s.revisions[name], name)
	}
	return line
}

func (s *story) do(verb string, w []string) []string {
	switch verb {
	case "revision": // revision NAME [COMPONENT.image=TAG | COMPONENT.DCN=COUNT | -COMPONENT …]
		var options []apptest.Option
		for _, change := range w[1:] {
			options = append(options, s.change(change))
		}
		s.revisions[w[0]] = s.revise(options...)
	case "deploy": // deploy RELEASE REVISION
		s.create(releasetest.New(w[0], s.revisions[w[1]]))
	case "rollback": // rollback RELEASE REVISION
		s.create(releasetest.New(w[0], s.revisions[w[1]], releasetest.Rollback))
	case "retire": // retire RELEASE
		s.create(releasetest.New(w[0], "", releasetest.Retire))
	case "recreate": // deletes the application and makes one of the same name
		a := s.application()
		fresh := &appv1.Application{ObjectMeta: metav1.ObjectMeta{Namespace: a.Namespace, Name: a.Name}, Spec: a.Spec}
		if err := errors.Join(s.hub.Delete(s.t.Context(), a), s.hub.Create(s.t.Context(), fresh)); err != nil {
			s.t.Fatal(err)
		}
	case "restart": // restart RELEASE SEAT…
		s.create(releasetest.New(w[0], "", releasetest.Restart(w[1:]...)))
	case "seat": // seat SEAT CLUSTER POD
		s.finder.seats[w[0]] = release.Instance{Seat: w[0], Cluster: w[1], Pod: w[2], UID: "uid-of-" + w[2]}
	case "stop":
		s.say(w[0], "Stop")
	case "run":
		s.say(w[0], "Run")
	case "away":
		s.reach(w[0], false)
	case "back":
		s.reach(w[0], true)
	case "unplug":
		s.source.Cut(w[0])
		s.finder.away = w[0]
	case "plug":
		s.source.Heal(w[0])
		s.finder.away = ""
	case "break": // break CLUSTER COMPONENT WHY…
		s.members[w[0]].Broken = map[string]string{w[1]: strings.Join(w[2:], " ")}
	case "heal":
		s.members[w[0]].Broken = nil
	case "gate":
		s.gate.refuse, s.gate.err = strings.Join(w[1:], " "), nil
		if w[0] == "away" {
			s.gate.err = errors.New("no answer")
		}
	case "log":
		s.journal.away = w[0] == "away"
	case "pass":
		d, err := time.ParseDuration(w[0])
		if err != nil {
			s.t.Fatal(err)
		}
		s.pass(d)
	case "show":
		return s.picture()
	case "go":
		s.watch()
		s.settle()
		return s.tell()
	default:
		s.t.Fatalf("the story says %q, which nobody understands", verb)
	}
	return nil
}

func (s *story) change(change string) apptest.Option {
	if name, gone := strings.CutPrefix(change, "-"); gone {
		return func(a *appv1.Application) {
			a.Spec.Components = slices.DeleteFunc(a.Spec.Components, func(c appv1.Component) bool { return string(c.Name) == name })
			for i := range a.Spec.Components {
				c := &a.Spec.Components[i]
				c.DependsOn = slices.DeleteFunc(c.DependsOn, func(d appv1.Dependency) bool { return string(d.Component) == name })
			}
		}
	}
	what, value, _ := strings.Cut(change, "=")
	component, field, _ := strings.Cut(what, ".")
	return apptest.With(component, func(c *appv1.Component) {
		if field == "image" {
			c.Image = "registry.bank:5000/mobile-bank/" + component + ":" + value
			return
		}
		n, err := strconv.ParseInt(value, 10, 32)
		if err != nil {
			s.t.Fatal(err)
		}
		c.Instances = slices.DeleteFunc(c.Instances, func(i appv1.InstanceCount) bool { return i.DCN == field })
		if n > 0 {
			c.Instances = append(c.Instances, appv1.InstanceCount{DCN: field, Count: int32(n)})
		}
	})
}

// tell returns what was recorded since, how far each Release is, and how many
// instances answered at least.
func (s *story) tell() []string {
	var out []string
	for _, act := range s.journal.acts[s.read:] {
		out = append(out, fmt.Sprintf("%s %s: %s", act.Verb, act.Cluster, strings.Join(act.Details, "; ")))
	}
	s.read = len(s.journal.acts)
	var list releasev1.ReleaseList
	if err := s.hub.List(s.t.Context(), &list); err != nil {
		s.t.Fatal(err)
	}
	for i := range list.Items {
		if line := s.state(&list.Items[i]); line != s.told[list.Items[i].Name] {
			s.told[list.Items[i].Name] = line
			out = append(out, line)
		}
	}
	var lowest []string
	for _, key := range slices.Sorted(maps.Keys(s.lowest)) {
		lowest = append(lowest, fmt.Sprintf("%d %s", s.lowest[key], key))
	}
	if len(lowest) > 0 {
		out = append(out, "at least "+strings.Join(lowest, ", "))
	}
	return out
}

func (s *story) state(r *releasev1.Release) string {
	line := fmt.Sprintf("%s (number %d)", r.Name, r.Status.Sequence)
	for _, kind := range []string{releasev1.ConditionReady, releasev1.ConditionStalled} {
		if c := meta.FindStatusCondition(r.Status.Conditions, kind); c != nil && (kind == releasev1.ConditionReady || c.Status == "True") {
			line += fmt.Sprintf("; %s %s %s: %s", c.Type, c.Status, c.Reason, c.Message)
		}
	}
	return line
}
