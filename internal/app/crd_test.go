// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package app_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	extensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apimachinery/pkg/runtime"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app"
	"github.com/fairway-cloud/fairway/internal/app/apptest"
)

// structural reads the schema of a kind as the hub's API server does.
func structural(t *testing.T, plural string) *structuralschema.Structural {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "config", "crd", "app.fairway.cloud_"+plural+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var crd extensionsv1.CustomResourceDefinition
	if err := yaml.UnmarshalStrict(raw, &crd); err != nil {
		t.Fatal(err)
	}
	var props apiextensions.JSONSchemaProps
	if err := extensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(crd.Spec.Versions[0].Schema.OpenAPIV3Schema, &props, nil); err != nil {
		t.Fatal(err)
	}
	s, err := structuralschema.NewStructural(&props)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func toMap(t *testing.T, v any) map[string]any {
	t.Helper()
	raw, err := runtime.DefaultUnstructuredConverter.ToUnstructured(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestDefaultsAgree holds the defaults of the schema and those of this package together: an
// application gives the same Revision whether or not the hub has filled in its defaults.
func TestDefaultsAgree(t *testing.T) {
	for name, a := range map[string]*appv1.Application{"MobileBank": apptest.MobileBank(), "Everything": apptest.Everything()} {
		t.Run(name, func(t *testing.T) {
			raw := toMap(t, a)
			defaulting.Default(raw, structural(t, "applications"))
			var filled appv1.Application
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(raw, &filled); err != nil {
				t.Fatal(err)
			}
			if cmp.Equal(a.Spec, filled.Spec) {
				t.Error("the schema fills in nothing")
			}
			bare, full := freeze(t, a, apptest.Bank()), freeze(t, &filled, apptest.Bank())
			if diff := cmp.Diff(bare.Text, full.Text); diff != "" {
				t.Errorf("defaults are part of the content (-without +with):\n%s", diff)
			}
			// And this package fills in what the schema does.
			if diff := cmp.Diff(full.Content.Spec.Components[0].Probes, bare.Content.Spec.Components[0].Probes); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestRules holds each rule of the schema to its sentence.
func TestRules(t *testing.T) {
	set := func(component string, change func(*appv1.Component)) func(*appv1.Application) {
		return func(a *appv1.Application) { apptest.With(component, change)(a) }
	}
	cases := map[string]struct {
		reason string
		change func(*appv1.Application)
		want   string
	}{
		"Good":       {"the example is valid", func(*appv1.Application) {}, ""},
		"Name":       {"a long name is refused", func(a *appv1.Application) { a.Name = strings.Repeat("a", 25) }, "at most 24 characters"},
		"Letters":    {"a name begins with a letter", func(a *appv1.Application) { a.Name = "1bank" }, "begins with a letter"},
		"Exposure":   {"an exposed component exists", func(a *appv1.Application) { a.Spec.Exposure[0].Component = "gone" }, "the application does not have"},
		"Schedule":   {"a schedule needs kind Cron", set("account", func(c *appv1.Component) { c.Schedule = &appv1.Schedule{Cron: "0 1 * * *"} }), "belong together"},
		"NoSchedule": {"kind Cron needs a schedule", set("nightly", func(c *appv1.Component) { c.Schedule = nil }), "belong together"},
		"Job":        {"job bounds need kind Job or Cron", set("account", func(c *appv1.Component) { c.Job = &appv1.JobBounds{} }), "only for kinds Job and Cron"},
		"OneCell":    {"a job runs in one DCN", set("migrate", func(c *appv1.Component) { c.Instances = append(c.Instances, appv1.InstanceCount{DCN: "dcn-west-1"}) }), "name one DCN"},
		"Both": {"instances and split exclude each other", set("account", func(c *appv1.Component) {
			c.Split = &appv1.Split{Total: 2, DCNs: []appv1.DCNShare{{DCN: "d", Weight: 1}}}
		}), "give either instances"},
		"Clusters": {"clusters add up", set("account", func(c *appv1.Component) {
			c.Instances[0].Clusters = []appv1.ClusterCount{{Cluster: "east-1", Count: c.Instances[0].Count - 1}}
		}), "must add up to count"},
		"GoodClusters": {"clusters that add up are valid", set("account", func(c *appv1.Component) {
			c.Instances[0].Clusters = []appv1.ClusterCount{{Cluster: "east-1", Count: c.Instances[0].Count}, {Cluster: "east-2"}}
		}), ""},
		"NoParts":      {"a total is divided over something", set("account", func(c *appv1.Component) { c.Instances, c.Split = nil, &appv1.Split{Total: 2} }), "give one of regions, dataCenters and dcns"},
		"Scaling":      {"a stateful component cannot be autoscaled", set("ledger", func(c *appv1.Component) { c.Autoscaling = &appv1.Autoscaling{Min: 1, Max: 2} }), "only a component of kind Service"},
		"ScalingFixed": {"a component with identity cannot be autoscaled", set("channel", func(c *appv1.Component) { c.Identity = appv1.IdentityFixed }), "fixed identity"},
		"Bounds":       {"bounds are in order", set("channel", func(c *appv1.Component) { c.Autoscaling.Min = 7 }), "greater than max"},
		"Stateful":     {"a stateful component has identity", set("ledger", func(c *appv1.Component) { c.Identity = appv1.IdentityReplaceable }), "has fixed identity"},
		"Local":        {"precious local data needs identity", set("channel", func(c *appv1.Component) { c.Volumes[0].Data = appv1.DataPrecious }), "belongs to one instance"},
		"Memory":       {"only ephemeral volumes are in memory", set("ledger", func(c *appv1.Component) { c.Volumes[0].Medium = appv1.MediumMemory }), "can be in memory"},
		"Size":         {"a volume has a size", set("ledger", func(c *appv1.Component) { c.Volumes[0].Size = nil }), "give the size"},
		"Probe":        {"a probe asks in one way", set("account", func(c *appv1.Component) { c.Probes.Liveness.TCP = &appv1.TCPProbe{Port: "http"} }), "exactly one of http, tcp and exec"},
		"Env":          {"a variable has one source", set("account", func(c *appv1.Component) { c.Env[0].Value = nil }), "either value or secret"},
		"Reserved":     {"the platform's names are its own", set("account", func(c *appv1.Component) { c.Env[0].Name = "FAIRWAY_DCN" }), "set by the platform"},
		"Dependency":   {"a dependency is one thing", set("account", func(c *appv1.Component) { c.DependsOn[0].Binding = "customer-db" }), "either component or binding"},
		"NoPort":       {"a dependency on a component names its port", set("account", func(c *appv1.Component) { c.DependsOn[0].Port = "" }), "which port"},
		"Binding":      {"a binding has an address", func(a *appv1.Application) { a.Spec.Bindings[0].Networks = nil }, "give address and the networks"},
		"LogPath":      {"a log file has a path", set("account", func(c *appv1.Component) { c.Logs[1].Path = "" }), "path and source File belong together"},
		"Resources":    {"a size is whole", set("account", func(c *appv1.Component) { c.Resources.Class = "" }), "either class, or both cpu and memory"},
		"Layer":        {"a host needs layer L7", func(a *appv1.Application) { a.Spec.Exposure[0].Host = "m.bank" }, "need layer L7"},
		"Cookie":       {"cookies need layer L7", func(a *appv1.Application) { a.Spec.Exposure[0].Affinity = appv1.AffinityCookie }, "affinity Cookie needs layer L7"},
	}
	schema := structural(t, "applications")
	validator := cel.NewValidator(schema, true, celconfig.PerCallLimit)
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			a := apptest.Everything()
			tc.change(a)
			raw := toMap(t, a)
			defaulting.Default(raw, schema)
			errs, _ := validator.Validate(t.Context(), nil, schema, raw, nil, celconfig.RuntimeCELCostBudget)
			got := errs.ToAggregate()
			if (got == nil) != (tc.want == "") || got != nil && !strings.Contains(got.Error(), tc.want) {
				t.Errorf("%s: got %v, want %q", tc.reason, got, tc.want)
			}
		})
	}
}

func TestRevisionNeverChanges(t *testing.T) {
	frozen := freeze(t, apptest.MobileBank(), apptest.Bank())
	schema := structural(t, "revisions")
	validator := cel.NewValidator(schema, true, celconfig.PerCallLimit)
	revision := func() *appv1.Revision {
		r := &appv1.Revision{Spec: appv1.RevisionSpec{Application: "mobile-bank", Content: frozen.Text, Digest: frozen.Digest, Makers: []string{"p-1"}}}
		r.Name = app.RevisionName("mobile-bank", frozen.Digest)
		return r
	}
	cases := map[string]struct {
		reason, want string
		change       func(*appv1.Revision)
	}{
		"Good":    {"an untouched revision is valid", "", func(*appv1.Revision) {}},
		"Name":    {"the name holds the digest", "is named", func(r *appv1.Revision) { r.Name = "mobile-bank-0000000000" }},
		"Content": {"content never changes", "never changes", func(r *appv1.Revision) { r.Spec.Content += " " }},
		"Makers":  {"nor do its makers", "never changes", func(r *appv1.Revision) { r.Spec.Makers = nil }},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r := revision()
			tc.change(r)
			errs, _ := validator.Validate(t.Context(), nil, schema, toMap(t, r), toMap(t, revision()), celconfig.RuntimeCELCostBudget)
			got := errs.ToAggregate()
			if (got == nil) != (tc.want == "") || got != nil && !strings.Contains(got.Error(), tc.want) {
				t.Errorf("%s: got %v, want %q", tc.reason, got, tc.want)
			}
		})
	}
}
