// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package metricstest_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/fairway-cloud/fairway/internal/platform/metricstest"
)

// TestRead reads one metric of each kind.
func TestRead(t *testing.T) {
	acts := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "acts_total", Help: "Acts."}, []string{"room", "result"})
	acts.WithLabelValues("release", "done").Add(3)
	acts.WithLabelValues("release", "failed").Inc()
	open := prometheus.NewGauge(prometheus.GaugeOpts{Name: "open", Help: "Open."})
	open.Set(-2)
	took := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "took_seconds", Help: "Took.", Buckets: []float64{1}})
	took.Observe(0.5)
	took.Observe(4)
	want := map[string]float64{"acts_total done release": 3, "acts_total failed release": 1, "open": -2, "took_seconds number": 2, "took_seconds sum": 4.5}
	if diff := cmp.Diff(want, metricstest.Read(t, metricstest.Of(t, acts, open, took))); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}
