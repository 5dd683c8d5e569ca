// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package app_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app"
	"github.com/fairway-cloud/fairway/internal/app/apptest"
)

// keepsHosts is an application of which two components keep off hosts of others, as
// testdata/renderer-1.json has it frozen.
func keepsHosts() *appv1.Application {
	a := apptest.MobileBank()
	a.Spec.Placement = &appv1.PlacementWishes{AntiAffinity: []appv1.AntiAffinity{
		{Component: "account", From: "ledger"},
		{Component: "channel", Application: "fraud", From: "model", Scope: appv1.SpreadHost},
		{Component: "channel", From: "account", Scope: appv1.SpreadRack},
	}}
	return a
}

// TestOldRevisionsRenderAsTheyDid renders a Revision that was frozen before rules of scope
// Host were rendered: byte for byte what the version of Fairway made of it that froze it.
// Its files were written by that version, and are never written again.
func TestOldRevisionsRenderAsTheyDid(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "renderer-1.json"))
	if err != nil {
		t.Fatal(err)
	}
	content, err := app.Parse(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range []string{"v1.22.17", "v1.36.3"} {
		out, err := app.Render(apptest.East(content), published(t, version).served)
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(filepath.Join("testdata", "renderer-1-"+version+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(narrate(t, out)), "\n")); diff != "" {
			t.Errorf("Kubernetes %s: an old revision renders otherwise, which restarts in place what runs (-then +now):\n%s", version, diff)
		}
	}
	// The placement promises what the pods say, and no more.
	if kept := app.KeptApart(content, "account"); len(kept) > 0 {
		t.Errorf("account is placed apart from %+v, and nothing in its pods keeps it so", kept)
	}
	if kept := app.KeptApart(content, "channel"); len(kept) != 1 || kept[0].Scope != appv1.SpreadRack {
		t.Errorf("channel is placed apart from %+v, want the rule of racks, which needs nothing of pods", kept)
	}
}

// TestBoundsOfOldRevisions renders a Revision that was frozen before pods said maxPerHost from
// 2 on, and that of jobs: its objects are what the version of Fairway made of it that froze it,
// the Placement bounds its cells, and one that is frozen now bounds its hosts. The files were
// written by that version, and are never written again.
func TestBoundsOfOldRevisions(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "renderer-2.json"))
	if err != nil {
		t.Fatal(err)
	}
	then, err := app.Parse(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	objects := func(text string) []string {
		_, all, _ := strings.Cut(text, "\n---\n") // before it stands what is told, which may be told better
		return strings.Split(all, "\n")
	}
	for _, version := range []string{"v1.22.17", "v1.36.3"} {
		out, err := app.Render(apptest.East(then), published(t, version).served)
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(filepath.Join("testdata", "renderer-2-"+version+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(objects(string(want)), objects(string(narrate(t, out)))); diff != "" {
			t.Errorf("Kubernetes %s: an old revision renders otherwise, which restarts in place what runs (-then +now):\n%s", version, diff)
		}
		told := 0
		for _, r := range out.Reasons {
			if r.Field == "maxPerHost" {
				told++
			}
		}
		if told != 4 {
			t.Errorf("Kubernetes %s: of %d components it is told that their pods say no bound, want 4: %v", version, told, out.Reasons)
		}
	}
	bounds := func(content app.Content) map[string][2]int32 {
		all := map[string][2]int32{}
		for _, c := range content.Spec.Components {
			inPods, ofCell := app.MaxPerHost(content, c)
			all[string(c.Name)] = [2]int32{inPods, ofCell}
		}
		return all
	}
	if diff := cmp.Diff(map[string][2]int32{"account": {1, 0}, "channel": {0, 3}, "ledger": {0, 2}, "migrate": {0, 1}, "nightly": {0, 4}}, bounds(then)); diff != "" {
		t.Errorf("the placement promises what the pods say, and no more (-want +got):\n%s", diff)
	}
	now := freeze(t, bounded(), apptest.Bank()).Content
	if diff := cmp.Diff(map[string][2]int32{"account": {1, 0}, "channel": {3, 0}, "ledger": {2, 0}, "migrate": {1, 0}, "nightly": {4, 0}}, bounds(now)); diff != "" {
		t.Errorf("a revision that is frozen now (-want +got):\n%s", diff)
	}
	if then.Renderer != 2 || now.Renderer != 3 {
		t.Errorf("frozen for renderer %d then and %d now, want 2 and 3", then.Renderer, now.Renderer)
	}
	if diff := cmp.Diff([]string{"channel", "ledger", "migrate", "nightly"}, app.Restarting(then, now)); diff != "" {
		t.Errorf("the pods of these say more than before, and those of no other (-want +got):\n%s", diff)
	}
}

// TestNewGenerationTouchesWhomItConcerns freezes again what is unchanged: another generation
// of the renderer makes no other Revision of an application that it renders as before, and
// no other template of a component.
func TestNewGenerationTouchesWhomItConcerns(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "renderer-1.json"))
	if err != nil {
		t.Fatal(err)
	}
	then, err := app.Parse(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	now := freeze(t, keepsHosts(), apptest.Bank()).Content
	if then.Renderer != 1 || now.Renderer != 2 {
		t.Errorf("frozen for renderer %d then and %d now, want 1 and 2", then.Renderer, now.Renderer)
	}
	if diff := cmp.Diff([]string{"account", "channel"}, app.Restarting(then, now)); diff != "" {
		t.Errorf("the pods of these say more than before, and stand beside those that do not (-want +got):\n%s", diff)
	}
	without := keepsHosts()
	without.Spec.Placement.AntiAffinity = without.Spec.Placement.AntiAffinity[2:]
	if untouched := freeze(t, without, apptest.Bank()).Content; untouched.Renderer != 1 || !slices.Contains(app.Restarting(untouched, now), "account") || slices.Contains(app.Restarting(untouched, now), "ledger") {
		t.Errorf("without rules of hosts it is frozen for renderer %d, and the rules restart %v", untouched.Renderer, app.Restarting(untouched, now))
	}
	for _, unknown := range []string{`"renderer":0`, `"renderer":4`} {
		if _, err := app.Parse(strings.Replace(strings.TrimSpace(string(text)), `"renderer":1`, unknown, 1)); err == nil || !strings.Contains(err.Error(), "renderers 1 to 3") {
			t.Errorf("%s: %v", unknown, err)
		}
	}
}
