// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"context"
	"fmt"
	"log/slog"

	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/fairway-cloud/fairway/internal/approval"
	"github.com/fairway-cloud/fairway/internal/audit"
	delivery "github.com/fairway-cloud/fairway/internal/delivery/controller"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
	"github.com/fairway-cloud/fairway/internal/platform/leadership"
	"github.com/fairway-cloud/fairway/internal/platform/members/connections"
	"github.com/fairway-cloud/fairway/internal/platform/readmodel"
)

// house is what the parts of the server are wired from.
type house struct {
	options  serverOptions
	log      *slog.Logger
	mgr      ctrl.Manager
	lock     *leadership.Lock
	identity httpapi.Authenticator
	gate     approval.Gate
	recorder audit.Recorder
	members  *connections.Connections
	store    *readmodel.Store
	sink     *readmodel.Sink
}

// part is one controller or service, by the name under which logs and metrics know it.
type part struct {
	name string
	add  func(*house, context.Context) error
}

// parts lists everything that runs in a server.
var parts = []part{
	{"members", func(h *house, _ context.Context) error { return h.mgr.Add(h.members) }},
	{"readmodel", (*house).addReadModel},
	{"delivery.apply", (*house).addDelivery},
	{"server", (*house).addAPI},
}

// wire adds every part to the manager.
func (h *house) wire(ctx context.Context) error {
	for _, p := range parts {
		if err := p.add(h, ctx); err != nil {
			return fmt.Errorf("could not start %s: %w", p.name, err)
		}
	}
	return nil
}

func (h *house) addDelivery(context.Context) error {
	return (&delivery.Reconciler{
		Hub: h.mgr.GetClient(), Renderings: h.mgr.GetAPIReader(), Members: h.members, Fence: h.lock, Epoch: h.lock.Epoch,
		Gate: h.gate, Recorder: h.recorder, Events: h.mgr.GetEventRecorder("fairway-delivery"),
	}).SetupWithManager(h.mgr)
}
