// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package prometheustest runs a real Prometheus on loopback that scrapes what a test says.
package prometheustest

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairway-cloud/fairway/internal/placement/profile/measure"
)

// Prometheus is one that runs.
type Prometheus struct {
	URL string

	t       *testing.T
	mu      sync.Mutex
	exposed string
	stop    context.CancelFunc
	stopped chan struct{}
}

// Start runs Debian's Prometheus for the rest of the test.
func Start(t *testing.T) *Prometheus {
	t.Helper()
	program, err := exec.LookPath("prometheus")
	if err != nil {
		t.Skip("prometheus is not installed: make deps")
	}
	p := &Prometheus{t: t, stopped: make(chan struct{})}
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		_, _ = w.Write([]byte(p.exposed))
	}))
	t.Cleanup(target.Close)
	dir := t.TempDir()
	config := filepath.Join(dir, "prometheus.yaml")
	text := fmt.Sprintf("global: {scrape_interval: 250ms, scrape_timeout: 250ms}\nscrape_configs:\n- job_name: test\n  static_configs: [{targets: [%q]}]\n", strings.TrimPrefix(target.URL, "http://"))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	address := free(t)
	p.URL = "http://" + address
	ctx, cancel := context.WithCancel(context.Background())
	command := exec.CommandContext(ctx, program, "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address, "--log.level=warn")
	var told bytes.Buffer
	command.Stdout, command.Stderr = &told, &told
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	p.stop = cancel
	go func() {
		_ = command.Wait()
		close(p.stopped)
	}()
	t.Cleanup(p.Stop)
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); <-time.After(50 * time.Millisecond) {
		select {
		case <-p.stopped:
			t.Fatalf("prometheus ended: %s", told.String())
		default:
		}
		if answer, err := http.Get(p.URL + "/-/ready"); err == nil {
			_ = answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return p
			}
		}
	}
	t.Fatalf("prometheus did not get ready: %s", told.String())
	return nil
}

// free is an address that nobody listens on.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Stop ends it; asked after that, nobody answers.
func (p *Prometheus) Stop() {
	p.stop()
	<-p.stopped
}

// Expose has it scrape these samples from now on, and waits until it has.
func (p *Prometheus) Expose(samples string) {
	p.t.Helper()
	p.mu.Lock()
	mark := strconv.FormatInt(time.Now().UnixNano(), 10)
	p.exposed = samples + "\ntest_mark{mark=\"" + mark + "\"} 1\n"
	p.mu.Unlock()
	source := p.Source()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); <-time.After(50 * time.Millisecond) {
		if got, err := source.Ask(p.t.Context(), `test_mark{mark="`+mark+`"}`, time.Now()); err == nil && len(got) == 1 {
			return
		}
	}
	p.t.Fatal("prometheus did not scrape the samples")
}

// Source asks it, as a configuration file says.
func (p *Prometheus) Source() *measure.Source {
	p.t.Helper()
	file := filepath.Join(p.t.TempDir(), "prometheus.yaml")
	if err := os.WriteFile(file, []byte("prometheus:\n- {name: test, url: "+p.URL+"}\n"), 0o600); err != nil {
		p.t.Fatal(err)
	}
	sources, err := measure.ReadConfig(file)
	if err != nil {
		p.t.Fatal(err)
	}
	return sources[0]
}
