// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"context"

	"k8s.io/utils/clock"

	placement "github.com/fairway-cloud/fairway/internal/placement/controller"
)

// addLost proposes where instances go after a loss, and back.
func (h *house) addLost(context.Context) error {
	return (&placement.Lost{
		Hub: h.mgr.GetClient(), Direct: h.mgr.GetAPIReader(), Clock: clock.RealClock{}, Fence: h.lock, Keeper: h.keeper, Kept: h.stops.Braked, Recorder: h.recorder,
		Events: h.mgr.GetEventRecorder("fairway-placement"),
	}).SetupWithManager(h.mgr)
}
