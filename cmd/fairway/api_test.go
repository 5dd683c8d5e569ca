// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/fairway-cloud/fairway/internal/platform/sealing"
	"github.com/fairway-cloud/fairway/internal/sandbox/pki"
)

// runner is a manager that takes one thing to run.
type runner struct {
	ctrl.Manager
	run manager.Runnable
}

func (r *runner) Add(run manager.Runnable) error {
	r.run = run
	return nil
}

// lines is a log that is written and read at once.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// TestMistakesOfClientsAreDetails: plain HTTP on the TLS address is a line for who
// looks for it, as JSON like all others, and none for everybody else.
func TestMistakesOfClientsAreDetails(t *testing.T) {
	authority, err := pki.New("test")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := authority.Issue(pki.Request{CommonName: "fairway", IPs: []net.IP{net.IPv4(127, 0, 0, 1)}})
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	certFile, keyFile := filepath.Join(folder, "tls.crt"), filepath.Join(folder, "tls.key")
	for file, content := range map[string][]byte{certFile: pair.Cert, keyFile: pair.Key} {
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for reason, tc := range map[string]struct {
		level slog.Level
		said  bool
	}{
		"as the server runs":          {level: slog.LevelInfo},
		"where details are asked for": {level: slog.LevelDebug, said: true},
	} {
		t.Run(reason, func(t *testing.T) {
			log, mgr := &lines{}, &runner{}
			h := &house{log: slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: tc.level})), mgr: mgr, options: serverOptions{drain: time.Second}}
			address := freeAddress(t)
			sealed, err := sealing.Server{CertFile: certFile, KeyFile: keyFile, Protocols: sealing.HTTP}.Open()
			if err != nil {
				t.Fatal(err)
			}
			if err := h.serve(&http.Server{Addr: address}, sealed); err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- mgr.run.Start(ctx) }()
			response, err := http.Get("http://" + address + "/metrics")
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, response.Body)
			_ = response.Body.Close()
			stop()
			if err := <-ended; err != nil {
				t.Fatal(err)
			}
			if got := log.String(); (got != "") != tc.said || tc.said && got[0] != '{' {
				t.Errorf("said %q", got)
			}
		})
	}
}
