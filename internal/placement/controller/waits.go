// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement"
	"github.com/fairway-cloud/fairway/internal/placement/observed"
)

// waitsOf are the seats of an application that wait in their cells for room, as its
// Deliveries tell. An application that was never released has none.
func waitsOf(ctx context.Context, hub client.Reader, application client.ObjectKey) ([]placement.Wait, error) {
	var released appv1.Application
	if err := hub.Get(ctx, application, &released); err != nil || released.Status.ReleasedRevision == "" {
		return nil, client.IgnoreNotFound(err)
	}
	return observed.WaitsOf(ctx, hub, application.String())
}
