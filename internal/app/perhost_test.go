// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package app_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app"
	"github.com/fairway-cloud/fairway/internal/app/apptest"
)

// bounded is everything, with bounds per host of each kind, as testdata/renderer-2.json has it
// frozen.
func bounded() *appv1.Application {
	a := apptest.Everything()
	a.Spec.Placement = keepsHosts().Spec.Placement
	for name, most := range map[string]int32{"account": 1, "channel": 3, "ledger": 2, "migrate": 1, "nightly": 4} {
		apptest.With(name, func(c *appv1.Component) { c.MaxPerHost = ptr.To(most) })(a)
	}
	return a
}

// TestPodsBoundTheirHosts looks at what the pods of each kind say of the most that one host may
// hold (R48), in members that know minDomains and in those that do not.
func TestPodsBoundTheirHosts(t *testing.T) {
	in := apptest.East(freeze(t, bounded(), apptest.Bank()).Content)
	for version, want := range map[string]map[string]string{
		"v1.36.3":  {"account": "one", "channel": "3 from 0", "ledger": "2 from 0", "migrate": "one", "nightly": "4 from 0"},
		"v1.29.15": {"account": "one", "channel": "3 from 0", "ledger": "2 from 0", "migrate": "one", "nightly": "4 from 0"},
		"v1.22.17": {"account": "one", "channel": "", "ledger": "", "migrate": "one"}, // no job at night: it knows no time zone
	} {
		t.Run(version, func(t *testing.T) {
			k8s := published(t, version)
			out, err := app.Render(in, k8s.served)
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]string{}
			for _, w := range out.Workloads {
				pod := podOf(t, w)
				got[w.Component] = boundOf(t, pod)
				spreads := slices.IndexFunc(pod.Spec.TopologySpreadConstraints, func(c corev1.TopologySpreadConstraint) bool {
					return c.WhenUnsatisfiable == corev1.ScheduleAnyway && c.MaxSkew == 1 && c.TopologyKey == corev1.LabelHostname
				}) >= 0
				if runs := w.Kind == "Deployment" || w.Kind == "StatefulSet"; spreads != runs {
					t.Errorf("%s %s is spread evenly: %v", w.Kind, w.Name, spreads)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("what pods say of a host (-want +got):\n%s", diff)
			}
			for _, o := range objects(out) {
				if err := k8s.validate(o); err != nil {
					t.Errorf("Kubernetes would not take %s %s: %v", o.GetKind(), o.GetName(), err)
				}
			}
			var missing []string
			for _, r := range out.Reasons {
				if r.Effect == app.Missing && strings.HasSuffix(r.Field, "minDomains") {
					missing = append(missing, r.Component)
					if !strings.Contains(r.Message, "version "+version+" cannot bound instances per host at ") || !strings.Contains(r.Message, "Kubernetes 1.27 or newer") {
						t.Errorf("%s is told: %s", r.Component, r.Message)
					}
				}
			}
			for name, bound := range want {
				if (bound == "") != slices.Contains(missing, name) {
					t.Errorf("%s says %q, and of these it is told that they cannot: %v", name, bound, missing)
				}
			}
		})
	}
}

// boundOf is what a pod says of the most of its kind that one host may hold, of its own labels.
func boundOf(t *testing.T, pod corev1.PodTemplateSpec) string {
	t.Helper()
	own := func(labels map[string]string) bool {
		for k, v := range labels {
			if pod.Labels[k] != v {
				return false
			}
		}
		return labels[appv1.LabelComponent] != "" && labels[appv1.LabelCell] != ""
	}
	var said []string
	if anti := pod.Spec.Affinity.PodAntiAffinity; anti != nil {
		for _, term := range anti.RequiredDuringSchedulingIgnoredDuringExecution {
			if term.TopologyKey == corev1.LabelHostname && own(term.LabelSelector.MatchLabels) {
				said = append(said, "one")
			}
		}
	}
	for _, c := range pod.Spec.TopologySpreadConstraints {
		if c.WhenUnsatisfiable != corev1.DoNotSchedule {
			continue
		}
		from := "the emptiest"
		if c.MinDomains != nil && *c.MinDomains > 5000 { // the most that Kubernetes supports
			from = "0"
		}
		if c.TopologyKey != corev1.LabelHostname || !own(c.LabelSelector.MatchLabels) {
			t.Errorf("a spread that is kept, by %s of %v", c.TopologyKey, c.LabelSelector)
		}
		said = append(said, fmt.Sprintf("%d from %s", c.MaxSkew, from))
	}
	return strings.Join(said, ", ")
}

// TestFieldsThatAreOffByDefault asks a member that has minDomains in its schema and drops it.
func TestFieldsThatAreOffByDefault(t *testing.T) {
	const kind, path = "Deployment", "spec.template.spec.topologySpreadConstraints.minDomains"
	for version, want := range map[string]bool{"v1.25.16": false, "v1.26.15": false, "v1.27.0": true} {
		served := app.Served{Version: version, Fields: []string{"apps/v1/" + kind + ":" + path}}
		if got := served.Field("apps/v1", kind, path); got != want {
			t.Errorf("%s keeps minDomains: %v, want %v", version, got, want)
		}
	}
}
