// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package machines

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairway-cloud/fairway/internal/platform/patch"
)

// owner is the field manager of what is imported.
const owner = client.FieldOwner("fairway-import")

// Try has the hub check every action, as the person who asks, and writes nothing.
func Try(ctx context.Context, as client.Client, actions []Action) []Fault {
	return each(ctx, as, actions, true)
}

// CarryOut writes the actions as the person who asks, one application after another. Done
// again, it does what is left. Whoever reads meanwhile, or after it broke off, sees of each
// application what the file says or what was said before it, never a part of either: a
// decision looks at the machines of one application only, so it is never made on a mixture.
func CarryOut(ctx context.Context, as client.Client, actions []Action) []Fault {
	return each(ctx, as, actions, false)
}

func each(ctx context.Context, as client.Client, actions []Action, dry bool) []Fault {
	var faults []Fault
	for _, a := range actions {
		if err := (patch.Put{New: a.Verb == "create", Dry: dry, Owner: owner}).Object(ctx, as, a.Import); err != nil {
			faults = append(faults, faultOf(a, err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return faults
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
