// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package keeper

import (
	"github.com/prometheus/client_golang/prometheus"
)

// collector tells of a Keeper when it is asked.
type collector struct {
	keeper                        *Keeper
	followed, age, known, rebuilt *prometheus.Desc
}

// Metrics tells what the Keeper follows, how old its view is and how often it was built anew.
// A server that does not lead follows nothing and tells nothing.
func (k *Keeper) Metrics() prometheus.Collector {
	of := func(o prometheus.Opts) *prometheus.Desc { return prometheus.NewDesc(o.Name, o.Help, nil, nil) }
	return &collector{
		keeper:   k,
		followed: of(prometheus.Opts{Name: "fairway_placement_followed_placements", Help: "Placements that the scheduler follows, those that hold no room any more included."}),
		age:      of(prometheus.Opts{Name: "fairway_placement_view_age_seconds", Help: "Time since the hub last told of Placements, be it that nothing changed."}),
		known:    of(prometheus.Opts{Name: "fairway_placement_view_known", Help: "1 while all changes of Placements are known; nothing is placed otherwise."}),
		rebuilt:  of(prometheus.Opts{Name: "fairway_placement_view_rebuilds_total", Help: "How often the fleet was built anew of all that is known instead of following a change."}),
	}
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.followed, c.age, c.known, c.rebuilt} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(to chan<- prometheus.Metric) {
	k := c.keeper
	k.mu.Lock()
	heard, known, followed, rebuilt := k.heard, 0.0, k.view.placements(), k.view.rebuilt
	if k.known {
		known = 1
	}
	k.mu.Unlock()
	if heard.IsZero() {
		return
	}
	to <- prometheus.MustNewConstMetric(c.followed, prometheus.GaugeValue, float64(followed))
	to <- prometheus.MustNewConstMetric(c.age, prometheus.GaugeValue, max(0, k.clock.Since(heard).Seconds()))
	to <- prometheus.MustNewConstMetric(c.known, prometheus.GaugeValue, known)
	to <- prometheus.MustNewConstMetric(c.rebuilt, prometheus.CounterValue, float64(rebuilt))
}

// placements counts the Placements of the view.
func (v *View) placements() int {
	n := 0
	for at := range v.objects {
		if at.kind == placements {
			n++
		}
	}
	return n
}
