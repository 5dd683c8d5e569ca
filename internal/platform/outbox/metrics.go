// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package outbox

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"
)

// collector counts what waits when it is asked, so that every replica tells the same.
type collector struct {
	outbox  *Outbox
	clock   clock.PassiveClock
	waiting *prometheus.Desc
	oldest  *prometheus.Desc
}

// Metrics tells how many messages wait in each queue that something waits in, and
// for how long. A queue is a system of the bank or a way of telling people.
func (o *Outbox) Metrics(now clock.PassiveClock) prometheus.Collector {
	queue := []string{"queue"}
	waiting := prometheus.Opts{Name: "fairway_outbox_waiting", Help: "Messages to other systems that wait."}
	oldest := prometheus.Opts{Name: "fairway_outbox_oldest_seconds", Help: "How long the oldest message has waited."}
	return &collector{
		outbox: o, clock: now,
		waiting: prometheus.NewDesc(waiting.Name, waiting.Help, queue, nil), oldest: prometheus.NewDesc(oldest.Name, oldest.Help, queue, nil),
	}
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(to chan<- *prometheus.Desc) {
	to <- c.waiting
	to <- c.oldest
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := c.collect(ctx, to); err != nil {
		to <- prometheus.NewInvalidMetric(c.waiting, fmt.Errorf("could not count the outbox: %w", err))
	}
}

func (c *collector) collect(ctx context.Context, to chan<- prometheus.Metric) error {
	rows, err := c.outbox.db.Query(ctx, "SELECT queue, count(*), min(made_at) FROM outbox WHERE state = ? GROUP BY queue", string(Waiting))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var queue string
		var count, made int64
		if err := rows.Scan(&queue, &count, &made); err != nil {
			return err
		}
		to <- prometheus.MustNewConstMetric(c.waiting, prometheus.GaugeValue, float64(count), queue)
		to <- prometheus.MustNewConstMetric(c.oldest, prometheus.GaugeValue, c.clock.Since(time.UnixMilli(made)).Seconds(), queue)
	}
	return rows.Err()
}
