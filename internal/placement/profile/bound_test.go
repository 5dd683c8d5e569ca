// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package profile_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement/profile"
)

// TestEachComponentHasItsShare gives one component of three more tags than all may have: the
// others keep theirs, wherever they stand in the alphabet, and what is left out is said.
func TestEachComponentHasItsShare(t *testing.T) {
	seen := profile.Seen{Components: []appv1.Component{
		component("account", nil, []string{"t-0000"}), component("ledger", []string{"io-heavy"}, nil), component("zones", []string{"cpu-bound"}, nil),
	}}
	for i := range 200 {
		for s := range 6 {
			seen.Imported = append(seen.Imported, imported("account", fmt.Sprintf("t-%04d", i), fmt.Sprintf("cmdb-%d", s)))
		}
	}
	seen.Imported = append(seen.Imported, imported("zones", "io-heavy", "cmdb-0"))

	tags, left := profile.Combine(seen, now)
	if diff := cmp.Diff([]profile.Left{{Component: "account", Tags: 1200 - 1024/3}}, left); diff != "" {
		t.Errorf("left out (-want +got):\n%s", diff)
	}
	n, counts := map[string]int{}, map[string]bool{}
	for _, tag := range tags {
		n[tag.Component]++
		if tag.Component == "account" && tag.Effect == placementv1.TagCounts {
			counts[tag.Tag] = true
		}
	}
	if diff := cmp.Diff(map[string]int{"account": 341, "ledger": 1, "zones": 2}, n); diff != "" {
		t.Errorf("tags by component (-want +got):\n%s", diff)
	}
	if len(counts) != 199 { // all but the one that the application overrules
		t.Errorf("%d tags of account count, want 199: what a second source says again goes first", len(counts))
	}
	ready := profile.Ready(tags, left)
	want := "tags were left out, which nothing goes by: 859 of component account; an application holds 1024, which its components share evenly: import fewer, or from fewer sources"
	if ready.Status != "True" || ready.Reason != "TagsLeftOut" || ready.Message != want {
		t.Errorf("%+v", ready)
	}
}
