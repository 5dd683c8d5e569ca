// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"context"
	"errors"

	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	placement "github.com/fairway-cloud/fairway/internal/placement/controller"
	"github.com/fairway-cloud/fairway/internal/placement/inventory"
)

// addMachines says which imports of virtual machines may be relied on.
func (h *house) addMachines(context.Context) error {
	machines := &placement.Machines{Hub: h.mgr.GetClient(), Clock: clock.RealClock{}}
	return errors.Join(registered(metrics.Registry, machines.Metrics()), machines.SetupWithManager(h.mgr))
}

// addInventory keeps the list of all instances, and tells the bank's CMDB what changes of it.
// Without a file that names receivers nobody is told.
func (h *house) addInventory(ctx context.Context) error {
	store, err := inventory.Open(ctx, h.database)
	if err != nil {
		return err
	}
	h.inventory = store
	if err := (&inventory.Projector{Hub: h.mgr.GetClient(), Running: h.store, Store: store, Clock: clock.RealClock{}}).SetupWithManager(h.mgr); err != nil {
		return err
	}
	if h.options.cmdbConfig == "" {
		return nil
	}
	receivers, err := inventory.ReadConfig(h.options.cmdbConfig, clock.RealClock{})
	if err != nil {
		return err
	}
	h.publisher = &inventory.Publisher{Store: store, Outbox: h.outbox, Receivers: receivers, Clock: clock.RealClock{}, Log: h.log}
	return h.publisher.SetupWithManager(h.mgr)
}

// replayer has a receiver of the inventory told anew; nil: there is none.
func (h *house) replayer() func(ctx context.Context, receiver string, after int64) error {
	if h.publisher == nil {
		return nil
	}
	return h.publisher.Replay
}
