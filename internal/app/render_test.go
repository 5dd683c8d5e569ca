// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package app_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/fairway-cloud/fairway/internal/app"
	"github.com/fairway-cloud/fairway/internal/app/apptest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// versions are those that golden files are kept for: the same intent, different versions.
var versions = []string{"v1.16.15", "v1.22.17", "v1.29.15", "v1.36.3"}

func TestRenderGolden(t *testing.T) {
	application := apptest.Everything()
	world := apptest.Bank()
	world.SecretVersions = map[string]string{"signing": "7", "tls": "3"}
	frozen, err := app.Freeze(application, apptest.Images(application), world)
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range versions {
		t.Run(version, func(t *testing.T) {
			k8s := published(t, version)
			out, err := app.Render(apptest.East(frozen.Content), k8s.served)
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range objects(out) {
				if err := k8s.validate(o); err != nil {
					t.Errorf("Kubernetes %s would not take %s %s: %v", version, o.GetKind(), o.GetName(), err)
				}
			}
			golden(t, filepath.Join("testdata", "mobile-bank-"+version+".yaml"), narrate(t, out))
		})
	}
}

// objects are all objects of an output, in the order to apply them.
func objects(out app.Output) []unstructured.Unstructured {
	all := append([]unstructured.Unstructured{}, out.Shared...)
	for _, w := range out.Workloads {
		all = append(all, w.Objects...)
	}
	return all
}

func narrate(t *testing.T, out app.Output) []byte {
	t.Helper()
	var b bytes.Buffer
	for _, r := range out.Reasons {
		fmt.Fprintf(&b, "# %s\n", r)
	}
	for _, s := range out.Secrets {
		fmt.Fprintf(&b, "# Secret %s as %s\n", s.Name, s.MemberName)
	}
	for _, o := range objects(out) {
		raw, err := yaml.Marshal(o.Object)
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString("---\n")
		b.Write(raw)
	}
	return b.Bytes()
}

func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")); diff != "" {
		t.Errorf("%s differs; if that is meant, run with -update (-want +got):\n%s", path, diff)
	}
}

// TestValidatorSeesFaults holds the validator itself: it must refuse what a version lacks.
func TestValidatorSeesFaults(t *testing.T) {
	cases := map[string]struct {
		reason, version string
		object          map[string]any
		want            string
	}{
		"UnknownField": {"a field that no version has is refused", "v1.36.3", map[string]any{
			"apiVersion": "v1", "kind": "ServiceAccount", "metadata": map[string]any{"name": "x"}, "token": "no",
		}, "field not declared"},
		"LaterField": {"a field of a later version is refused by an earlier one", "v1.16.15", map[string]any{
			"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "x"}, "immutable": true,
		}, "field not declared"},
		"LaterKind": {"a kind of a later version is refused by an earlier one", "v1.16.15", map[string]any{
			"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": map[string]any{"name": "x"},
		}, "not a published kind"},
		"Missing": {"a required field that is missing is seen", "v1.29.15", map[string]any{
			"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": "x"},
			"spec": map[string]any{"template": map[string]any{}},
		}, "selector is required"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			err := published(t, tc.version).validate(unstructured.Unstructured{Object: tc.object})
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s: validate() = %v, want %q", tc.reason, err, tc.want)
			}
		})
	}
}
