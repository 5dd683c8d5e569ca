// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"context"

	"k8s.io/utils/clock"

	placement "github.com/fairway-cloud/fairway/internal/placement/controller"
)

// addMachines says which imports of virtual machines may be relied on.
func (h *house) addMachines(context.Context) error {
	return (&placement.Machines{Hub: h.mgr.GetClient(), Clock: clock.RealClock{}}).SetupWithManager(h.mgr)
}
