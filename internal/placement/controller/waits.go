// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	deliveryv1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app"
	"github.com/fairway-cloud/fairway/internal/placement"
)

// waitsOf are the seats of an application that wait in their cells for room, as its
// Deliveries tell. An application that was never released has none.
func waitsOf(ctx context.Context, hub client.Reader, application client.ObjectKey) ([]placement.Wait, error) {
	var released appv1.Application
	if err := hub.Get(ctx, application, &released); err != nil || released.Status.ReleasedRevision == "" {
		return nil, client.IgnoreNotFound(err)
	}
	var clusters fleetv1.ClusterList
	if err := hub.List(ctx, &clusters); err != nil {
		return nil, fmt.Errorf("could not read the clusters: %w", err)
	}
	tenant, environment, _ := app.SplitNamespace(application.Namespace)
	var waits []placement.Wait
	for i := range clusters.Items {
		key := client.ObjectKey{Namespace: fleetv1.ClusterNamespacePrefix + clusters.Items[i].Name, Name: app.MemberNamespace(tenant, environment, application.Name)}
		var d deliveryv1.Delivery
		if err := hub.Get(ctx, key, &d); client.IgnoreNotFound(err) != nil {
			return nil, fmt.Errorf("could not read delivery %q: %w", key, err)
		}
		for _, w := range d.Status.Waiting {
			waits = append(waits, placement.Wait{Component: w.Component, Cell: placement.Cell(w.Cell), Seats: w.Seats})
		}
	}
	return waits, nil
}
