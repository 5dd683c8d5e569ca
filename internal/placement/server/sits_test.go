// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	clocktesting "k8s.io/utils/clock/testing"

	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app/apptest"
	"github.com/fairway-cloud/fairway/internal/delivery"
	"github.com/fairway-cloud/fairway/internal/placement"
	"github.com/fairway-cloud/fairway/internal/placement/controller"
	"github.com/fairway-cloud/fairway/internal/placement/inventory"
	"github.com/fairway-cloud/fairway/internal/placement/placementtest"
	"github.com/fairway-cloud/fairway/internal/placement/server"
	"github.com/fairway-cloud/fairway/internal/platform/database"
	"github.com/fairway-cloud/fairway/internal/release/releasetest"
)

// TestSimulateKnowsWhoSitsWhere loses a host on which one of three instances with Local volumes
// was seen last: the inventory says which, also once its pod has lost the host. Without an inventory
// nobody knows, and that is said.
func TestSimulateKnowsWhoSitsWhere(t *testing.T) {
	revision := placementtest.Revision(t, "pay", 3, placementtest.LocalVolume)
	hub := placementtest.Hub(t).WithObjects(revision).Build()
	clock := clocktesting.NewFakePassiveClock(apptest.Now)
	placed := placementtest.Run(t, &controller.Placer{Hub: hub, Direct: hub, Clock: clock}, releasetest.New("pay-1", revision.Name, func(r *releasev1.Release) { r.Spec.Application = "pay" }), revision)
	desk := &server.Desk{Hub: hub, Direct: hub, Clock: clock, Authority: readers{may: true}}
	change := placement.WhatIf{Lose: []placement.Loss{{Kind: "Host", Name: "east-1/h2"}}}

	out, err := desk.Simulate(t.Context(), change, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Unplaced) > 0 || !strings.Contains(strings.Join(out.Notes, "\n"), "3 instances of component account of retail-prod/pay with Local volumes on rack east-a") {
		t.Errorf("without an inventory: %+v", out)
	}

	db, err := database.Open(t.Context(), filepath.Join(t.TempDir(), "fairway.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if desk.Inventory, err = inventory.Open(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	seen := inventory.Seen{Namespace: "retail-prod", Name: "pay", Placements: []placementv1.Placement{*placed}, DataCenters: map[string]string{"east-1": "dc-east"}}
	for i, seat := range placed.Spec.Assignments[0].Seats {
		seen.Instances = append(seen.Instances, delivery.Instance{Seat: fmt.Sprintf("account-%d", seat), Component: "account", Cluster: "east-1", Host: fmt.Sprintf("h%d", i+1), State: delivery.StateRunning})
	}
	for _, hosts := range []string{"the pods have hosts", "the one on h2 has lost it"} {
		if _, err := desk.Inventory.Apply(t.Context(), "retail-prod", "pay", inventory.Truth(seen, clock.Now()), clock.Now()); err != nil {
			t.Fatal(err)
		}
		if out, err = desk.Simulate(t.Context(), change, nil); err != nil {
			t.Fatal(err)
		}
		want := []string{"component account in dcn-east-1: 1 instance with Local volumes on host h2 of cluster east-1, which is lost: it comes back with the host, or is restored"}
		if len(out.Unplaced) != 1 || !slices.Equal(out.Unplaced[0].Reasons, want) || len(out.Moves)+len(out.Notes) > 0 {
			t.Errorf("%s: %+v", hosts, out)
		}
		if seen.Before, err = desk.Inventory.Of(t.Context(), "retail-prod", "pay"); err != nil {
			t.Fatal(err)
		}
		seen.Instances[1].Host, seen.Instances[1].State = "", delivery.StatePending
	}
}
