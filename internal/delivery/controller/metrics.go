// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/fairway-cloud/fairway/internal/delivery"
)

var (
	actions = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "fairway_delivery_actions_total",
		Help: "Writes to members, by what they did and whether they succeeded.",
	}, []string{"verb", "result"})
	noRoom = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "fairway_delivery_no_room_total",
		Help: "Instances that had no host for more than 30 seconds, although they were placed.",
	})
	putBack = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "fairway_delivery_put_back_total",
		Help: "Objects in members that somebody else had changed and Delivery put back.",
	})
)

func init() { metrics.Registry.MustRegister(actions, noRoom, putBack) }

func count(action delivery.Action, err error) {
	result := "done"
	if err != nil {
		result = "failed"
	}
	actions.WithLabelValues(strings.ReplaceAll(string(action.Verb), " ", "_"), result).Inc()
}
