// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package daemon

import (
	"context"
	"os"
	"time"

	"github.com/fairway-cloud/fairway/internal/sandbox/control"
	"github.com/fairway-cloud/fairway/internal/sandbox/state"
	"github.com/fairway-cloud/fairway/internal/sandbox/supervise"
)

// Run brings a sandbox up, watches over it and returns when it was taken down.
// When ctx ends (a signal), the daemon ends and everything it started goes on:
// the next daemon adopts it.
func Run(ctx context.Context, options Options) error {
	unlock, err := options.Folder.Lock()
	if err != nil {
		return err
	}
	defer unlock()
	s, err := open(options)
	if err != nil {
		return err
	}
	self, err := supervise.Identify(os.Getpid())
	if err != nil {
		return err
	}
	if err := s.remember(func(saved *state.Saved) { saved.Supervisor = self }); err != nil {
		return err
	}
	serving, stopServing := context.WithCancel(ctx)
	defer stopServing()
	if err := s.serve(serving); err != nil {
		return err
	}
	phases, stopPhases := context.WithCancel(ctx)
	defer stopPhases()
	idle := make(chan struct{})
	go func() {
		defer close(idle)
		s.keepUp(phases)
	}()
	select {
	case <-ctx.Done():
		<-idle
		return nil
	case <-s.down:
	}
	s.mu.Lock()
	s.state = control.Stopping
	s.mu.Unlock()
	stopPhases()
	<-idle
	s.acts.Lock() // waits for an act under way, and lets no other begin
	down, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Minute)
	defer cancel()
	return s.tearDown(down)
}
