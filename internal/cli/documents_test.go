// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package cli

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// folder writes files and returns their folder.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const (
	aPool   = "apiVersion: fleet.fairway.cloud/v1alpha1\nkind: Pool\nmetadata: {name: p}\n"
	aTenant = "apiVersion: tenancy.fairway.cloud/v1alpha1\nkind: Tenant\nmetadata: {name: t}\n"
	anApp   = "apiVersion: app.fairway.cloud/v1alpha1\nkind: Application\nmetadata: {name: a, namespace: t-sit}\n"
	release = "apiVersion: release.fairway.cloud/v1alpha1\nkind: Release\nmetadata: {name: r, namespace: t-sit}\n"
)

func TestWhatOthersBuildOnComesFirst(t *testing.T) {
	dir := folder(t, map[string]string{
		"1.yaml": release + "---\n# only a comment\n---\n" + anApp, "2.json": `{"apiVersion":"fleet.fairway.cloud/v1alpha1","kind":"PoolList","items":[{"apiVersion":"fleet.fairway.cloud/v1alpha1","kind":"Pool","metadata":{"name":"p"}}]}`,
		"below/3.yml": aTenant, "sandbox.yaml": "apiVersion: sandbox.fairway.cloud/v1alpha1\nkind: Sandbox\n", "README.md": "no object",
	})
	r := &Reading{Paths: []string{dir}, Deep: true, Kinds: kindsOf(t)}
	documents, err := r.Documents()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range documents {
		got = append(got, d.Kind.Kind)
	}
	if diff := cmp.Diff([]string{"Tenant", "Pool", "Application", "Release"}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if len(r.Skipped()) != 1 || !strings.Contains(r.Skipped()[0], "sandbox.yaml") {
		t.Errorf("a sandbox's topology is left out and said, got %v", r.Skipped())
	}
}

func TestAllMistakesAreTold(t *testing.T) {
	for name, tc := range map[string]struct {
		reason string
		files  map[string]string
		deep   bool
		want   []string
	}{
		"several": {
			reason: "nobody likes to be told one at a time",
			files: map[string]string{
				"a.yaml": "kind: Pool\n---\n" + strings.Replace(aPool, "Pool", "Pond", 1) + "---\nhello\n",
				"b.yaml": strings.Replace(anApp, ", namespace: t-sit", "", 1) + "---\n" + strings.Replace(aPool, "name: p", "name: p, namespace: x", 1),
			},
			want: []string{
				"a.yaml, document 1: apiVersion, kind and metadata.name are needed",
				"a.yaml, document 2: the server knows no Pond of fleet.fairway.cloud/v1alpha1",
				"a.yaml, document 3: it is no object",
				`b.yaml, document 1: application "a" says no namespace; write metadata.namespace or give -n`,
				"b.yaml, document 2: metadata.namespace: leave it out, a pool belongs to no namespace",
			},
		},
		"twice":   {reason: "which one is meant?", files: map[string]string{"a.yaml": aPool, "b.yaml": aPool}, want: []string{`b.yaml, document 1: pool "p" is there twice, first in DIR/a.yaml, document 1`}},
		"field":   {reason: "two parsers read two things", files: map[string]string{"a.yaml": aPool + "kind: Pool\n"}, want: []string{`already set in map`}},
		"version": {reason: "the right one is named", files: map[string]string{"a.yaml": strings.Replace(aPool, "v1alpha1", "v2", 1)}, want: []string{"write apiVersion: fleet.fairway.cloud/v1alpha1"}},
		"made":    {reason: "what Fairway makes nobody writes", files: map[string]string{"a.yaml": strings.ReplaceAll(anApp, "Application", "Revision")}, want: []string{"a revision is made by Fairway, not by hand"}},
		"empty":   {reason: "the folders below may be meant", files: map[string]string{"below/a.yaml": aPool}, want: []string{"-R looks into the folders below too"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := folder(t, tc.files)
			_, err := (&Reading{Paths: []string{dir}, Deep: tc.deep, Kinds: kindsOf(t)}).Documents()
			var f *Failure
			if !errors.As(err, &f) || f.Exit != ExitInvalid {
				t.Fatalf("%s: want exit %d, got %v", tc.reason, ExitInvalid, err)
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), strings.ReplaceAll(want, "DIR", dir)) {
					t.Errorf("%s: lacks %q:\n%v", tc.reason, want, err)
				}
			}
			if len(tc.want) > 1 && len(f.Details) != len(tc.want) {
				t.Errorf("%s: want %d mistakes, got %d", tc.reason, len(tc.want), len(f.Details))
			}
		})
	}
}

const appSchema = `{"components":{"schemas":{"app.Application":{"type":"object","properties":{
 "apiVersion":{"type":"string"},"kind":{"type":"string","const":"Application"},"metadata":{"type":"object"},
 "spec":{"type":"object","required":["level","mode"],"properties":{
  "level":{"type":"string"},"mode":{"type":"string","default":"A","enum":["A","B"]},
  "size":{"type":["integer","string"]},"labels":{"type":"object","additionalProperties":{"type":"string"}},
  "free":{"type":"object","x-kubernetes-preserve-unknown-fields":true},
  "components":{"type":"array","items":{"type":"object","properties":{"image":{"type":"string"},"count":{"type":"integer"}}}}}}}}}}}`

func TestFieldsAreChecked(t *testing.T) {
	for name, tc := range map[string]struct{ reason, spec, want string }{
		"right":    {"nothing to say", "{level: l3, size: 20m, labels: {x: z}, free: {any: [1]}, components: [{image: a, count: 2}]}", ""},
		"unknown":  {"with path and what may be meant", "{level: l3, components: [{image: a}, {imagge: b}]}", `spec.components[1].imagge: no such field; do you mean "image"?`},
		"stranger": {"with what lists the fields", "{level: l3, colour: red}", `spec.colour: no such field; "fairway explain" lists those that there are`},
		"missing":  {"what has a default may be left out", "{}", "spec.level: it is needed"},
		"type":     {"with what is there", `{level: l3, components: [{count: "2"}]}`, `spec.components[0].count: must be integer, it is the text "2"`},
		"boolean":  {"YAML's own trap", "{level: yes}", "quote it to make it text"},
		"value":    {"with the values that there are", "{level: l3, mode: C}", `spec.mode: "C" is not one of A, B`},
		"map":      {"free names, bound values", "{level: l3, labels: {x: 1}}", "spec.labels.x: must be string, it is the number 1"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := folder(t, map[string]string{"a.yaml": anApp + "spec: " + tc.spec + "\n"})
			_, err := (&Reading{Paths: []string{dir}, Kinds: kindsOf(t), OpenAPI: objectOf(t, appSchema)}).Documents()
			switch {
			case tc.want == "" && err != nil:
				t.Errorf("%s: got %v", tc.reason, err)
			case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
				t.Errorf("%s: want %q, got %v", tc.reason, tc.want, err)
			}
		})
	}
}
