// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package metricstest reads in tests what metrics say.
package metricstest

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// Read is what metrics say now, by name and then the values of their labels in the order of
// the labels' names: "fairway_placement_commits_total stored". A histogram is two numbers,
// with " number" and " sum" behind its name.
func Read(t testing.TB, from prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := from.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += " " + l.GetValue()
			}
			if h := m.GetHistogram(); h != nil {
				out[name+" number"], out[name+" sum"] = float64(h.GetSampleCount()), h.GetSampleSum()
				continue
			}
			out[name] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	return out
}

// Of is a registry of their own that refuses collectors which do not tell what they say they
// would.
func Of(t testing.TB, collectors ...prometheus.Collector) *prometheus.Registry {
	t.Helper()
	r := prometheus.NewPedanticRegistry()
	for _, c := range collectors {
		if err := r.Register(c); err != nil {
			t.Fatal(err)
		}
	}
	return r
}
