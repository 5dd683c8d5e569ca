// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package app_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairway-cloud/fairway/internal/app"
	"github.com/fairway-cloud/fairway/internal/app/apptest"
)

// told has the registry say what account's image runs on.
func told(w *app.World, architectures ...string) {
	w.Images["registry.bank:5000/mobile-bank/account:1.0"] = app.ImageFacts{User: "65532", Architectures: architectures}
}

func TestCheckProcessors(t *testing.T) {
	mixed := map[string]int{"amd64": 8, "arm64": 12, "": 1}
	cases := map[string]struct {
		reason string
		hosts  map[string]int
		on     []string
		want   []string
	}{
		"All":      {"an image for every processor of its pools is good", map[string]int{"amd64": 8, "arm64": 12}, []string{"amd64", "arm64", "loong64"}, nil},
		"One":      {"hosts that cannot take it are told with their number", mixed, []string{"amd64"}, []string{`Warning MissingProcessor account: image "registry.bank:5000/mobile-bank/account:1.0" runs on amd64, so 1 host of architecture unknown, 12 hosts of architecture arm64 of its pools cannot take it; build it for these as well, to use them all`}},
		"NoHosts":  {"pools that say nothing of their hosts are not judged", nil, []string{"amd64"}, nil},
		"Silent":   {"an image that says nothing is told where hosts differ", map[string]int{"amd64": 8, "arm64": 12}, nil, []string{`Warning MissingProcessor account: image "registry.bank:5000/mobile-bank/account:1.0" does not say which processors it runs on, and its pools have 8 hosts of architecture amd64, 12 hosts of architecture arm64; build it so that it says, or it may be put where it does not start`}},
		"SilentOK": {"and is good where they do not", map[string]int{"amd64": 8}, nil, nil},
		"Foreign":  {"an image for other processors is refused by name", mixed, []string{"mips64le", "windows-amd64"}, []string{`Error UnsupportedProcessor account: image "registry.bank:5000/mobile-bank/account:1.0" runs on mips64le, windows-amd64, and Fairway places on amd64, arm64, loong64; build it for one of these`}},
		"Wide":     {"others beside ours do no harm", map[string]int{"amd64": 8}, []string{"386", "amd64", "arm", "mips64le", "ppc64le", "riscv64", "s390x"}, nil},
	}
	for label, tc := range cases {
		t.Run(label, func(t *testing.T) {
			a, w := apptest.MobileBank(), apptest.Bank()
			told(&w, tc.on...)
			for i := range w.Pools {
				if w.Pools[i].Name != "retail-core" { // of no matter to account
					w.Pools[i].Hosts = tc.hosts
				}
			}
			var got []string
			for _, f := range app.Check(a, w) {
				got = append(got, string(f.Severity)+" "+f.Rule+" "+f.Component+": "+f.Message)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
			if _, err := app.Freeze(a, apptest.Images(a), w); (err != nil) != (label == "Foreign") {
				t.Errorf("%s: Freeze: %v", tc.reason, err)
			}
		})
	}
}

// TestProcessorsAreFrozen follows what the registry told into the content, the template and
// the pods; a content without it is what it was before images were asked.
func TestProcessorsAreFrozen(t *testing.T) {
	a, w := apptest.Everything(), apptest.Bank()
	before := freeze(t, a, w)
	told(&w, "s390x", "loong64", "amd64")
	after := freeze(t, a, w)
	if strings.Contains(before.Text, "architectures") {
		t.Error("a content of images that nobody asked about names architectures")
	}
	i := slices.IndexFunc(after.Content.Components, func(f app.FrozenComponent) bool { return f.Name == "account" })
	if diff := cmp.Diff([]string{"amd64", "loong64"}, after.Content.Components[i].Architectures); diff != "" {
		t.Errorf("what is frozen (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"account"}, app.Restarting(before.Content, after.Content)); diff != "" {
		t.Errorf("it restarts its component alone (-want +got):\n%s", diff)
	}
	changes, err := app.Diff(before.Content, after.Content)
	if err != nil {
		t.Fatal(err)
	}
	if want := []app.Change{{Path: "processors[account]", After: "amd64, loong64", Restarts: []string{"account"}}}; !cmp.Equal(want, changes) {
		t.Errorf("the difference is told (-want +got):\n%s", cmp.Diff(want, changes))
	}
	served := published(t, "v1.36.3").served
	plain, err := app.Render(apptest.East(before.Content), served)
	if err != nil {
		t.Fatal(err)
	}
	out, err := app.Render(apptest.East(after.Content), served)
	if err != nil {
		t.Fatal(err)
	}
	for k, workload := range out.Workloads {
		terms := requirements(t, workload)
		wish := map[string]any{"key": corev1.LabelArchStable, "operator": "In", "values": []any{"amd64", "loong64"}}
		has := slices.ContainsFunc(terms, func(r any) bool { return cmp.Equal(r, any(wish)) })
		if has != (workload.Component == "account") || len(terms) < 2 {
			t.Errorf("%s of component %s is pinned by %v", workload.Name, workload.Component, terms)
		}
		if workload.Component != "account" && !cmp.Equal(workload, plain.Workloads[k]) {
			t.Errorf("another component changed:\n%s", cmp.Diff(plain.Workloads[k], workload))
		}
	}
}

func requirements(t *testing.T, w app.Workload) []any {
	t.Helper()
	o := w.Objects[len(w.Objects)-1]
	path := []string{"spec", "template", "spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms"}
	if w.Kind == "CronJob" {
		path = append([]string{"spec", "jobTemplate"}, path...)
	}
	terms, _, err := unstructured.NestedSlice(o.Object, path...)
	if err != nil || len(terms) != 1 {
		t.Fatalf("%s: %v, %v", w.Name, terms, err)
	}
	out, _, err := unstructured.NestedSlice(terms[0].(map[string]any), "matchExpressions")
	if err != nil {
		t.Fatal(err)
	}
	return out
}
