// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app"
	"github.com/fairway-cloud/fairway/internal/app/apptest"
	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/placement"
	"github.com/fairway-cloud/fairway/internal/placement/server"
	apiserver "github.com/fairway-cloud/fairway/internal/server"
)

// drafts freezes in the bank of apptest, where every image is known.
type drafts struct{}

func (drafts) Draft(_ context.Context, a *appv1.Application) (app.Content, []string, error) {
	frozen, err := app.Freeze(a, apptest.Images(a), apptest.Bank())
	return frozen.Content, []string{"a note"}, err
}

// draft is an application of one component with n instances of 250m CPU in dcn-east-1.
func draft(name string, n int32) appv1.Application {
	a := apptest.MobileBank(apptest.With("account", func(c *appv1.Component) {
		c.Instances, c.DependsOn = []appv1.InstanceCount{{DCN: "dcn-east-1", Count: n}}, nil
	}))
	a.TypeMeta = metav1.TypeMeta{APIVersion: "app.fairway.cloud/v1alpha1", Kind: "Application"}
	a.Name, a.Spec.Components, a.Spec.Exposure, a.Spec.AvailabilityClass = name, a.Spec.Components[1:2], nil, "class-b"
	return *a
}

// Beside the five instances of 250m that run there is room for eleven on four hosts of 1 CPU.
func TestTrials(t *testing.T) {
	desk := running(t)
	desk.Drafts = drafts{}
	before := len(placements(t, desk))
	for name, c := range map[string]struct {
		change  placement.WhatIf
		drafts  []appv1.Application
		verdict string
		reason  string
	}{
		"a new one":            {drafts: []appv1.Application{draft("cards", 11)}, verdict: "Placed", reason: "11 instances asked for, 0 kept, 11 new"},
		"too large":            {drafts: []appv1.Application{draft("cards", 12)}, verdict: "Refused", reason: "one host more would do"},
		"more hosts":           {change: placement.WhatIf{Add: []placement.Addition{{Pool: "retail-business", Cluster: "east-1", Rack: "east-a", Count: 1}}}, drafts: []appv1.Application{draft("cards", 12)}, verdict: "Placed", reason: "12 new"},
		"what runs, larger":    {drafts: []appv1.Application{draft("mobile-bank", 7)}, verdict: "Placed", reason: "7 instances asked for, 5 kept, 2 new"},
		"a host is lost first": {change: placement.WhatIf{Lose: []placement.Loss{{Kind: "Host", Name: "east-1/h4"}}}, drafts: []appv1.Application{draft("cards", 8)}, verdict: "Refused", reason: "on rack east-a for 1 instance"},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := desk.Simulate(t.Context(), c.change, c.drafts)
			if err != nil {
				t.Fatal(err)
			}
			if len(out.Trials) != 1 || out.Trials[0].Verdict != c.verdict || len(out.Trials[0].Notes) != 1 || out.Trials[0].Placement.Policy == nil {
				t.Fatalf("the answer is %+v", out)
			}
			text, err := json.Marshal(out.Trials[0].Placement.Reasons)
			if err != nil || !strings.Contains(string(text), c.reason) {
				t.Errorf("the reasons are %s, want %q in them (%v)", text, c.reason, err)
			}
		})
	}
	if after := len(placements(t, desk)); after != before {
		t.Errorf("%d placements were written", after-before)
	}
}

func placements(t *testing.T, desk *server.Desk) []placementv1.Placement {
	t.Helper()
	var list placementv1.PlacementList
	if err := desk.Direct.List(t.Context(), &list); err != nil {
		t.Fatal(err)
	}
	return list.Items
}

// in may read the Placements of one namespace.
type in string

func (i in) May(_ context.Context, _ identity.Person, q apiserver.Question) (bool, error) {
	return q.Namespace == string(i) && q.Verb == "list" && q.Resource == "placements", nil
}

// Who may read his own Placements asks about his own applications, and about nothing else.
func TestWhoMayTry(t *testing.T) {
	desk := running(t)
	desk.Drafts, desk.Authority = drafts{}, in("retail-prod")
	body := func(change map[string]any, of ...appv1.Application) string {
		change["applications"] = of
		text, err := json.Marshal(change)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	foreign := draft("cards", 1)
	foreign.Namespace = "cards-prod"
	for name, c := range map[string]struct{ body, want string }{
		"his own":        {body(map[string]any{}, draft("cards", 1)), `"verdict":"Placed"`},
		"another's":      {body(map[string]any{}, foreign), `do not allow to list placements in \"cards-prod\"`},
		"one of each":    {body(map[string]any{}, draft("cards", 1), foreign), "do not allow"},
		"with a loss":    {body(map[string]any{"lose": []any{map[string]any{"kind": "Cluster", "name": "east-1"}}}, draft("cards", 1)), "could not look at the whole fleet"},
		"twice":          {body(map[string]any{}, draft("cards", 1), draft("cards", 2)), "give it once"},
		"another kind":   {`{"applications":[{"kind":"Release","metadata":{"name":"x","namespace":"retail-prod"},"spec":{}}]}`, "could not"},
		"no namespace":   {`{"applications":[{"kind":"Application","metadata":{"name":"x"}}]}`, "do not allow"},
		"nothing at all": {`{}`, "could not look at the whole fleet"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := ask(t, desk, "POST", "/api/v1/placement/simulate", c.body); !strings.Contains(got, c.want) {
				t.Errorf("the answer is %s, want %q in it", got, c.want)
			}
		})
	}
}
