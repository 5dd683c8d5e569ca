// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package crosscheck

import "github.com/prometheus/client_golang/prometheus"

var (
	compared    = prometheus.NewDesc("fairway_audit_log_writes_total", "Writes in the audit log of an API server that were compared with evidence.", []string{"cluster"}, nil)
	unaccounted = prometheus.NewDesc("fairway_audit_log_unaccounted_writes_total", "Writes in the audit log of an API server that no record accounts for.", []string{"cluster"}, nil)
	newest      = prometheus.NewDesc("fairway_audit_log_newest_timestamp_seconds", "Time of the newest line of an audit log that was read.", []string{"cluster"}, nil)
	states      = prometheus.NewDesc("fairway_audit_log_state", "1 for the state of the comparison with a cluster's audit log.", []string{"cluster", "state"}, nil)
)

// Describe implements prometheus.Collector.
func (w *Watch) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{compared, unaccounted, newest, states} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (w *Watch) Collect(to chan<- prometheus.Metric) {
	for _, s := range w.Statuses() {
		to <- prometheus.MustNewConstMetric(states, prometheus.GaugeValue, 1, s.Cluster, string(s.State))
		if s.Since.IsZero() {
			continue
		}
		to <- prometheus.MustNewConstMetric(compared, prometheus.CounterValue, float64(s.Compared), s.Cluster)
		to <- prometheus.MustNewConstMetric(unaccounted, prometheus.CounterValue, float64(s.total), s.Cluster)
		if !s.Newest.IsZero() {
			to <- prometheus.MustNewConstMetric(newest, prometheus.GaugeValue, float64(s.Newest.UnixMilli())/1000, s.Cluster)
		}
	}
}
