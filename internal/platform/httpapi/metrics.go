// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package httpapi

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics counts requests. Its labels are the rows of the route table and the
// status, never a name that a client chose.
type Metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
}

// NewMetrics registers the metrics.
func NewMetrics(registry prometheus.Registerer) (*Metrics, error) {
	m := &Metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fairway_api_requests_total", Help: "Requests answered, by route and status.",
		}, []string{"room", "route", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "fairway_api_request_seconds", Help: "Time to the end of the answer in seconds, streams left out.",
			Buckets: []float64{.005, .01, .025, .05, .1, .3, 1, 3, 10},
		}, []string{"room", "route"}),
	}
	var err error
	if m.requests, err = registered(registry, m.requests); err != nil {
		return nil, err
	}
	m.seconds, err = registered(registry, m.seconds)
	return m, err
}

// registered returns the collector that counts under its names: a server that was
// there before in the same process has registered it already.
func registered[C prometheus.Collector](registry prometheus.Registerer, c C) (C, error) {
	err := registry.Register(c)
	var before prometheus.AlreadyRegisteredError
	if errors.As(err, &before) {
		if there, ok := before.ExistingCollector.(C); ok {
			return there, nil
		}
	}
	return c, err
}

func (m *Metrics) observe(route Route, status int, took time.Duration) {
	if m == nil {
		return
	}
	m.requests.WithLabelValues(route.Room, route.ID(), strconv.Itoa(status)).Inc()
	if !route.Streams {
		m.seconds.WithLabelValues(route.Room, route.ID()).Observe(took.Seconds())
	}
}

// countedWriter remembers the status, and whether the answer has begun.
type countedWriter struct {
	http.ResponseWriter
	status int
	wrote  bool
}

func (c *countedWriter) WriteHeader(status int) {
	if !c.wrote {
		c.status, c.wrote = status, true
	}
	c.ResponseWriter.WriteHeader(status)
}

func (c *countedWriter) Write(b []byte) (int, error) {
	if !c.wrote {
		c.status, c.wrote = http.StatusOK, true
	}
	return c.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController flush.
func (c *countedWriter) Unwrap() http.ResponseWriter { return c.ResponseWriter }
