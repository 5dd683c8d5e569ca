// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package cases

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	deliveryv1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app"
	"github.com/fairway-cloud/fairway/internal/approval"
	"github.com/fairway-cloud/fairway/internal/release"
)

// Draft gathers what the request for a Release is made from. It fails where the
// stored plan is not the one that was digested.
func (r *Reader) Draft(ctx context.Context, rel *releasev1.Release, class tenancyv1.EnvironmentClass) (approval.Draft, error) {
	d := approval.Draft{Release: rel, Class: class, Application: &appv1.Application{}, Running: map[string]deliveryv1.DeliverySpec{}, Number: 1}
	var err error
	if d.Plan, err = release.Open(rel.Status.Plan, rel.Status.PlanDigest); err != nil {
		return d, err
	}
	if err := r.Direct.Get(ctx, client.ObjectKey{Namespace: rel.Namespace, Name: rel.Spec.Application}, d.Application); err != nil {
		return d, fmt.Errorf("could not read application %q: %w", rel.Spec.Application, err)
	}
	for _, c := range d.Plan.Clusters {
		running := &deliveryv1.Delivery{}
		err := r.Direct.Get(ctx, client.ObjectKey{Namespace: fleetv1.ClusterNamespacePrefix + c.Cluster, Name: c.Namespace}, running)
		if client.IgnoreNotFound(err) != nil {
			return d, fmt.Errorf("could not read what runs in cluster %q: %w", c.Cluster, err)
		}
		if err == nil {
			d.Running[c.Cluster] = running.Spec
		}
	}
	if rel.Spec.Revision == "" {
		return d, nil
	}
	after, err := r.revision(ctx, rel.Namespace, rel.Spec.Revision)
	if err != nil || after == nil {
		return d, err
	}
	d.Makers = after.Spec.Makers
	d.Changes, err = r.changes(ctx, d.Application, after)
	return d, err
}

// revision reads a Revision; nil where it is gone.
func (r *Reader) revision(ctx context.Context, namespace, name string) (*appv1.Revision, error) {
	out := &appv1.Revision{}
	err := r.Direct.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, out)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("could not read revision %q: %w", name, err)
	}
	return out, nil
}

// changes tells what the Revision changes against the one in service.
func (r *Reader) changes(ctx context.Context, a *appv1.Application, after *appv1.Revision) ([]string, error) {
	wanted, err := app.Open(after)
	if err != nil {
		return nil, fmt.Errorf("could not read revision %q: %w", after.Name, err)
	}
	before := app.Content{}
	if name := a.Status.ReleasedRevision; name != "" {
		revision, err := r.revision(ctx, a.Namespace, name)
		if err != nil {
			return nil, err
		}
		if revision != nil {
			if before, err = app.Open(revision); err != nil {
				return nil, fmt.Errorf("could not read revision %q: %w", name, err)
			}
		}
	}
	list, err := app.Diff(before, wanted)
	if err != nil {
		return nil, fmt.Errorf("could not compare with revision %q: %w", after.Name, err)
	}
	out := make([]string, 0, len(list))
	for _, c := range list {
		out = append(out, c.String())
	}
	return out, nil
}

// Facts are what a policy is selected by; nil where the plan or the application cannot be
// read. How much is touched no policy is selected by, and it is not in them: what runs
// need not be read for it.
func (r *Reader) Facts(ctx context.Context, rel *releasev1.Release, class tenancyv1.EnvironmentClass) *approval.Facts {
	d := approval.Draft{Release: rel, Class: class, Application: &appv1.Application{}}
	var err error
	if d.Plan, err = release.Open(rel.Status.Plan, rel.Status.PlanDigest); err != nil {
		return nil
	}
	if err := r.Direct.Get(ctx, client.ObjectKey{Namespace: rel.Namespace, Name: rel.Spec.Application}, d.Application); err != nil {
		return nil
	}
	f := d.Facts()
	f.Instances, f.Clusters = 0, 0
	return &f
}
