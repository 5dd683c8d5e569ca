// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package patch writes what changed and nothing else.
package patch

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// Status writes the status of after where it differs from that of before. A
// status that did not change costs no request. A status that somebody else
// changed meanwhile is not overwritten: the conflict comes back as an error.
func Status(ctx context.Context, c client.Client, before, after client.Object) error {
	same, err := sameStatus(before, after)
	if err != nil || same {
		return err
	}
	// The whole status, not a merge patch: a patch leaves out what is zero in Go
	// on both sides, though the hub never had it, and required fields go missing.
	err = c.Status().Update(ctx, after)
	if err != nil {
		return fmt.Errorf("could not write the status of %q: %w", after.GetName(), err)
	}
	return nil
}

func sameStatus(before, after client.Object) (bool, error) {
	a, b := statusOf(before), statusOf(after)
	if a.IsValid() && b.IsValid() {
		return equality.Semantic.DeepEqual(a.Interface(), b.Interface()), nil
	}
	first, err := runtime.DefaultUnstructuredConverter.ToUnstructured(before)
	if err != nil {
		return false, fmt.Errorf("could not read the status of %q: %w", before.GetName(), err)
	}
	second, err := runtime.DefaultUnstructuredConverter.ToUnstructured(after)
	if err != nil {
		return false, fmt.Errorf("could not read the status of %q: %w", after.GetName(), err)
	}
	return equality.Semantic.DeepEqual(first["status"], second["status"]), nil
}

func statusOf(object client.Object) reflect.Value {
	value := reflect.ValueOf(object)
	if value.Kind() != reflect.Pointer || value.Elem().Kind() != reflect.Struct {
		return reflect.Value{}
	}
	return value.Elem().FieldByName("Status")
}

// soon is when an object is looked at again that somebody else wrote meanwhile.
const soon = 200 * time.Millisecond

// Settle ends a reconciliation. A conflict is no failure: what was read was
// behind what is stored, as a cache always may be, so the object is looked at
// again in a moment and nobody is told.
func Settle(result reconcile.Result, err error) (reconcile.Result, error) {
	switch {
	case apierrors.IsConflict(err):
		return reconcile.Result{RequeueAfter: soon}, nil
	case err != nil:
		return reconcile.Result{}, err
	}
	return result, nil
}
