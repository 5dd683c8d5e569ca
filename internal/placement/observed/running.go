// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package observed

import (
	"context"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app"
	"github.com/fairway-cloud/fairway/internal/placement"
)

// InForce is the Placement that an application runs by: the newest that a Release
// uses and that holds its room; nil: none.
func (w World) InForce(namespace, application string, now time.Time) *placementv1.Placement {
	used := slices.DeleteFunc(w.Of(namespace, application, now), func(p placementv1.Placement) bool { return p.Status.Release == "" })
	if len(used) == 0 {
		return nil
	}
	slices.SortFunc(used, newestFirst)
	return &used[0]
}

// Running asks for the room that the applications have which run: of each the
// Revision that its Placement in force was made for, and what it has as Previous.
// Revisions and tenants come from the given reader. What cannot be read is left out
// and named.
func (w World) Running(ctx context.Context, reader client.Reader, now time.Time) (requests []placement.Request, left []string, err error) {
	type key struct{ namespace, application string }
	seen := map[key]bool{}
	pools := w.Snapshot(now).Pools
	for _, p := range w.Placements.Items {
		k := key{p.Namespace, p.Spec.Application}
		if seen[k] {
			continue
		}
		seen[k] = true
		inForce := w.InForce(k.namespace, k.application, now)
		if inForce == nil {
			continue
		}
		name := k.namespace + "/" + k.application
		request, why, err := w.request(ctx, reader, inForce, name, pools, now)
		if err != nil {
			return nil, nil, err
		}
		if why != "" {
			left = append(left, why)
			continue
		}
		requests = append(requests, request)
	}
	slices.Sort(left)
	return requests, left, nil
}

func (w World) request(ctx context.Context, reader client.Reader, inForce *placementv1.Placement, name string, pools []placement.Pool, now time.Time) (placement.Request, string, error) {
	var revision appv1.Revision
	err := reader.Get(ctx, client.ObjectKey{Namespace: inForce.Namespace, Name: inForce.Spec.Revision}, &revision)
	if apierrors.IsNotFound(err) {
		return placement.Request{}, fmt.Sprintf("application %s: its revision %q is gone", name, inForce.Spec.Revision), nil
	}
	if err != nil {
		return placement.Request{}, "", fmt.Errorf("could not read revision %q: %w", inForce.Spec.Revision, err)
	}
	content, err := app.Open(&revision)
	if err != nil {
		return placement.Request{}, fmt.Sprintf("application %s: %v", name, err), nil
	}
	var tenant tenancyv1.Tenant
	if err := reader.Get(ctx, client.ObjectKey{Name: content.Tenant}, &tenant); err != nil {
		if apierrors.IsNotFound(err) {
			return placement.Request{}, fmt.Sprintf("application %s: its tenant %q is gone", name, content.Tenant), nil
		}
		return placement.Request{}, "", fmt.Errorf("could not read tenant %q: %w", content.Tenant, err)
	}
	return RequestOf(content, name, &tenant, pools, w.Of(inForce.Namespace, inForce.Spec.Application, now)), "", nil
}
