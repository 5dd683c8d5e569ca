// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package app_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app"
	"github.com/fairway-cloud/fairway/internal/app/apptest"
)

// TestHostsAreKeptApart follows the rule into template and pods: a component that shares no
// host with others gets a template of its own and a required anti-affinity; racks and zones
// change no pod, since pods are pinned to cells.
func TestHostsAreKeptApart(t *testing.T) {
	with := func(rules ...appv1.AntiAffinity) app.Frozen {
		a := apptest.Everything()
		if a.Spec.Placement == nil {
			a.Spec.Placement = &appv1.PlacementWishes{}
		}
		a.Spec.Placement.AntiAffinity = rules
		return freeze(t, a, apptest.Bank())
	}
	digests := func(f app.Frozen) map[string]string {
		out := map[string]string{}
		for _, c := range f.Content.Components {
			out[string(c.Name)] = c.TemplateDigest
		}
		return out
	}
	before := digests(with())
	racks := with(appv1.AntiAffinity{Component: "account", From: "ledger", Scope: appv1.SpreadRack}, appv1.AntiAffinity{Component: "account", Application: "fraud", From: "model", Scope: appv1.SpreadAvailabilityZone})
	if diff := cmp.Diff(before, digests(racks)); diff != "" {
		t.Errorf("a rule about racks and zones restarts instances (-before +after):\n%s", diff)
	}
	hosts := with(appv1.AntiAffinity{Component: "account", From: "ledger"}, appv1.AntiAffinity{Component: "account", Application: "fraud", From: "model", Scope: appv1.SpreadHost})
	for name, digest := range digests(hosts) {
		if changed := digest != before[name]; changed != (name == "account") {
			t.Errorf("the template of %s changes: %v", name, changed)
		}
	}
	for _, version := range versions {
		k8s := published(t, version)
		out, err := app.Render(apptest.East(hosts.Content), k8s.served)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range objects(out) {
			if err := k8s.validate(o); err != nil {
				t.Errorf("Kubernetes %s would not take %s %s: %v", version, o.GetKind(), o.GetName(), err)
			}
		}
		text := string(narrate(t, out))
		for _, want := range []string{
			"matchLabels:\n                app.fairway.cloud/application: fraud\n                app.fairway.cloud/component: model\n            namespaces:\n            - retail-prod-fraud\n            topologyKey: kubernetes.io/hostname",
			"matchLabels:\n                app.fairway.cloud/application: mobile-bank\n                app.fairway.cloud/component: ledger\n            topologyKey: kubernetes.io/hostname",
		} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: no pod says\n%s\n%s", version, want, text)
			}
		}
		for _, w := range out.Workloads {
			for _, o := range w.Objects {
				raw := string(narrate(t, app.Output{Workloads: []app.Workload{{Objects: w.Objects}}}))
				if strings.Contains(raw, "component: model") && !strings.Contains(o.GetName(), "account") {
					t.Errorf("%s: %s %s keeps apart from the model, which only account asked for", version, o.GetKind(), o.GetName())
				}
			}
		}
	}
}

// TestCheckApart has a rule name components that are there.
func TestCheckApart(t *testing.T) {
	cases := map[string]struct {
		reason string
		rule   appv1.AntiAffinity
		want   string
	}{
		"Good":    {"two components of the application", appv1.AntiAffinity{Component: "account", From: "ledger"}, ""},
		"Other":   {"another application may come later", appv1.AntiAffinity{Component: "account", Application: "fraud", From: "model"}, ""},
		"Unknown": {"a component that is not there", appv1.AntiAffinity{Component: "acount", From: "ledger"}, `"acount", which does not exist`},
		"From":    {"nobody to keep apart from", appv1.AntiAffinity{Component: "account", From: "leger"}, `"leger", which does not exist`},
		"Itself":  {"nobody keeps apart from himself", appv1.AntiAffinity{Component: "account", From: "account"}, "use the component's maxPerHost"},
		"ByName":  {"named by its own application, too", appv1.AntiAffinity{Component: "account", Application: "mobile-bank", From: "account"}, "use the component's maxPerHost"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			a := apptest.MobileBank()
			a.Spec.Placement = &appv1.PlacementWishes{AntiAffinity: []appv1.AntiAffinity{tc.rule}}
			var got []string
			for _, f := range app.Check(a, apptest.Bank()) {
				got = append(got, f.Message)
			}
			if text := strings.Join(got, "; "); tc.want == "" && text != "" || !strings.Contains(text, tc.want) {
				t.Errorf("%s: told is %q, wanted %q", tc.reason, text, tc.want)
			}
		})
	}
}
