// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

var (
	batches = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "fairway_placement_batch_requests",
		Help:    "Requests that were decided together.",
		Buckets: prometheus.ExponentialBuckets(1, 2, 11),
	})
	commits = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "fairway_placement_commits_total",
		Help: "Decisions, by what became of them.",
	}, []string{"result"})
)

func init() { metrics.Registry.MustRegister(batches, commits) }

// The results of decisions.
const (
	commitStored    = "stored"    // its Placement is written and stands
	commitRefused   = "refused"   // there is no room, or no place that the rules allow
	commitWithdrawn = "withdrawn" // another server was first, and it is decided anew
	commitFailed    = "failed"    // it could not be written, and its room was given back
)
