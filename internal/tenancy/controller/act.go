// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairway-cloud/fairway/internal/tenancy"
)

// do carries one action out. Repeating it does no harm.
func (r *Reconciler) do(ctx context.Context, tenant string, action tenancy.Action) error {
	switch action.Verb {
	case tenancy.MakeNamespace:
		// A create, not an apply: somebody else's namespace is not taken over. If one
		// came in between, the next look tells.
		return client.IgnoreAlreadyExists(r.hub.Create(ctx, action.Made(tenant), owner))
	case tenancy.Bind:
		return r.apply(ctx, action.Bound(tenant))
	case tenancy.Unbind:
		return client.IgnoreNotFound(r.hub.Delete(ctx, action.Bound(tenant)))
	case tenancy.LetRead:
		role, binding := action.Reading(tenant)
		return errors.Join(r.apply(ctx, role), r.apply(ctx, binding))
	case tenancy.EndReading:
		role, binding := action.Reading(tenant)
		return errors.Join(client.IgnoreNotFound(r.hub.Delete(ctx, binding)), client.IgnoreNotFound(r.hub.Delete(ctx, role)))
	}
	return fmt.Errorf("unknown action %q", action.Verb)
}

func (r *Reconciler) apply(ctx context.Context, object client.Object) error {
	raw, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return err
	}
	unstructured.RemoveNestedField(raw, "metadata", "creationTimestamp")
	return r.hub.Apply(ctx, client.ApplyConfigurationFromUnstructured(&unstructured.Unstructured{Object: raw}), owner, client.ForceOwnership)
}
