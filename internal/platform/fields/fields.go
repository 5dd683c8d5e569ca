// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package fields finds the few objects of a kind that have something to do with an
// application without looking at all of them: a look at one application costs the same
// however many there are.
package fields

import (
	"context"
	"errors"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	deliveryv1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
)

// Application is the field by which a Release, a Placement and a MachineImport name their
// application within its namespace, and a Delivery as "<namespace>/<name>". A cache knows it after
// Add, and the hub by itself from Kubernetes 1.31 on.
const Application = "spec.application"

// LabelledFor is the application's name that a Rendering carries as a label
// (app.fairway.cloud/application), of whichever namespace. Only a cache of Renderings'
// metadata knows it, after Add: otherwise it compares the labels of all that there are.
const LabelledFor = "labelledFor"

// Add lets a cache find by Application and LabelledFor.
func Add(ctx context.Context, indexer client.FieldIndexer) error {
	renderings := &metav1.PartialObjectMetadata{}
	renderings.SetGroupVersionKind(deliveryv1.GroupVersion.WithKind("Rendering"))
	return errors.Join(
		indexer.IndexField(ctx, renderings, LabelledFor, func(o client.Object) []string { return []string{o.GetLabels()[appv1.LabelApplication]} }),
		indexer.IndexField(ctx, &releasev1.Release{}, Application, func(o client.Object) []string { return []string{o.(*releasev1.Release).Spec.Application} }),
		indexer.IndexField(ctx, &placementv1.Placement{}, Application, func(o client.Object) []string { return []string{o.(*placementv1.Placement).Spec.Application} }),
		indexer.IndexField(ctx, &placementv1.MachineImport{}, Application, func(o client.Object) []string { return []string{o.(*placementv1.MachineImport).Spec.Application} }),
		indexer.IndexField(ctx, &deliveryv1.Delivery{}, Application, func(o client.Object) []string { return []string{o.(*deliveryv1.Delivery).Spec.Application} }),
	)
}

// List lists the objects whose field has a value. Who is asked and does not know the
// field answers with all, so the caller looks at the field of each once more. That no
// field can hide an object from it makes it other than a label.
func List(ctx context.Context, from client.Reader, list client.ObjectList, field, value string, options ...client.ListOption) error {
	if from.List(ctx, list, append([]client.ListOption{client.MatchingFields{field: value}}, options...)...) == nil {
		return nil
	}
	return from.List(ctx, list, options...)
}
