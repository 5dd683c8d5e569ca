// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"context"
	"fmt"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/fleet"
	"github.com/fairway-cloud/fairway/internal/platform/patch"
)

// Sites tells of each DataCenter whether its clusters answer. It is the
// controller fleet.sites.
type Sites struct {
	hub client.Client
	now func() time.Time
}

// Reconcile tells the state of one DataCenter.
func (s *Sites) Reconcile(ctx context.Context, site *fleetv1.DataCenter) (ctrl.Result, error) {
	clusters := &fleetv1.ClusterList{}
	if err := s.hub.List(ctx, clusters); err != nil {
		return ctrl.Result{}, fmt.Errorf("could not list the clusters: %w", err)
	}
	before := site.DeepCopy()
	site.Status = fleet.ReportSite(site.Status, site.Name, site.Generation, clusters.Items, s.now())
	return patch.Settle(ctrl.Result{}, patch.Status(ctx, s.hub, before, site))
}
