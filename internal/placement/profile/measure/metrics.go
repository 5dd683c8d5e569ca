// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package measure

import "github.com/prometheus/client_golang/prometheus"

// counts are the questions of one rule.
type counts struct{ answered, failed int }

// collector tells of a Meter when it is asked.
type collector struct {
	meter        *Meter
	good, asking *prometheus.Desc
}

// Metrics tells when each TagRule last had a good answer, and how its questions went. Rules
// are few and a platform administrator's; one that is gone is told no more. A server that
// does not lead measures nothing and tells nothing.
func (m *Meter) Metrics() prometheus.Collector {
	of := func(o prometheus.Opts, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(o.Name, o.Help, labels, nil)
	}
	return &collector{
		meter:  m,
		good:   of(prometheus.Opts{Name: "fairway_placement_tag_rule_answered_timestamp_seconds", Help: "When a TagRule last had a good answer."}, "rule"),
		asking: of(prometheus.Opts{Name: "fairway_placement_tag_rule_questions_total", Help: "Questions of a TagRule, by whether there was a good answer."}, "rule", "result"),
	}
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(to chan<- *prometheus.Desc) {
	to <- c.good
	to <- c.asking
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(to chan<- prometheus.Metric) {
	c.meter.mu.Lock()
	defer c.meter.mu.Unlock()
	for rule, n := range c.meter.counts {
		if at, answered := c.meter.good[rule]; answered {
			to <- prometheus.MustNewConstMetric(c.good, prometheus.GaugeValue, float64(at.UnixMilli())/1000, rule)
		}
		to <- prometheus.MustNewConstMetric(c.asking, prometheus.CounterValue, float64(n.answered), rule, "answered")
		to <- prometheus.MustNewConstMetric(c.asking, prometheus.CounterValue, float64(n.failed), rule, "failed")
	}
}
