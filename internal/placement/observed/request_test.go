// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package observed_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/utils/ptr"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app"
	"github.com/fairway-cloud/fairway/internal/app/apptest"
	"github.com/fairway-cloud/fairway/internal/placement"
	"github.com/fairway-cloud/fairway/internal/placement/observed"
)

// TestRequestNamesProcessors has a request ask for what the Revision froze of its images,
// and for any host where it froze nothing.
func TestRequestNamesProcessors(t *testing.T) {
	a, w := apptest.MobileBank(), apptest.Bank()
	w.Images["registry.bank:5000/mobile-bank/account:1.0"] = app.ImageFacts{User: "65532", Architectures: []string{"arm64", "amd64", "s390x"}}
	frozen, err := app.Freeze(a, apptest.Images(a), w)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]string{}
	for _, c := range observed.RequestOf(frozen.Content, "retail-prod/mobile-bank", &tenancyv1.Tenant{}, nil, nil).Components {
		got[c.Name] = c.Archs
	}
	if diff := cmp.Diff(map[string][]string{"account": {"amd64", "arm64"}, "channel": nil, "ledger": nil}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestRequestCarriesWishes has a request ask for what the Revision says of neighbours: from
// whom components keep apart, what they spread over first and whom of other applications
// they call; and a Placement remembers from whom.
func TestRequestCarriesWishes(t *testing.T) {
	a, w := apptest.MobileBank(), apptest.Bank()
	a.Spec.Placement = &appv1.PlacementWishes{
		Spread: []appv1.SpreadStep{appv1.SpreadRack, appv1.SpreadHost},
		AntiAffinity: []appv1.AntiAffinity{
			{Component: "account", From: "ledger"}, {Component: "account", Application: "fraud", From: "model", Scope: appv1.SpreadRack},
		},
	}
	a.Spec.Bindings = append(a.Spec.Bindings, appv1.Binding{Name: "limits", Kind: appv1.BindingApplication, Zone: "business", Port: 8080, Application: &appv1.BoundApplication{Name: "limits", Component: "check"}})
	apptest.With("account", func(c *appv1.Component) { c.DependsOn = append(c.DependsOn, appv1.Dependency{Binding: "limits"}) })(a)
	frozen, err := app.Freeze(a, apptest.Images(a), w)
	if err != nil {
		t.Fatal(err)
	}
	components := observed.RequestOf(frozen.Content, "retail-prod/mobile-bank", &tenancyv1.Tenant{}, nil, nil).Components
	want := []placement.KeepsFrom{
		{Application: "retail-prod/fraud", Component: "model", Scope: placement.ScopeRack}, {Application: "retail-prod/mobile-bank", Component: "ledger", Scope: placement.ScopeHost},
	}
	for _, c := range components {
		if diff := cmp.Diff([]placement.Scope{placement.ScopeRack, placement.ScopeHost}, c.Spread); diff != "" {
			t.Errorf("%s spreads otherwise (-want +got):\n%s", c.Name, diff)
		}
		if c.Name != "account" {
			if len(c.KeepsFrom)+len(c.CallsOutside) > 0 {
				t.Errorf("%s keeps apart from %v and calls %v", c.Name, c.KeepsFrom, c.CallsOutside)
			}
			continue
		}
		if diff := cmp.Diff(want, c.KeepsFrom); diff != "" {
			t.Errorf("account keeps apart from others (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]placement.Callee{{Application: "retail-prod/limits", Component: "check"}}, c.CallsOutside); diff != "" {
			t.Errorf("account calls others (-want +got):\n%s", diff)
		}
	}
	spec, err := observed.SpecOf("mobile-bank", "r", placement.Decision{Assignments: []placement.Assignment{{Component: "account", KeepsFrom: want}}}, placementv1.DecidedBy{})
	if err != nil {
		t.Fatal(err)
	}
	stored := placementv1.Placement{Spec: spec}
	stored.Namespace, stored.Status.Release = "retail-prod", "r-1"
	again := observed.RequestOf(frozen.Content, "retail-prod/mobile-bank", &tenancyv1.Tenant{}, nil, []placementv1.Placement{stored})
	if diff := cmp.Diff(want, again.Previous[0].KeepsFrom); diff != "" {
		t.Errorf("a Placement that is read again says otherwise (-want +got):\n%s", diff)
	}
}

// TestRequestCarriesBounds has a request ask for the bound of each host that a Revision's pods
// say, and a Placement remember it; where they say none, it bounds the cell, and the Placement
// promises nothing of hosts (R48).
func TestRequestCarriesBounds(t *testing.T) {
	a := apptest.MobileBank()
	for name, most := range map[string]int32{"account": 1, "channel": 3} {
		apptest.With(name, func(c *appv1.Component) { c.MaxPerHost = ptr.To(most) })(a)
	}
	frozen, err := app.Freeze(a, apptest.Images(a), apptest.Bank())
	if err != nil {
		t.Fatal(err)
	}
	older := frozen.Content
	older.Renderer = 2
	for name, c := range map[string]struct {
		content app.Content
		want    map[string][2]int32
	}{
		"a Revision of now":    {frozen.Content, map[string][2]int32{"account": {1, 0}, "channel": {3, 0}, "ledger": {0, 0}}},
		"a Revision of before": {older, map[string][2]int32{"account": {1, 0}, "channel": {0, 3}, "ledger": {0, 0}}},
	} {
		r := observed.RequestOf(c.content, "retail-prod/mobile-bank", &tenancyv1.Tenant{}, nil, nil)
		got := map[string][2]int32{}
		var decided []placement.Assignment
		for _, x := range r.Components {
			got[x.Name] = [2]int32{x.MaxPerHost, x.MaxOfCell}
			decided = append(decided, placement.Assignment{Component: x.Name, MaxPerHost: x.MaxPerHost})
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: hosts and cells are bound (-want +got):\n%s", name, diff)
		}
		spec, err := observed.SpecOf("mobile-bank", "r", placement.Decision{Assignments: decided}, placementv1.DecidedBy{})
		if err != nil {
			t.Fatal(err)
		}
		stored := placementv1.Placement{Spec: spec}
		stored.Namespace, stored.Status.Release = "retail-prod", "r-1"
		for _, x := range observed.RequestOf(c.content, "retail-prod/mobile-bank", &tenancyv1.Tenant{}, nil, []placementv1.Placement{stored}).Previous {
			if x.MaxPerHost != c.want[x.Component][0] {
				t.Errorf("%s: a Placement that is read again has %s with %d on a host, want %d", name, x.Component, x.MaxPerHost, c.want[x.Component][0])
			}
		}
	}
}
