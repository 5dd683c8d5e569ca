// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package observed_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/config"
	"github.com/fairway-cloud/fairway/internal/placement"
	"github.com/fairway-cloud/fairway/internal/placement/observed"
)

func policy(name string, spec placementv1.PlacementPolicySpec) placementv1.PlacementPolicy {
	return placementv1.PlacementPolicy{ObjectMeta: metav1.ObjectMeta{Name: name, Generation: 4}, Spec: spec}
}

func world(policies ...placementv1.PlacementPolicy) observed.World {
	var w observed.World
	for name, class := range map[string]tenancyv1.EnvironmentClass{"prod": tenancyv1.ClassProduction, "uat": tenancyv1.ClassTest} {
		w.Environments.Items = append(w.Environments.Items, tenancyv1.Environment{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: tenancyv1.EnvironmentSpec{Class: class}})
	}
	w.Policies.Items = policies
	return w
}

// The closest policy holds, alone.
func TestPolicyFor(t *testing.T) {
	everywhere := policy("a-bank", placementv1.PlacementPolicySpec{})
	class := policy("class", placementv1.PlacementPolicySpec{EnvironmentClasses: []tenancyv1.EnvironmentClass{tenancyv1.ClassProduction}})
	named := policy("named", placementv1.PlacementPolicySpec{Environments: []string{"prod"}})
	other := policy("b-other", placementv1.PlacementPolicySpec{Environments: []string{"prod"}})
	for name, c := range map[string]struct {
		policies    []placementv1.PlacementPolicy
		environment string
		want        string
	}{
		"none":                    {nil, "prod", placementv1.PolicyBuiltIn},
		"everywhere":              {[]placementv1.PlacementPolicy{everywhere}, "prod", "a-bank"},
		"class before everywhere": {[]placementv1.PlacementPolicy{everywhere, class}, "prod", "class"},
		"name before class":       {[]placementv1.PlacementPolicy{class, named, everywhere}, "prod", "named"},
		"ties by name":            {[]placementv1.PlacementPolicy{named, other}, "prod", "b-other"},
		"another environment":     {[]placementv1.PlacementPolicy{class, named}, "uat", placementv1.PolicyBuiltIn},
		"an unknown environment":  {[]placementv1.PlacementPolicy{class, named}, "sit", placementv1.PolicyBuiltIn},
	} {
		t.Run(name, func(t *testing.T) {
			_, by, err := world(c.policies...).Policy(c.environment)
			if err != nil || by.Name != c.want {
				t.Errorf("policy %q holds, want %q (%v)", by.Name, c.want, err)
			}
		})
	}
}

// A policy says what differs, and a Placement names all of it.
func TestPolicySaysWhatDiffers(t *testing.T) {
	spare := int32(4)
	p, by, err := world(policy("bank", placementv1.PlacementPolicySpec{
		Weights:   []placementv1.Weight{{Score: placementv1.ScoreRoom, Weight: 77}, {Score: placementv1.ScoreKnownCell, Weight: 0}},
		Apart:     []placementv1.Apart{{Tag: "x", Other: "y", Price: 3}},
		SpareFrom: &spare,
	})).Policy("prod")
	if err != nil {
		t.Fatal(err)
	}
	builtIn, none, err := world().Policy("prod")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int64{}
	for i, s := range p.Scores {
		got[s.Name] = s.Weight
		if builtIn.Scores[i].Name != s.Name {
			t.Errorf("score %d is %s, not %s", i, s.Name, builtIn.Scores[i].Name)
		}
	}
	if want := map[string]int64{"PreferredPool": 1_000_000, "SpreadOverZones": 100_000, "SpreadOverRacks": 50_000, "KnownCell": 0, "Profile": 5_000, "NearCalled": 2_000, "Room": 77}; !cmp.Equal(got, want) {
		t.Errorf("the weights are %v", got)
	}
	if p.SpareFrom != 4 || !slices.Equal(p.Apart, []placement.Apart{{Tag: "x", Other: "y", Price: 3}}) {
		t.Errorf("the policy is %+v", p)
	}
	if by.Generation != 4 || by.Digest == none.Digest || by.SpareFrom != 4 || len(by.Weights) != len(p.Scores) || len(by.Apart) != 1 {
		t.Errorf("the Placement would say %+v", by)
	}
	_, same, err := world(policy("other", placementv1.PlacementPolicySpec{})).Policy("prod")
	if err != nil || same.Digest != none.Digest {
		t.Errorf("a policy that says nothing has digest %s, the built-in one %s (%v)", same.Digest, none.Digest, err)
	}
}

// Every score has a name that a policy may give a weight, and no name is without one.
func TestEveryScoreCanBeWeighed(t *testing.T) {
	raw, err := config.CRDs.ReadFile("crd/placement.fairway.cloud_placementpolicies.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var crd apiextensionsv1.CustomResourceDefinition
	if err := yaml.Unmarshal(raw, &crd); err != nil {
		t.Fatal(err)
	}
	weights := crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"].Properties["weights"]
	var may, are []string
	for _, v := range weights.Items.Schema.Properties["score"].Enum {
		var name string
		if err := yaml.Unmarshal(v.Raw, &name); err != nil {
			t.Fatal(err)
		}
		may = append(may, name)
	}
	for _, s := range placement.Scores() {
		are = append(are, s.Name)
	}
	slices.Sort(may)
	slices.Sort(are)
	if diff := cmp.Diff(are, may); diff != "" {
		t.Errorf("scores and the names that a policy may weigh differ (-scores +names):\n%s", diff)
	}
}
