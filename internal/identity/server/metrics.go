// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// How an attempt to come in ends, as the metric counts it.
const (
	cameIn     = "done"
	wasWrong   = "refused"
	wasLocked  = "locked"
	isStranger = "stranger"
	wasAway    = "away"
)

// Metrics counts attempts to come in. Its labels are the ways that the settings name
// and the ends above, never a name that somebody typed.
type Metrics struct {
	logins *prometheus.CounterVec
}

// NewMetrics registers the metrics.
func NewMetrics(registry prometheus.Registerer) (*Metrics, error) {
	m := &Metrics{logins: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "fairway_identity_logins_total", Help: "Attempts to log in, by provider and result.",
	}, []string{"provider", "result"})}
	err := registry.Register(m.logins)
	var before prometheus.AlreadyRegisteredError
	if errors.As(err, &before) {
		if there, ok := before.ExistingCollector.(*prometheus.CounterVec); ok {
			m.logins, err = there, nil
		}
	}
	return m, err
}

func (m *Metrics) count(provider, result string) {
	if m != nil {
		m.logins.WithLabelValues(provider, result).Inc()
	}
}
