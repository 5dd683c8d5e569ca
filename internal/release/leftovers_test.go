// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package release

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	deliveryv1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
)

// numbered is a complete Release whose plan names one rendering of each sort.
func numbered(t *testing.T, sequence int64, change ...func(*releasev1.Release)) releasev1.Release {
	t.Helper()
	reference := func(sort string) deliveryv1.RenderingReference {
		return deliveryv1.RenderingReference{Name: fmt.Sprint(sort, sequence)}
	}
	text, digest, err := Seal(Document{Sequence: sequence, Placement: fmt.Sprint("p", sequence), Clusters: []ClusterPlan{{
		Cluster: "east-1", Shared: []deliveryv1.RenderingReference{reference("s")}, Between: []deliveryv1.RenderingReference{reference("b")},
		Workloads: []deliveryv1.Workload{{Rendering: reference("w")}}, Leaving: []deliveryv1.Workload{{Rendering: reference("l")}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	now := metav1.Now()
	r := releasev1.Release{Status: releasev1.ReleaseStatus{Sequence: sequence, Placement: fmt.Sprint("p", sequence), Plan: text, PlanDigest: digest, CompletedAt: &now}}
	r.Name = fmt.Sprint("r", sequence)
	for _, f := range change {
		f(&r)
	}
	return r
}

func TestNamedBy(t *testing.T) {
	going := func(r *releasev1.Release) { r.Status.CompletedAt = nil }
	spoiled := func(r *releasev1.Release) { r.Status.Plan += " " }
	var twelve []releasev1.Release
	for n := range int64(12) {
		twelve = append(twelve, numbered(t, n+1))
	}
	for reason, tc := range map[string]struct {
		sequence   int64
		releases   []releasev1.Release
		deliveries map[string]*deliveryv1.Delivery
		renderings []string
		placements []string
		wait       bool
	}{
		"all that a plan names": {
			sequence: 1, releases: []releasev1.Release{numbered(t, 1)},
			renderings: []string{"east-1/b1", "east-1/l1", "east-1/s1", "east-1/w1"}, placements: []string{"p1"},
		},
		"what a Delivery names, whatever Releases say": {
			sequence: 1, releases: []releasev1.Release{numbered(t, 1, func(r *releasev1.Release) { r.Status.Plan, r.Status.Placement = "", "" })},
			deliveries: map[string]*deliveryv1.Delivery{"west-1": {Spec: deliveryv1.DeliverySpec{
				Shared: []deliveryv1.RenderingReference{{Name: "s"}}, Workloads: []deliveryv1.Workload{{Rendering: deliveryv1.RenderingReference{Name: "w"}}},
			}}},
			renderings: []string{"west-1/s", "west-1/w"},
		},
		"the last Release has not been read": {sequence: 2, releases: []releasev1.Release{numbered(t, 1)}, wait: true},
		"no Release has been read":           {sequence: 1, wait: true},
		"the last Release is not complete":   {sequence: 1, releases: []releasev1.Release{numbered(t, 1, going)}, wait: true},
		"a plan that cannot be read may name anything": {
			sequence: 2, releases: []releasev1.Release{numbered(t, 1, spoiled), numbered(t, 2)}, wait: true,
		},
	} {
		t.Run(reason, func(t *testing.T) {
			got := NamedBy(tc.sequence, tc.releases, tc.deliveries)
			if (got.Wait != "") != tc.wait {
				t.Fatalf("%s: waits for %q, want it to wait: %v", reason, got.Wait, tc.wait)
			}
			if tc.wait {
				return
			}
			if diff := cmp.Diff(tc.renderings, slices.Sorted(maps.Keys(got.Renderings))); diff != "" {
				t.Errorf("%s: renderings, -want, +got:\n%s", reason, diff)
			}
			if diff := cmp.Diff(tc.placements, slices.Sorted(maps.Keys(got.Placements))); diff != "" {
				t.Errorf("%s: placements, -want, +got:\n%s", reason, diff)
			}
		})
	}
	ten := NamedBy(12, twelve, nil)
	if ten.Placements["p2"] || !ten.Placements["p3"] || ten.Renderings["east-1/w2"] || !ten.Renderings["east-1/w3"] {
		t.Errorf("of twelve Releases the last ten are remembered, got placements %v", slices.Sorted(maps.Keys(ten.Placements)))
	}
	going(&twelve[0])
	if old := NamedBy(12, twelve, nil); !old.Placements["p1"] || !old.Renderings["east-1/w1"] || old.Placements["p2"] {
		t.Errorf("a Release that still goes on is remembered however old, got placements %v", slices.Sorted(maps.Keys(old.Placements)))
	}
}

func TestRenderedFor(t *testing.T) {
	for name, want := range map[string]string{
		"retail-prod-mobile-bank-0123456789abcdef": "retail-prod-mobile-bank",
		"retail-prod-mobile-0123456789abcdef":      "retail-prod-mobile",
		"retail-prod-mobile-bank":                  "",
		"retail-prod-mobile-bank-0123456789abcdeX": "",
		"-0123456789abcdef":                        "",
		"":                                         "",
	} {
		if got := RenderedFor(name); got != want {
			t.Errorf("RenderedFor(%q) is %q, want %q", name, got, want)
		}
	}
	if name := renderingName("retail-prod-pay", "0123456789abcdef"); RenderedFor(name) != "retail-prod-pay" {
		t.Errorf("the application of rendering %q is not found", name)
	}
}
