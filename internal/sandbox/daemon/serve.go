// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/fairway-cloud/fairway/internal/sandbox/control"
)

// serve answers on the control socket until ctx ends.
func (s *Sandbox) serve(ctx context.Context) error {
	socket := s.Options.Folder.Socket()
	// A killed daemon leaves its socket behind; we hold the lock, so it is free.
	if err := os.Remove(socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("could not take over the control socket: %w", err)
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return fmt.Errorf("could not open the control socket: %w", err)
	}
	if err := os.Chmod(socket, 0o600); err != nil {
		_ = listener.Close()
		return fmt.Errorf("could not close the control socket to others: %w", err)
	}
	server := &http.Server{Handler: s.routes(ctx), ReadHeaderTimeout: 5 * time.Second}
	go func() {
		<-ctx.Done()
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		_ = server.Shutdown(end)
	}()
	go func() { _ = server.Serve(listener) }()
	return nil
}

func (s *Sandbox) routes(ctx context.Context) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(s.status(r.URL.Query().Get("usage") == "true"))
	})
	mux.HandleFunc("POST /retry", func(http.ResponseWriter, *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.state == control.Failed {
			s.state = control.Starting
			select {
			case s.retry <- struct{}{}:
			default:
			}
		}
	})
	mux.HandleFunc("POST /down", func(http.ResponseWriter, *http.Request) {
		select {
		case s.down <- control.DownRequest{}:
		default:
		}
	})
	// Acts go on when the caller gives up waiting: a host half switched is no
	// state anybody asked for.
	act := func(pattern string, do func(r *http.Request) error) {
		mux.HandleFunc("POST "+pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := do(r); err != nil {
				http.Error(w, err.Error(), http.StatusConflict)
			}
		})
	}
	link := func(do func(context.Context, string, string) error) func(*http.Request) error {
		return func(r *http.Request) error {
			var ends control.LinkRequest
			if err := json.NewDecoder(http.MaxBytesReader(nil, r.Body, 4096)).Decode(&ends); err != nil {
				return fmt.Errorf("could not read the two ends of the link: %w", err)
			}
			return do(ctx, ends.A, ends.B)
		}
	}
	act("/hosts/{name}/stop", func(r *http.Request) error { return s.stopHost(ctx, r.PathValue("name")) })
	act("/hosts/{name}/start", func(r *http.Request) error { return s.startHost(ctx, r.PathValue("name")) })
	act("/links/cut", link(s.cutLink))
	act("/links/heal", link(s.healLink))
	act("/sites/{name}/lose", func(r *http.Request) error { return s.loseSite(ctx, r.PathValue("name")) })
	act("/sites/{name}/restore", func(r *http.Request) error { return s.restoreSite(ctx, r.PathValue("name")) })
	return mux
}
