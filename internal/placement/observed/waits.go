// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package observed

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	deliveryv1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement"
)

// Waits are the seats that wait in their cells for room, by application
// ("<namespace>/<name>"), as Deliveries tell.
func Waits(ctx context.Context, cached client.Reader) (map[string][]placement.Wait, error) {
	var all deliveryv1.DeliveryList
	// Nothing of what is read here is changed.
	if err := cached.List(ctx, &all, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("could not read the deliveries: %w", err)
	}
	out := map[string][]placement.Wait{}
	for i := range all.Items {
		d := &all.Items[i]
		if !d.DeletionTimestamp.IsZero() || d.Spec.Intent == "Retire" {
			continue
		}
		for _, w := range d.Status.Waiting {
			out[d.Spec.Application] = append(out[d.Spec.Application], placement.Wait{Component: w.Component, Cell: placement.Cell(w.Cell), Seats: w.Seats})
		}
	}
	return out, nil
}

// AnewByItself reports whether automation places anew what waits for room in an
// environment: outside production, unless its PlacementPolicy leaves what follows of losses
// to people. An environment that nobody knows counts as production.
func (w World) AnewByItself(environment string) bool {
	for i := range w.Environments.Items {
		e := &w.Environments.Items[i]
		if e.Name != environment || e.Spec.Class != tenancyv1.ClassDevelopment && e.Spec.Class != tenancyv1.ClassTest {
			continue
		}
		p := w.PolicyFor(environment)
		return p == nil || p.Spec.Lost == nil || p.Spec.Lost.Action == placementv1.LostRelease
	}
	return false
}
