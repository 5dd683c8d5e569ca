// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package serving runs an HTTP service the way a platform wants it: probes, a
// graceful end, and structured logs on standard output.
//
// On SIGTERM the readiness probe fails at once; the service keeps answering
// for its drain time, telling each client to take a new connection; then it
// finishes what is in flight and exits with 0.
package serving

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"
)

// finishing is how long requests in flight get after the drain time.
const finishing = 20 * time.Second

// Service is what one process serves.
type Service struct {
	// Listen is the address, ":8080" when empty.
	Listen string
	// Handler serves everything but /healthz and /readyz.
	Handler http.Handler
	// Ready says why no traffic may come yet; nil means it may.
	Ready func() error
	// Alive says why this process must be replaced; nil means it need not.
	Alive func() error
	// Drain is how long to keep serving after SIGTERM, asked at that time.
	Drain func() time.Duration
	// Listening is told the address once connections are accepted.
	Listening func(net.Addr)
}

// Logs makes JSON on standard output the default log. Every record bears the
// given attributes; the level can be changed while running.
func Logs(level *slog.LevelVar, attributes ...any) {
	handler := slog.NewJSONHandler(os.Stdout, &slog.HandlerOptions{Level: level})
	slog.SetDefault(slog.New(handler).With(attributes...))
}

// Run serves until SIGTERM, SIGINT or the end of ctx, then drains.
func Run(ctx context.Context, s Service) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	address := s.Listen
	if address == "" {
		address = ":8080"
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("could not listen on %q: %w", address, err)
	}
	return s.serve(ctx, listener)
}

func (s Service) serve(ctx context.Context, listener net.Listener) error {
	var draining atomic.Bool
	server := &http.Server{
		Handler:           s.routes(&draining),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(slog.Default().Handler(), slog.LevelWarn),
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	slog.Info("serving", "address", listener.Addr().String())
	if s.Listening != nil {
		s.Listening(listener.Addr())
	}

	select {
	case err := <-failed:
		return fmt.Errorf("could not serve on %q: %w", listener.Addr(), err)
	case <-ctx.Done():
	}
	drain := 5 * time.Second
	if s.Drain != nil {
		drain = s.Drain()
	}
	draining.Store(true)
	slog.Info("draining", "for", drain.String())
	select {
	case err := <-failed:
		return fmt.Errorf("could not serve on %q while draining: %w", listener.Addr(), err)
	case <-time.After(drain):
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishing)
	defer cancel()
	if err := server.Shutdown(last); err != nil {
		return fmt.Errorf("could not finish all requests within %s: %w", finishing, err)
	}
	slog.Info("stopped")
	return nil
}

func (s Service) routes(draining *atomic.Bool) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { probe(w, s.Alive) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if draining.Load() {
			probe(w, func() error { return errors.New("draining") })
			return
		}
		probe(w, s.Ready)
	})
	mux.Handle("/", s.Handler)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if draining.Load() {
			// Answered, and asked to come back on another connection.
			// Closing idle ones instead would race with their next request.
			w.Header().Set("Connection", "close")
		}
		start := time.Now()
		noted := &status{ResponseWriter: w, code: http.StatusOK}
		mux.ServeHTTP(noted, r)
		level := slog.LevelDebug
		if noted.code >= 500 && r.URL.Path != "/readyz" {
			level = slog.LevelWarn
		}
		slog.Log(r.Context(), level, "request", "method", r.Method, "path", r.URL.Path,
			"status", noted.code, "ms", float64(time.Since(start).Microseconds())/1000)
	})
}

func probe(w http.ResponseWriter, ask func() error) {
	if ask != nil {
		if err := ask(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
	}
	fmt.Fprintln(w, "ok")
}

type status struct {
	http.ResponseWriter
	code int
}

func (s *status) WriteHeader(code int) {
	s.code = code
	s.ResponseWriter.WriteHeader(code)
}

// JSON answers with a value.
func JSON(w http.ResponseWriter, code int, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(append(body, '\n')) // the client went away: nobody left to tell
}

// Problem is the body of every refusal.
type Problem struct {
	Error string `json:"error"`
}

// Refuse answers with a Problem.
func Refuse(w http.ResponseWriter, code int, err error) {
	if code == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	JSON(w, code, Problem{Error: err.Error()})
}
