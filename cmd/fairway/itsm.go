// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"context"
	"errors"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/approval/itsm"
	"github.com/fairway-cloud/fairway/internal/approval/notify"
	approvalserver "github.com/fairway-cloud/fairway/internal/approval/server"
	"github.com/fairway-cloud/fairway/internal/platform/outbox"
)

// addOutbox opens what keeps messages to other systems.
func (h *house) addOutbox(ctx context.Context) error {
	box, err := outbox.Open(ctx, h.database)
	if err != nil {
		return err
	}
	h.outbox = box
	if err := registered(metrics.Registry, box.Metrics(clock.RealClock{})); err != nil {
		return err
	}
	return h.mgr.Add(&outbox.Sweeper{Outbox: box, Clock: clock.RealClock{}, Log: h.log})
}

// registered registers a collector in place of an earlier one of the same metrics.
func registered(to prometheus.Registerer, c prometheus.Collector) error {
	err := to.Register(c)
	var before prometheus.AlreadyRegisteredError
	if errors.As(err, &before) && to.Unregister(before.ExistingCollector) {
		return to.Register(c)
	}
	return err
}

// addITSM connects the systems of the bank that take part in approvals. Without a
// file that names them there are none.
func (h *house) addITSM(ctx context.Context) error {
	if h.options.itsmConfig == "" {
		return nil
	}
	systems, err := itsm.ReadConfig(h.options.itsmConfig, clock.RealClock{})
	if err != nil {
		return err
	}
	nonces, err := itsm.OpenNonces(ctx, h.database)
	if err != nil {
		return err
	}
	h.itsm = &itsm.Receiver{
		Systems: systems, Nonces: nonces, Requests: h.mgr.GetAPIReader(), Deliver: itsm.Decisions{Hub: h.mgr.GetClient(), Refusal: h.foresee, Proofs: h.proofs}, Clock: clock.RealClock{},
	}
	return (&itsm.Asking{Hub: h.mgr.GetClient(), Outbox: h.outbox, Systems: systems, Clock: clock.RealClock{}, Log: h.log}).SetupWithManager(h.mgr)
}

// foresee says why a verdict of a system would not count, as the Gate would say it.
func (h *house) foresee(ctx context.Context, decision *approvalv1.Decision) (string, error) {
	return (&approvalserver.Desk{Strict: h.cases}).Refusal(ctx, decision)
}

// addNotify tells people of approvals. Without a file that says how, nobody is told.
func (h *house) addNotify(context.Context) error {
	if h.options.notifyConfig == "" {
		return nil
	}
	settings, err := notify.ReadConfig(h.options.notifyConfig, clock.RealClock{})
	if err != nil {
		return err
	}
	return (&notify.Telling{Hub: h.mgr.GetClient(), Outbox: h.outbox, Settings: settings, Clock: clock.RealClock{}, Log: h.log}).SetupWithManager(h.mgr)
}
