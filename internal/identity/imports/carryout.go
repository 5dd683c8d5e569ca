// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package imports

import (
	"context"
	"errors"
	"fmt"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairway-cloud/fairway/internal/platform/patch"
)

// atOnce is how many writes are under way at a time.
const atOnce = 16

// owner is the field manager of what is imported.
const owner = client.FieldOwner("fairway-import")

// Try has the hub check every action, as the person who asks, and writes nothing.
func Try(ctx context.Context, as client.Client, actions []Action) []Fault {
	faults := make([]*Fault, len(actions))
	each(actions, func(i int, a Action) {
		if err := write(ctx, as, a, true); err != nil {
			faults[i] = faultOf(a, err)
		}
	})
	return gather(faults)
}

// CarryOut writes the actions as the person who asks: tenants one after the other,
// then people. It stops at the first tenant that fails; of people it tells each that
// failed. Done again, it does what is left.
func CarryOut(ctx context.Context, as client.Client, actions []Action) []Fault {
	people := len(actions)
	for i, a := range actions {
		if a.Tenant == nil {
			people = i
			break
		}
		if err := write(ctx, as, a, false); err != nil {
			return []Fault{*faultOf(a, err)}
		}
	}
	actions = actions[people:]
	faults := make([]*Fault, len(actions))
	each(actions, func(i int, a Action) {
		if err := write(ctx, as, a, false); err != nil {
			faults[i] = faultOf(a, err)
		}
	})
	return gather(faults)
}

func each(actions []Action, do func(int, Action)) {
	var wait sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for i, a := range actions {
		slots <- struct{}{}
		wait.Go(func() {
			defer func() { <-slots }()
			do(i, a)
		})
	}
	wait.Wait()
}

func gather(faults []*Fault) []Fault {
	var all []Fault
	for _, f := range faults {
		if f != nil {
			all = append(all, *f)
		}
	}
	return all
}

func write(ctx context.Context, as client.Client, a Action, dry bool) error {
	var object client.Object = a.Person
	if a.Tenant != nil {
		object = a.Tenant
	}
	return patch.Put{New: a.Verb == "create", Dry: dry, Owner: owner}.Object(ctx, as, object)
}

// faultOf tells what the hub said to one action; what went wrong inside stays there.
func faultOf(a Action, err error) *Fault {
	fault := &Fault{Line: a.Line, ID: a.Name()}
	var status apierrors.APIStatus
	switch {
	case apierrors.IsConflict(err), apierrors.IsAlreadyExists(err):
		fault.Message = "somebody else wrote it meanwhile: import again"
	case errors.As(err, &status) && (apierrors.IsInvalid(err) || apierrors.IsForbidden(err) || apierrors.IsBadRequest(err)):
		fault.Message = status.Status().Message
	default:
		fault.Message = fmt.Sprintf("the hub did not %s it: import again", a.Verb)
	}
	return fault
}
