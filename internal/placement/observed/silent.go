// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package observed

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	deliveryv1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/delivery"
	"github.com/fairway-cloud/fairway/internal/placement"
)

// Silent are the seats on hosts that do not answer, by application ("<namespace>/<name>"), as
// Deliveries tell: each names 20 instances at most that are not well.
func Silent(ctx context.Context, cached client.Reader) (map[string][]placement.Sits, error) {
	var all deliveryv1.DeliveryList
	// Nothing of what is read here is changed.
	if err := cached.List(ctx, &all, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("could not read the deliveries: %w", err)
	}
	out := map[string][]placement.Sits{}
	for i := range all.Items {
		d := &all.Items[i]
		if !goes(d) {
			out[d.Spec.Application] = append(out[d.Spec.Application], SilentIn(d)...)
		}
	}
	return out, nil
}

// SilentIn are those of one Delivery.
func SilentIn(d *deliveryv1.Delivery) []placement.Sits {
	var out []placement.Sits
	cluster := strings.TrimPrefix(d.Namespace, fleetv1.ClusterNamespacePrefix)
	for _, t := range d.Status.Troubled {
		at := strings.LastIndexByte(t.Seat, '-')
		if t.State != delivery.StateLost || t.Host == "" || at < 0 {
			continue
		}
		if n, err := strconv.ParseInt(t.Seat[at+1:], 10, 32); err == nil {
			out = append(out, placement.Sits{Component: t.Seat[:at], Seat: int32(n), Cluster: cluster, Host: t.Host})
		}
	}
	return out
}
