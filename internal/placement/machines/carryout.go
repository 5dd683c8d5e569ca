// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package machines

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
)

// owner is the field manager of what is imported.
const owner = client.FieldOwner("fairway-import")

// Try has the hub check every action, as the person who asks, and writes nothing.
func Try(ctx context.Context, as client.Client, actions []Action) []Fault {
	return each(ctx, as, actions, client.DryRunAll)
}

// CarryOut writes the actions as the person who asks. Done again, it does what is left.
func CarryOut(ctx context.Context, as client.Client, actions []Action) []Fault {
	return each(ctx, as, actions)
}

func each(ctx context.Context, as client.Client, actions []Action, more ...client.CreateOption) []Fault {
	var faults []Fault
	for _, a := range actions {
		if err := write(ctx, as, a, more...); err != nil {
			faults = append(faults, faultOf(a, err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return faults
}

func write(ctx context.Context, as client.Client, a Action, more ...client.CreateOption) error {
	// What a dry run answers must not get into what is written afterwards.
	object := a.Import.DeepCopyObject().(*placementv1.MachineImport)
	if a.Verb == "create" {
		return as.Create(ctx, object, append(more, owner)...)
	}
	options := []client.UpdateOption{owner}
	if len(more) > 0 {
		options = append(options, client.DryRunAll)
	}
	return as.Update(ctx, object, options...)
}

// faultOf tells what the hub said to one action; what went wrong inside stays there.
func faultOf(a Action, err error) Fault {
	var status apierrors.APIStatus
	switch {
	case apierrors.IsConflict(err), apierrors.IsAlreadyExists(err):
		return Fault{Message: fmt.Sprintf("%s: somebody else wrote it meanwhile: import again", a.Name())}
	case errors.As(err, &status) && (apierrors.IsInvalid(err) || apierrors.IsForbidden(err) || apierrors.IsBadRequest(err)):
		return Fault{Message: fmt.Sprintf("%s: %s", a.Name(), status.Status().Message)}
	}
	return Fault{Message: fmt.Sprintf("%s: the hub did not %s it: import again", a.Name(), a.Verb)}
}
