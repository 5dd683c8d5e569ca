// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package daemon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fairway-cloud/fairway/internal/sandbox/control"
)

// The phases in which a sandbox comes up, in their order.
const (
	PhaseNetwork  = "network"
	PhaseControl  = "control planes"
	PhaseRegistry = "registry and images"
	PhaseHosts    = "hosts"
	PhaseServer   = "server"
	PhaseBank     = "bank"
)

// Step is one piece of work of a phase. It must be safe to repeat.
type Step struct {
	// Phase it belongs to: one of the Phase constants.
	Phase string
	// Name says what it does, for progress and errors.
	Name string
	// Run does it.
	Run func(ctx context.Context, s *Sandbox) error
}

// phaseTimeout bounds each phase; images may have to be compiled.
const phaseTimeout = 15 * time.Minute

// steps are our own steps and those of the options, by phase.
func (s *Sandbox) steps() []Step {
	of := func(do func(context.Context) error) func(context.Context, *Sandbox) error {
		return func(ctx context.Context, _ *Sandbox) error { return do(ctx) }
	}
	own := []Step{
		{PhaseNetwork, "data centres, racks and links", of(s.networkUp)},
		{PhaseControl, "etcd and API servers", of(s.planesUp)},
		{PhaseControl, "storage and simulated hosts", of(s.furnish)},
		{PhaseRegistry, "registry", of(s.registryUp)},
		{PhaseRegistry, "pause image", of(s.pauseImage)},
		{PhaseHosts, "kubelets", of(s.hostsUp)},
		{PhaseHosts, "metrics", of(s.metricsUp)},
	}
	var ordered []Step
	for _, phase := range []string{PhaseNetwork, PhaseControl, PhaseRegistry, PhaseHosts, PhaseServer, PhaseBank} {
		for _, step := range append(own[:len(own):len(own)], s.Options.Steps...) {
			if step.Phase == phase {
				ordered = append(ordered, step)
			}
		}
	}
	return ordered
}

// bringUp goes through the phases until one fails.
func (s *Sandbox) bringUp(ctx context.Context) error {
	s.mu.Lock()
	s.phases, s.state = nil, control.Starting
	s.mu.Unlock()
	for _, step := range s.steps() {
		s.begin(step.Phase, step.Name)
		bounded, cancel := context.WithTimeoutCause(ctx, phaseTimeout, fmt.Errorf("it took longer than %s", phaseTimeout))
		err := step.Run(bounded, s)
		cancel()
		if ctx.Err() != nil {
			return errDown
		}
		if err != nil {
			err = fmt.Errorf("could not bring up %s (%s): %w", step.Phase, step.Name, err)
			s.finish(err)
			return err
		}
	}
	s.finish(nil)
	return nil
}

// begin opens a phase, or the next step of the open one.
func (s *Sandbox) begin(phase, step string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if n := len(s.phases); n > 0 && s.phases[n-1].Name == phase {
		s.phases[n-1].Message = step
		return
	}
	s.close(now, control.Ready, "")
	s.phases = append(s.phases, control.Phase{Name: phase, State: control.Starting, Message: step, Started: now})
}

// finish closes the last phase.
func (s *Sandbox) finish(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.state = control.Failed
		s.close(time.Now(), control.Failed, err.Error())
		return
	}
	s.state = control.Ready
	s.close(time.Now(), control.Ready, "")
}

// close needs s.mu.
func (s *Sandbox) close(now time.Time, state control.State, message string) {
	if n := len(s.phases); n > 0 {
		last := &s.phases[n-1]
		last.State, last.Message, last.Seconds = state, message, now.Sub(last.Started).Seconds()
		last.Done, last.Total = 0, 0
	}
}

// Say tells, in the status and to whoever waits for "up", what is being done.
func (s *Sandbox) Say(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.phases); n > 0 {
		s.phases[n-1].Message = fmt.Sprintf(format, args...)
	}
}

// Progress tells how much of the current phase is done.
func (s *Sandbox) Progress(done, total int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.phases); n > 0 {
		s.phases[n-1].Done, s.phases[n-1].Total = done, total
	}
}

// keepUp brings the sandbox up and again on request, until ctx ends.
func (s *Sandbox) keepUp(ctx context.Context) {
	for {
		err := s.bringUp(ctx)
		if errors.Is(err, errDown) {
			return
		}
		select {
		case <-s.retry:
		case <-ctx.Done():
			return
		}
	}
}
