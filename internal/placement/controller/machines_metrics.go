// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
)

// importStates counts MachineImports when it is asked, so that every replica tells the same.
type importStates struct {
	hub    client.Reader
	states *prometheus.Desc
}

// Metrics tells how many MachineImports there are by whether they may be relied on. hub is
// the cache.
func (m *Machines) Metrics() prometheus.Collector {
	o := prometheus.Opts{Name: "fairway_placement_machine_imports", Help: "Imports of virtual machines by whether they may be relied on."}
	return &importStates{hub: m.Hub, states: prometheus.NewDesc(o.Name, o.Help, []string{"state"}, nil)}
}

// Describe implements prometheus.Collector.
func (c *importStates) Describe(to chan<- *prometheus.Desc) { to <- c.states }

// Collect implements prometheus.Collector.
func (c *importStates) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	var all placementv1.MachineImportList
	if err := c.hub.List(ctx, &all, client.UnsafeDisableDeepCopy); err != nil {
		to <- prometheus.NewInvalidMetric(c.states, fmt.Errorf("could not count the machine imports: %w", err))
		return
	}
	counts := map[string]int{placementv1.ReasonCurrent: 0, placementv1.ReasonStale: 0, placementv1.ReasonContradicted: 0, "Unjudged": 0}
	for i := range all.Items {
		state := "Unjudged"
		if ready := meta.FindStatusCondition(all.Items[i].Status.Conditions, placementv1.ConditionReady); ready != nil {
			state = ready.Reason
		}
		counts[state]++
	}
	for state, n := range counts {
		to <- prometheus.MustNewConstMetric(c.states, prometheus.GaugeValue, float64(n), state)
	}
}
