// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/fairway-cloud/fairway/internal/audit/sinks"
)

// addSinks has the leader pass evidence on to the bank's own systems.
func (h *house) addSinks(context.Context) error {
	if h.options.hook.sinks == "" {
		return nil
	}
	all, err := sinks.Load(h.options.hook.sinks)
	if err != nil {
		return err
	}
	var pumps []*sinks.Pump
	for _, s := range all {
		p := &sinks.Pump{Sink: s, Log: h.ledger, Dir: filepath.Join(h.options.dataDir, "sinks"), Logger: h.log}
		pumps = append(pumps, p)
		if err := gauges(p); err != nil {
			return err
		}
	}
	return h.mgr.Add(leading(func(ctx context.Context) error { return sinks.Feed(ctx, pumps) }))
}

// gauges show how far a sink is.
func gauges(p *sinks.Pump) error {
	labels := prometheus.Labels{"sink": p.Sink.Name()}
	for _, g := range []struct {
		name, help string
		value      func() float64
	}{
		{"fairway_audit_sink_next_record", "Number of the record that the sink gets next.", func() float64 { return float64(p.State().Next) }},
		{"fairway_audit_sink_away", "1 while evidence does not reach the sink.", func() float64 {
			if p.State().Away {
				return 1
			}
			return 0
		}},
	} {
		err := metrics.Registry.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: g.name, Help: g.help, ConstLabels: labels}, g.value))
		var there prometheus.AlreadyRegisteredError
		if err != nil && !errors.As(err, &there) {
			return fmt.Errorf("could not show how far sink %q is: %w", p.Sink.Name(), err)
		}
	}
	return nil
}
