// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server

import (
	"context"
	"errors"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// TestABrakeIsKeptWhereTheHubFails: what the hub refuses it refuses; whatever fails within it
// is no answer, and the brake is kept.
func TestABrakeIsKeptWhereTheHubFails(t *testing.T) {
	brakes := schema.GroupResource{Group: "placement.fairway.cloud", Resource: "brakes"}
	for name, c := range map[string]struct {
		err  error
		away bool
	}{
		"no connection":             {errors.New("connection refused"), true},
		"no answer in time":         {context.DeadlineExceeded, true},
		"its store has no leader":   {apierrors.NewInternalError(errors.New("etcdserver: no leader")), true},
		"it starts":                 {apierrors.NewServiceUnavailable("starting"), true},
		"it is asked too much":      {apierrors.NewTooManyRequests("later", 1), true},
		"its store took too long":   {apierrors.NewTimeoutError("etcd", 1), true},
		"the person may not":        {apierrors.NewForbidden(brakes, "night", errors.New("no role")), false},
		"there is one of that name": {apierrors.NewAlreadyExists(brakes, "night"), false},
		"it is no brake":            {apierrors.NewBadRequest("no environment"), false},
	} {
		if got := away(c.err); got != c.away {
			t.Errorf("%s: away is %v", name, got)
		}
	}
}
