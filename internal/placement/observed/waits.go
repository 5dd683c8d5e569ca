// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package observed

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"

	deliveryv1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement"
	"github.com/fairway-cloud/fairway/internal/platform/fields"
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
		if waits := waitsIn(d); len(waits) > 0 {
			out[d.Spec.Application] = append(out[d.Spec.Application], waits...)
		}
	}
	return out, nil
}

// WaitsOf are those of one application ("<namespace>/<name>").
func WaitsOf(ctx context.Context, cached client.Reader, application string) ([]placement.Wait, error) {
	var all deliveryv1.DeliveryList
	// Nothing of what is read here is changed.
	if err := fields.List(ctx, cached, &all, fields.Application, application, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("could not read the deliveries of application %q: %w", application, err)
	}
	slices.SortFunc(all.Items, func(a, b deliveryv1.Delivery) int { return cmp.Compare(a.Namespace, b.Namespace) })
	var out []placement.Wait
	for i := range all.Items {
		if d := &all.Items[i]; d.Spec.Application == application {
			out = append(out, waitsIn(d)...)
		}
	}
	return out, nil
}

// goes reports whether all that a Delivery brought is on its way out.
func goes(d *deliveryv1.Delivery) bool {
	return !d.DeletionTimestamp.IsZero() || d.Spec.Intent == "Retire"
}

// waitsIn are the seats that wait in one cluster; none where all of them go.
func waitsIn(d *deliveryv1.Delivery) []placement.Wait {
	if goes(d) {
		return nil
	}
	var out []placement.Wait
	for _, w := range d.Status.Waiting {
		out = append(out, placement.Wait{Component: w.Component, Cell: placement.Cell(w.Cell), Seats: w.Seats})
	}
	return out
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
