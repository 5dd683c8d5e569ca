// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package profile_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement"
	"github.com/fairway-cloud/fairway/internal/placement/profile"
)

var now = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

func component(name string, tags, without []string) appv1.Component {
	return appv1.Component{Name: appv1.ComponentName(name), Profile: &appv1.ComponentProfile{Tags: tags, Without: without}}
}

func imported(component, tag, source string) placementv1.ImportedTag {
	return placementv1.ImportedTag{Component: component, Tag: tag, Source: source, Algorithm: "kmeans", Version: "3", Value: "0.8", At: metav1.NewTime(now.Add(-24 * time.Hour))}
}

// lines tells tags in a line each.
func lines(tags []placementv1.ProfileTag) []string {
	var out []string
	for _, t := range tags {
		out = append(out, fmt.Sprintf("%s %s %s %s %s %s", t.Component, t.Tag, t.From, t.Source, t.Freshness, t.Effect))
	}
	return out
}

// combined are the tags where there is room for all.
func combined(t *testing.T, seen profile.Seen, now time.Time) []placementv1.ProfileTag {
	t.Helper()
	tags, left := profile.Combine(seen, now)
	if left != nil {
		t.Fatalf("left out: %v", left)
	}
	return tags
}

func TestCombine(t *testing.T) {
	rule := profile.Rule{Name: "disk", Tag: "io-heavy", Interval: time.Minute, StaleAfter: time.Hour}
	rules := map[string]profile.Rule{"disk": rule}
	key := profile.Key{Component: "ledger", Rule: "disk"}
	on := profile.Track{On: true, Since: now.Add(-time.Hour), Good: now, Value: 12.5, Generation: 2}
	before := placementv1.ProfileTag{Component: "ledger", Tag: "io-heavy", From: placementv1.TagMeasured, Source: "disk", Freshness: placementv1.TagFresh, Effect: placementv1.TagCounts}
	for name, c := range map[string]struct {
		reason string
		seen   profile.Seen
		want   []string
	}{
		"union": {"each origin is kept beside the others", profile.Seen{
			Components: []appv1.Component{component("ledger", []string{"io-heavy"}, nil)},
			Imported:   []placementv1.ImportedTag{imported("ledger", "io-heavy", "cmdb"), imported("ledger", "peak-morning", "bigdata")},
			Rules:      rules, Tracks: map[profile.Key]profile.Track{key: on},
		}, []string{"ledger io-heavy Spec   Counts", "ledger io-heavy Imported cmdb  Counts", "ledger io-heavy Measured disk Fresh Counts", "ledger peak-morning Imported bigdata  Counts"}},
		"overruled": {"what the application is without nobody gives it", profile.Seen{
			Components: []appv1.Component{component("ledger", nil, []string{"io-heavy"})},
			Imported:   []placementv1.ImportedTag{imported("ledger", "io-heavy", "cmdb")},
			Rules:      rules, Tracks: map[profile.Key]profile.Track{key: on},
		}, []string{"ledger io-heavy Imported cmdb  Overruled", "ledger io-heavy Measured disk Fresh Overruled"}},
		"restart": {"a rule that has not asked yet takes nothing away", profile.Seen{
			Components: []appv1.Component{component("ledger", nil, nil)}, Before: []placementv1.ProfileTag{before}, Rules: rules,
		}, []string{"ledger io-heavy Measured disk Fresh Counts"}},
		"off": {"a rule that has asked, and says no, does", profile.Seen{
			Components: []appv1.Component{component("ledger", nil, nil)}, Before: []placementv1.ProfileTag{before}, Rules: rules,
			Tracks: map[profile.Key]profile.Track{key: {Good: now}},
		}, nil},
		"rule gone": {"whoever deletes a rule takes its tags away", profile.Seen{
			Components: []appv1.Component{component("ledger", nil, nil)}, Before: []placementv1.ProfileTag{before},
		}, nil},
		"component gone": {"tags of components that are gone go", profile.Seen{
			Components: []appv1.Component{component("other", nil, nil)}, Imported: []placementv1.ImportedTag{imported("ledger", "io-heavy", "cmdb")}, Rules: rules,
			Tracks: map[profile.Key]profile.Track{key: on},
		}, nil},
		"old": {"without an answer a tag holds, and says so", profile.Seen{
			Components: []appv1.Component{component("ledger", nil, nil)}, Rules: rules,
			Tracks: map[profile.Key]profile.Track{key: {On: true, Since: now.Add(-2 * time.Hour), Good: now.Add(-10 * time.Minute)}},
		}, []string{"ledger io-heavy Measured disk Old Counts"}},
		"stale": {"and holds for good", profile.Seen{
			Components: []appv1.Component{component("ledger", nil, nil)}, Rules: rules,
			Tracks: map[profile.Key]profile.Track{key: {On: true, Since: now.Add(-99 * time.Hour), Good: now.Add(-98 * time.Hour)}},
		}, []string{"ledger io-heavy Measured disk Stale Counts"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, lines(combined(t, c.seen, now))); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.reason, diff)
			}
		})
	}
}

// TestReportedOnce holds that what was combined once says the same at any later moment,
// so that nothing is written again.
func TestReportedOnce(t *testing.T) {
	seen := profile.Seen{
		Components: []appv1.Component{component("ledger", []string{"cpu-bound"}, nil)},
		Rules:      map[string]profile.Rule{"disk": {Name: "disk", Tag: "io-heavy", Interval: time.Minute, StaleAfter: time.Hour}},
		Tracks:     map[profile.Key]profile.Track{{Component: "ledger", Rule: "disk"}: {On: true, Since: now, Good: now, Value: 1}},
	}
	var first, later placementv1.ProfileStatus
	profile.Report(&first, combined(t, seen, now), nil, now)
	later = *first.DeepCopy()
	seen.Before = first.Tags
	profile.Report(&later, combined(t, seen, now.Add(2*time.Minute)), nil, now.Add(2*time.Minute))
	if diff := cmp.Diff(first, later); diff != "" {
		t.Errorf("nothing changed, and the status did (-first +later):\n%s", diff)
	}
	if got := profile.Ready(combined(t, seen, now.Add(10*time.Minute)), nil); got.Reason != "OldMeasurements" || got.Status != "True" || got.Message != "1 of 2 tags are old measurements and hold all the same: see the TagRules that they name" {
		t.Errorf("%+v", got)
	}
}

func TestKnown(t *testing.T) {
	p := &placementv1.Profile{ObjectMeta: metav1.ObjectMeta{Namespace: "retail-prod", Name: "pay"}}
	p.Status.Tags = []placementv1.ProfileTag{
		{Component: "a", Tag: "io-heavy", From: "Spec", Effect: "Counts"}, {Component: "a", Tag: "io-heavy", From: "Imported", Effect: "Counts"},
		{Component: "a", Tag: "peak-morning", From: "Imported", Effect: "Overruled"}, {Component: "b", Tag: "cpu-bound", From: "Measured", Effect: "Counts"},
	}
	want := []placement.Profile{{Application: "retail-prod/pay", Component: "a", Tags: []string{"io-heavy"}}, {Application: "retail-prod/pay", Component: "b", Tags: []string{"cpu-bound"}}}
	if diff := cmp.Diff(want, profile.Known(p)); diff != "" {
		t.Errorf("each tag once, and none that is overruled (-want +got):\n%s", diff)
	}
}

func TestFill(t *testing.T) {
	names := profile.Names{Tenant: "retail", Environment: "prod", Application: "mobile-bank", Component: "ledger"}
	got, err := profile.Fill(`sum(rate(x{namespace="$namespace",pod=~"$pods",c=~"a$"}[5m])) / $$ $tenant`, names)
	want := `sum(rate(x{namespace="retail-prod-mobile-bank",pod=~"mobile-bank-ledger-[0-9a-f]{8}-.+",c=~"a$"}[5m])) / $$ retail`
	if err != nil || got != want {
		t.Errorf("%v: %s", err, got)
	}
	if _, err := profile.Fill(`up{job="$job"}`, names); err == nil || err.Error() != `could not use the query: it has the word "$job"; the words are $tenant, $environment, $application, $component, $namespace, $pods` {
		t.Errorf("%v", err)
	}
}

func TestRuleOf(t *testing.T) {
	made := func(change func(*placementv1.TagRuleSpec)) *placementv1.TagRule {
		r := &placementv1.TagRule{ObjectMeta: metav1.ObjectMeta{Name: "disk", Generation: 3}, Spec: placementv1.TagRuleSpec{Tag: "io-heavy", Query: "vector(1)", Enter: "10.5"}}
		change(&r.Spec)
		return r
	}
	got, err := profile.RuleOf(made(func(*placementv1.TagRuleSpec) {}))
	want := profile.Rule{Name: "disk", Tag: "io-heavy", Query: "vector(1)", Enter: 10.5, Leave: 10.5, Hold: 10 * time.Minute, Interval: time.Minute, StaleAfter: 24 * time.Hour, Generation: 3}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for reason, change := range map[string]func(*placementv1.TagRuleSpec){
		"enter": func(s *placementv1.TagRuleSpec) { s.Enter = "much" }, "leave": func(s *placementv1.TagRuleSpec) { s.Leave = "little" },
		"query": func(s *placementv1.TagRuleSpec) { s.Query = "up{x='$pod'}" },
	} {
		if _, err := profile.RuleOf(made(change)); err == nil {
			t.Errorf("a wrong %s is taken", reason)
		}
	}
	if !slices.Equal([]float64{9, 1}, []float64{got.Furthest([]float64{3, 9}), profile.Rule{Below: true}.Furthest([]float64{3, 1})}) {
		t.Error("of several the one nearest to giving the tag counts")
	}
}
