// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package patch

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Put is how an object is written that somebody hands in whole.
type Put struct {
	// New objects are created, others updated.
	New bool
	// Dry has the hub check the object and write nothing.
	Dry bool
	// Owner is the field manager.
	Owner client.FieldOwner
}

// Object writes a copy, so that what a dry run answers does not get into what is written
// afterwards.
func (p Put) Object(ctx context.Context, c client.Writer, object client.Object) error {
	object = object.DeepCopyObject().(client.Object)
	if p.New {
		options := []client.CreateOption{p.Owner}
		if p.Dry {
			options = append(options, client.DryRunAll)
		}
		return c.Create(ctx, object, options...)
	}
	options := []client.UpdateOption{p.Owner}
	if p.Dry {
		options = append(options, client.DryRunAll)
	}
	return c.Update(ctx, object, options...)
}
