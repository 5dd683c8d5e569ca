// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package app_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	openapi_v2 "github.com/google/gnostic-models/openapiv2"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/kube-openapi/pkg/schemaconv"
	"k8s.io/kube-openapi/pkg/util/proto"
	"sigs.k8s.io/structured-merge-diff/v6/typed"

	"github.com/fairway-cloud/fairway/internal/app"
)

// release is a published version of Kubernetes: its schema, as its Go module carries it.
type release struct {
	served      app.Served
	parser      *typed.Parser
	names       map[string]string // "apps/v1/Deployment" -> name of the schema
	definitions map[string]definition
}

type definition struct {
	Required   []string `json:"required"`
	Properties map[string]struct {
		Reference string `json:"$ref"`
		Items     struct {
			Reference string `json:"$ref"`
		} `json:"items"`
	} `json:"properties"`
	Kinds []struct{ Group, Version, Kind string } `json:"x-kubernetes-group-version-kind"`
}

var (
	releasesLock sync.Mutex
	releases     = map[string]*release{}
)

// published reads the schema of a version of Kubernetes from its module, which "go mod
// download" fetches where it is not there yet.
func published(t testing.TB, version string) *release {
	t.Helper()
	releasesLock.Lock()
	defer releasesLock.Unlock()
	if r, ok := releases[version]; ok {
		return r
	}
	download := exec.Command("go", "mod", "download", "-json", "k8s.io/kubernetes@"+version)
	out, err := download.Output()
	if err != nil {
		t.Fatalf("could not get the schema of Kubernetes %s: %v", version, err)
	}
	var module struct{ Dir string }
	if err := json.Unmarshal(out, &module); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(module.Dir, "api", "openapi-spec", "swagger.json"))
	if err != nil {
		t.Fatal(err)
	}
	r := &release{names: map[string]string{}}
	if r.served, err = app.ReadServed(version, raw); err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Definitions map[string]definition `json:"definitions"`
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	r.definitions = doc.Definitions
	for name, d := range doc.Definitions {
		for _, k := range d.Kinds {
			if len(d.Kinds) == 1 {
				r.names[strings.TrimPrefix(k.Group+"/"+k.Version+"/"+k.Kind, "/")] = name
			}
		}
	}
	parsed, err := openapi_v2.ParseDocument(onlyDefinitions(t, raw))
	if err != nil {
		t.Fatal(err)
	}
	models, err := proto.NewOpenAPIData(parsed)
	if err != nil {
		t.Fatal(err)
	}
	schema, err := schemaconv.ToSchema(models)
	if err != nil {
		t.Fatal(err)
	}
	r.parser = &typed.Parser{}
	schema.CopyInto(&r.parser.Schema)
	releases[version] = r
	return r
}

// onlyDefinitions leaves the paths out, which are most of the text.
func onlyDefinitions(t testing.TB, raw []byte) []byte {
	t.Helper()
	var doc map[string]json.RawMessage
	if err := json.NewDecoder(bytes.NewReader(raw)).Decode(&doc); err != nil {
		t.Fatal(err)
	}
	doc["paths"] = json.RawMessage("{}")
	out, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// validate says what the published schema of a version has against an object: unknown
// fields, wrong types, missing required fields.
func (r *release) validate(o unstructured.Unstructured) error {
	name, ok := r.names[o.GetAPIVersion()+"/"+o.GetKind()]
	if !ok {
		return fmt.Errorf("%s %s is not a published kind", o.GetAPIVersion(), o.GetKind())
	}
	if _, err := r.parser.Type(name).FromUnstructured(o.Object); err != nil {
		return err
	}
	return r.complete(name, o.Object, "")
}

func (r *release) complete(name string, v map[string]any, at string) error {
	d := r.definitions[name]
	for _, field := range d.Required {
		if _, ok := v[field]; !ok {
			return fmt.Errorf("%s.%s is required", at, field)
		}
	}
	for field, p := range d.Properties {
		switch value := v[field].(type) {
		case map[string]any:
			if p.Reference != "" {
				if err := r.complete(strings.TrimPrefix(p.Reference, "#/definitions/"), value, at+"."+field); err != nil {
					return err
				}
			}
		case []any:
			for i, item := range value {
				if m, ok := item.(map[string]any); ok && p.Items.Reference != "" {
					if err := r.complete(strings.TrimPrefix(p.Items.Reference, "#/definitions/"), m, fmt.Sprintf("%s.%s[%d]", at, field, i)); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}
