// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package supervise

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// readyInterval is how often a starting process is asked whether it is ready.
const readyInterval = 100 * time.Millisecond

// keeper keeps one process running.
type keeper struct {
	supervisor *Supervisor
	process    Process

	// Guarded by the supervisor's lock.
	status Status
	child  Identity

	leave context.CancelFunc // asks run to return, the child lives on
	left  chan struct{}      // closed when run has returned
	gone  chan struct{}      // closed when the process is stopped or released
	ctx   context.Context
}

func newKeeper(s *Supervisor, p Process) *keeper {
	k := &keeper{supervisor: s, process: p, left: make(chan struct{}), gone: make(chan struct{})}
	k.ctx, k.leave = context.WithCancel(context.Background())
	k.status = Status{Name: p.Name, State: Waiting, Since: time.Now(), LogFile: p.LogFile}
	return k
}

// run starts the process again and again until it is asked to leave.
func (k *keeper) run() {
	defer close(k.left)
	ended, ok := k.takeOver()
	var wait time.Duration
	for {
		if !ok {
			if !k.awaitOthers() {
				return
			}
			ended = k.start()
		}
		ok = false
		began := time.Now()
		if ended != nil {
			stopAsking, asked := k.askReady()
			var how string
			select {
			case how = <-ended:
				stopAsking()
				<-asked
			case <-k.ctx.Done():
				stopAsking()
				<-asked
				return
			}
			k.forget()
			if k.process.Once && how == "" {
				k.set(Done, "")
				_ = k.supervisor.save()
				return
			}
			k.set(Failed, "ended: "+orZero(how))
		}
		_ = k.supervisor.save()
		wait = nextWait(wait, time.Since(began))
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-k.ctx.Done():
			timer.Stop()
			return
		}
		k.supervisor.set(k, func(s *Status) { s.Restarts++; s.State = Waiting })
	}
}

// takeOver adopts the child that the last supervisor left, when it is what we
// would start; one that is not is ended.
func (k *keeper) takeOver() (<-chan string, bool) {
	record, ok := k.supervisor.adopt(k.process.Name)
	if !ok {
		return nil, false
	}
	if record.Spec != k.process.digest() {
		_ = record.End(k.ctx, k.process.signal(), k.process.grace())
		return nil, false
	}
	k.remember(record.Identity)
	k.supervisor.set(k, func(s *Status) { s.State, s.PID, s.Restarts = Starting, record.PID, record.Restarts })
	ended := make(chan string, 1)
	go func() {
		if record.Wait(k.ctx) == nil {
			ended <- "its exit code is unknown, it was adopted"
		}
	}()
	return ended, true
}

// awaitOthers returns true once those that come before are ready, false when
// the keeper is asked to leave.
func (k *keeper) awaitOthers() bool {
	for {
		ready, changed := k.supervisor.ready(k.process.After)
		if ready {
			return k.ctx.Err() == nil
		}
		select {
		case <-changed:
		case <-k.ctx.Done():
			return false
		}
	}
}

// start runs the command and returns a channel that says how it ended; nil
// when it could not be started.
func (k *keeper) start() <-chan string {
	cmd, err := k.process.start(k.supervisor.options.Mark)
	if err != nil {
		k.set(Failed, err.Error())
		return nil
	}
	identity, err := Identify(cmd.Process.Pid)
	if err != nil {
		// It has ended already; its parent, we, has not asked yet how.
		identity = Identity{PID: cmd.Process.Pid, Boot: bootID()}
	}
	k.remember(identity)
	k.supervisor.set(k, func(s *Status) { s.State, s.PID = Starting, identity.PID })
	_ = k.supervisor.save()
	ended := make(chan string, 1)
	go func() {
		if err := cmd.Wait(); err != nil {
			ended <- err.Error()
			return
		}
		ended <- ""
	}()
	return ended
}

// askReady asks in the background until the process is ready.
func (k *keeper) askReady() (stop context.CancelFunc, asked <-chan struct{}) {
	ctx, cancel := context.WithCancel(k.ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if k.process.Ready == nil {
			if !k.process.Once {
				k.set(Ready, "")
			}
			return
		}
		ticker := time.NewTicker(readyInterval)
		defer ticker.Stop()
		for {
			err := k.process.Ready(ctx)
			switch {
			case ctx.Err() != nil:
				return
			case err == nil:
				k.set(Ready, "")
				return
			}
			k.set(Starting, err.Error())
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
		}
	}()
	return cancel, done
}

// stop ends the process gracefully, and the keeper.
func (k *keeper) stop(ctx context.Context) error {
	return k.end(ctx, k.process.signal(), k.process.grace())
}

// crash ends the process by force, and the keeper.
func (k *keeper) crash(ctx context.Context) error { return k.end(ctx, unix.SIGKILL, time.Second) }

func (k *keeper) end(ctx context.Context, signal unix.Signal, grace time.Duration) error {
	if err := k.release(ctx); err != nil {
		return err
	}
	k.supervisor.mu.Lock()
	child := k.child
	k.supervisor.mu.Unlock()
	if child.PID == 0 {
		return nil
	}
	k.set(Stopping, "")
	if err := child.End(ctx, signal, grace); err != nil {
		return fmt.Errorf("could not stop %q: %w", k.process.Name, err)
	}
	k.forget()
	return nil
}

// release ends the keeper and leaves the process alone.
func (k *keeper) release(context.Context) error {
	k.leave()
	<-k.left
	return nil
}

func (k *keeper) remember(child Identity) {
	k.supervisor.mu.Lock()
	k.child = child
	k.supervisor.mu.Unlock()
}

func (k *keeper) forget() {
	k.remember(Identity{})
	k.supervisor.set(k, func(s *Status) { s.PID = 0 })
}

func (k *keeper) set(state State, message string) {
	k.supervisor.set(k, func(s *Status) { s.State, s.Message = state, message })
}

// record needs the supervisor's lock.
func (k *keeper) record() Record {
	return Record{
		Name: k.process.Name, Identity: k.child, Spec: k.process.digest(), Restarts: k.status.Restarts,
		Signal: int(k.process.signal()), Grace: int(k.process.grace() / time.Second),
	}
}

func orZero(how string) string {
	if how == "" {
		return "exit status 0"
	}
	return how
}
