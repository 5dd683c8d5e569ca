// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package kubetest

import (
	"syscall"
	"testing"
	"time"

	"github.com/fairway-cloud/fairway/internal/sandbox/supervise"
)

// Child is a further process of a test beside its clusters, such as a server.
type Child struct{ process *process }

// Run starts a child, waits until it is ready, and ends it with the test, also when that
// crashes.
func Run(t testing.TB, spec supervise.Process) *Child {
	t.Helper()
	p, err := run(spec)
	if err != nil {
		t.Fatal(err)
	}
	c := &Child{process: p}
	t.Cleanup(c.process.kill)
	if err := p.wait(t.Context(), startTimeout); err != nil {
		t.Fatal(err)
	}
	return c
}

// PID is the child's number.
func (c *Child) PID() int { return c.process.cmd.Process.Pid }

// Stop asks the child to end, and waits for it; after a time it is ended.
func (c *Child) Stop() {
	_ = c.process.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-c.process.ended:
	case <-time.After(startTimeout):
		c.process.kill()
	}
}
