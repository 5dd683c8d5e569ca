// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package app_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app"
	"github.com/fairway-cloud/fairway/internal/app/apptest"
)

func TestDiff(t *testing.T) {
	cases := map[string]struct {
		reason string
		change func(*appv1.Application, *app.World)
		want   []string
	}{
		"Nothing": {"equal contents have no differences", func(*appv1.Application, *app.World) {}, nil},
		"Image": {"a new image is told with the component that restarts", func(a *appv1.Application, _ *app.World) {
			apptest.With("account", func(c *appv1.Component) { c.Image = "registry.bank:5000/mobile-bank/account:1.1" })(a)
		}, []string{"components[account].image: registry.bank:5000/mobile-bank/account@" + apptest.Digest("7") + " -> registry.bank:5000/mobile-bank/account@" + apptest.Digest("8") + " (restarts account)"}},
		"Count": {"a count restarts nothing", func(a *appv1.Application, _ *app.World) {
			apptest.With("account", func(c *appv1.Component) { c.Instances[1].Count = 4 })(a)
		}, []string{"components[account].instances[dcn-west-1].count: 2 -> 4"}},
		"Binding": {"a binding restarts who uses it", func(a *appv1.Application, _ *app.World) { a.Spec.Bindings[0].Port = 1522 },
			[]string{"bindings[customer-db].port: 1521 -> 1522 (restarts account)"}},
		"Removed": {"what is gone is told as gone", func(a *appv1.Application, _ *app.World) { a.Spec.PullSecret = "" },
			[]string{"pullSecret: - registry (restarts account, channel, ledger, migrate, nightly)"}},
		"File": {"long text is told by size and digest", func(a *appv1.Application, _ *app.World) {
			apptest.With("account", func(c *appv1.Component) { c.Configuration[0].Files[0].Content = "{}\n" })(a)
		}, []string{"components[account].configuration[limits].files[limits.json].content: 2 lines, 22 bytes, 4c940ea82366 -> 2 lines, 3 bytes, ca3d163bab05"}},
		"Rule": {"a hardening rule is told for each component", func(_ *appv1.Application, w *app.World) {
			w.Levels[1].Exceptions = []app.Exception{{Name: "x", Rule: app.RunAsNonRoot, Tenant: "retail", Application: "mobile-bank", Component: "channel", ExpiresAt: apptest.Now.Add(time.Hour)}}
		}, []string{"hardening[channel]: DropAllCapabilities, NoHostNamespaces, NoPrivilegeEscalation, NoServiceAccountToken, ReadOnlyRootFilesystem, RunAsNonRoot, SeccompDefault -> DropAllCapabilities, NoHostNamespaces, NoPrivilegeEscalation, NoServiceAccountToken, ReadOnlyRootFilesystem, SeccompDefault (restarts channel)"}},
	}
	before := freeze(t, apptest.Everything(), apptest.Bank())
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			a, w := apptest.Everything(), apptest.Bank()
			tc.change(a, &w)
			changes, err := app.Diff(before.Content, freeze(t, a, w).Content)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, c := range changes {
				got = append(got, c.String())
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

const smallest = `apiVersion: app.fairway.cloud/v1alpha1
kind: Application
metadata: {name: x}
spec:
  identity: {system: S, code: C, displayName: Name, owner: O}
  securityLevel: l
  availabilityClass: c
  components: [{name: a, image: r/a:1, zone: z}]
`

func TestDecodeStrict(t *testing.T) {
	cases := map[string]struct{ reason, text, want string }{
		"Good":        {"a well-formed application is read", smallest, ""},
		"Marker":      {"a leading document marker is allowed", "---\n" + smallest, ""},
		"Unknown":     {"an unknown field is named", strings.Replace(smallest, "securityLevel: l", "securityLevel: l\n  colour: red", 1), `unknown field "spec.colour"`},
		"Case":        {"a field in other letters is unknown", strings.Replace(smallest, "securityLevel", "SecurityLevel", 1), `unknown field "spec.SecurityLevel"`},
		"Twice":       {"a field that is there twice is refused", smallest + "  securityLevel: m\n", "already set"},
		"Two":         {"two documents are refused", smallest + "---\n" + smallest, "several documents"},
		"Windows":     {"two documents with carriage returns are refused", strings.ReplaceAll(smallest+"---\n"+smallest, "\n", "\r\n"), "several documents"},
		"Dots":        {"text after the end of a document is refused", smallest + "...\n" + smallest, "several documents"},
		"Kind":        {"another kind is refused", strings.Replace(smallest, "kind: Application", "kind: Revision", 1), "expected Application"},
		"Type":        {"a wrong type is refused", strings.Replace(smallest, "zone: z", "zone: [z]", 1), "could not read"},
		"Empty":       {"nothing is refused", "", "expected Application"},
		"Large":       {"too much is refused before it is read", strings.Repeat("a", 2<<20), "may have"},
		"AliasBomb":   {"an alias bomb is refused", "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\ng: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f]\nh: [*g,*g,*g,*g,*g,*g,*g,*g,*g]\n", "could not read"},
		"NotAnObject": {"a list is refused", "- a\n- b\n", "could not read"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := app.DecodeStrict([]byte(tc.text))
			if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s: DecodeStrict() = %v, want %q", tc.reason, err, tc.want)
			}
		})
	}
}

func FuzzDecodeStrict(f *testing.F) {
	f.Add(smallest)
	f.Add("{}")
	f.Add("a: &a [*a]")
	f.Fuzz(func(t *testing.T, text string) {
		a, err := app.DecodeStrict([]byte(text))
		if err != nil {
			return
		}
		// What was read reads again as the same.
		raw, err := yaml.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		again, err := app.DecodeStrict(raw)
		if err != nil {
			t.Fatalf("could not read again: %v\n%s", err, raw)
		}
		if diff := cmp.Diff(a, again); diff != "" {
			t.Fatal(diff)
		}
		app.Check(a, apptest.Bank())
		app.NotCarriedOut(a.Spec)
	})
}

// TestExampleBank holds the example applications to the checks of the example world.
func TestExampleBank(t *testing.T) {
	root := filepath.Join("..", "..", "examples", "bank")
	files, err := filepath.Glob(filepath.Join(root, "applications", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no example applications: %v", err)
	}
	defined := exampleWorld(t, filepath.Join(root, "world"))
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			a, err := app.DecodeStrict(text)
			if err != nil {
				t.Fatal(err)
			}
			tenant, environment, _ := strings.Cut(a.Namespace, "-")
			for _, e := range defined.environments {
				if e.Name == environment {
					defined.Environment = e
				}
			}
			w := app.WorldOf(tenant, defined.Defined, apptest.Now)
			if findings := app.Check(a, w); app.Blocks(findings) {
				t.Errorf("%+v", findings)
			}
			freeze(t, a, w)
		})
	}
}

type example struct {
	app.Defined
	environments []tenancyv1.Environment
}

func exampleWorld(t *testing.T, folder string) example {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var out example
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, document := range strings.Split(string(text), "\n---\n") {
			var head struct{ Kind string }
			if err := yaml.Unmarshal([]byte(document), &head); err != nil {
				t.Fatal(err)
			}
			switch head.Kind {
			case "Environment":
				read(t, document, &out.environments)
			case "SecurityLevel":
				read(t, document, &out.Levels)
			case "AvailabilityClass":
				read(t, document, &out.Classes)
			case "NetworkZone":
				read(t, document, &out.Zones)
			case "Pool":
				read(t, document, &out.Pools)
			case "DCN":
				read(t, document, &out.DCNs)
			}
		}
	}
	return out
}

func read[T any](t *testing.T, document string, into *[]T) {
	t.Helper()
	var v T
	if err := yaml.UnmarshalStrict([]byte(document), &v); err != nil {
		t.Fatal(err)
	}
	*into = append(*into, v)
}
