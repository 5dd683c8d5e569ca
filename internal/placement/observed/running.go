// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package observed

import (
	"context"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app"
	"github.com/fairway-cloud/fairway/internal/placement"
)

// InForce is the Placement that an application runs by, among those that hold its room: the
// newest whose Release has taken a step; nil: none. One that waits for its approval, or was
// stopped before its first step, holds room and changes nothing of what runs.
func InForce(held []placementv1.Placement) *placementv1.Placement {
	if used := usedBy(held); len(used) > 0 && Begun(&used[0]) {
		return &used[0]
	}
	return nil
}

// Planned is the newest Placement whose Release has not taken a step yet; nil: none.
func Planned(held []placementv1.Placement) *placementv1.Placement {
	used := usedBy(held)
	if i := slices.IndexFunc(used, func(p placementv1.Placement) bool { return !Begun(&p) }); i >= 0 {
		return &used[i]
	}
	return nil
}

// Begun reports whether what a Placement says runs, or is being brought about.
func Begun(p *placementv1.Placement) bool {
	reserved := meta.FindStatusCondition(p.Status.Conditions, placementv1.ConditionReserved)
	return p.Status.Release != "" && (reserved == nil || reserved.Reason != placementv1.ReasonPlanned)
}

// Running asks for the room that the applications have which run: of each the
// Revision that its Placement in force was made for, and what it has as Previous.
// Revisions and tenants come from the given reader. What cannot be read is left out
// and named.
func (w World) Running(ctx context.Context, reader client.Reader, pools []placement.Pool, now time.Time) (requests []placement.Request, left []string, err error) {
	held, order := map[client.ObjectKey][]placementv1.Placement{}, []client.ObjectKey{}
	for i := range w.Placements.Items {
		p := &w.Placements.Items[i]
		if !Holds(p, now) {
			continue
		}
		application := client.ObjectKey{Namespace: p.Namespace, Name: p.Spec.Application}
		if held[application] == nil {
			order = append(order, application)
		}
		held[application] = append(held[application], *p)
	}
	for _, application := range order {
		if InForce(held[application]) == nil {
			continue
		}
		request, why, err := running(ctx, reader, application.Namespace+"/"+application.Name, held[application], pools)
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

// running asks for the room of one application; why says what of it is gone.
func running(ctx context.Context, reader client.Reader, name string, held []placementv1.Placement, pools []placement.Pool) (request placement.Request, why string, err error) {
	inForce := InForce(held)
	var revision appv1.Revision
	err = reader.Get(ctx, client.ObjectKey{Namespace: inForce.Namespace, Name: inForce.Spec.Revision}, &revision)
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
	return RequestOf(content, name, &tenant, pools, held), "", nil
}
