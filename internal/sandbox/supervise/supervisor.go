// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package supervise

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// State says where a process stands.
type State string

// The states of a process.
const (
	// Waiting: for those it comes after.
	Waiting State = "waiting"
	// Starting: it runs and is not ready yet.
	Starting State = "starting"
	// Ready: it runs and has said that it does its work.
	Ready State = "ready"
	// Failed: it died and will be started again after a wait.
	Failed State = "failed"
	// Stopping: it was asked to end.
	Stopping State = "stopping"
	// Done: it did its work and ended.
	Done State = "done"
)

// Status tells how a process is.
type Status struct {
	// Name of the process.
	Name string `json:"name"`
	// State it is in.
	State State `json:"state"`
	// PID of the running child; 0 when none runs.
	PID int `json:"pid,omitempty"`
	// Restarts counts how often it was started again after it had died.
	Restarts int `json:"restarts"`
	// Since is when it came into this state.
	Since time.Time `json:"since"`
	// Message says why it is not ready, or how it last ended.
	Message string `json:"message,omitempty"`
	// LogFile holds its output.
	LogFile string `json:"logFile,omitempty"`
}

// Options of a supervisor.
type Options struct {
	// StateFile remembers the running children; a new supervisor with the same
	// file adopts them.
	StateFile string
	// Mark is put into each child's environment, see Marked.
	Mark string
	// Report is told of every change of a state; it must not block.
	Report func(Status)
}

// Supervisor keeps processes running.
type Supervisor struct {
	options Options

	mu      sync.Mutex
	keepers []*keeper // in the order they were added
	changed chan struct{}
	adopted map[string]Record
	saving  sync.Mutex
}

// New makes a supervisor that knows the children of the last one with the
// same state file.
func New(options Options) (*Supervisor, error) {
	records, err := Records(options.StateFile)
	if err != nil {
		return nil, err
	}
	s := &Supervisor{options: options, changed: make(chan struct{}), adopted: map[string]Record{}}
	for _, record := range records {
		if record.Alive() {
			s.adopted[record.Name] = record
		}
	}
	return s, nil
}

// Add starts (or adopts) processes and keeps them running. It returns at once.
func (s *Supervisor) Add(processes ...Process) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range processes {
		if len(p.Argv) == 0 || p.Name == "" {
			return fmt.Errorf("could not run %q: it needs a name and a command", p.Name)
		}
		if s.find(p.Name) != nil {
			return fmt.Errorf("could not run %q: a process of that name runs already", p.Name)
		}
		for _, after := range p.After {
			if s.find(after) == nil {
				return fmt.Errorf("could not run %q: it comes after %q, which is not there", p.Name, after)
			}
		}
		k := newKeeper(s, p)
		s.keepers = append(s.keepers, k)
		go k.run()
	}
	return nil
}

// Has tells whether a process of that name is kept.
func (s *Supervisor) Has(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.find(name) != nil
}

// Remove stops the named processes, those that come after them first, and
// keeps them no longer. Unknown names are ignored.
func (s *Supervisor) Remove(ctx context.Context, names ...string) error {
	return s.end(ctx, func(name string) bool { return slices.Contains(names, name) }, (*keeper).stop)
}

// Release keeps the named processes no longer and leaves them running, for
// someone else to end.
func (s *Supervisor) Release(ctx context.Context, names ...string) error {
	return s.end(ctx, func(name string) bool { return slices.Contains(names, name) }, (*keeper).release)
}

// Crash ends the named processes at once, as a loss of power does, and keeps
// them no longer. Unknown names are ignored.
func (s *Supervisor) Crash(ctx context.Context, names ...string) error {
	return s.end(ctx, func(name string) bool { return slices.Contains(names, name) }, (*keeper).crash)
}

// StopAll stops everything in reverse order, also what the last supervisor
// left and nobody has asked for since.
func (s *Supervisor) StopAll(ctx context.Context) error {
	err := s.end(ctx, func(string) bool { return true }, (*keeper).stop)
	return errors.Join(err, s.EndStrays(ctx))
}

// EndStrays ends the children of the last supervisor that were not added to
// this one.
func (s *Supervisor) EndStrays(ctx context.Context) error {
	s.mu.Lock()
	var strays []Record
	for _, record := range s.adopted {
		strays = append(strays, record)
	}
	s.mu.Unlock()
	if err := EndAll(ctx, strays); err != nil {
		return err
	}
	s.mu.Lock()
	for _, record := range strays {
		delete(s.adopted, record.Name)
	}
	s.mu.Unlock()
	return s.save()
}

// end lets each chosen process go, all at once but for the order of After.
func (s *Supervisor) end(ctx context.Context, chosen func(string) bool, how func(*keeper, context.Context) error) error {
	s.mu.Lock()
	var leaving []*keeper
	for _, k := range s.keepers {
		if chosen(k.process.Name) {
			leaving = append(leaving, k)
		}
	}
	s.mu.Unlock()
	group, ctx := errgroup.WithContext(context.WithoutCancel(ctx))
	for _, k := range leaving {
		group.Go(func() error {
			for _, later := range leaving {
				if slices.Contains(later.process.After, k.process.Name) {
					<-later.gone
				}
			}
			defer close(k.gone)
			return how(k, ctx)
		})
	}
	err := group.Wait()
	s.mu.Lock()
	s.keepers = slices.DeleteFunc(s.keepers, func(k *keeper) bool { return slices.Contains(leaving, k) })
	s.mu.Unlock()
	return errors.Join(err, s.save())
}

// Status lists all processes in the order they were added.
func (s *Supervisor) Status() []Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Status, 0, len(s.keepers))
	for _, k := range s.keepers {
		list = append(list, k.status)
	}
	return list
}

// hopeless is how often a process that is waited for may die before the wait
// ends.
const hopeless = 5

// Wait returns when the named processes (all when none is named) are ready or
// done. It gives up on one that dies again and again; that one is still kept.
func (s *Supervisor) Wait(ctx context.Context, names ...string) error {
	deaths := map[string]int{} // restarts when the wait began
	for _, status := range s.Status() {
		deaths[status.Name] = status.Restarts
	}
	for {
		s.mu.Lock()
		changed := s.changed
		var waiting []Status
		for _, k := range s.keepers {
			if (len(names) == 0 || slices.Contains(names, k.process.Name)) && k.status.State != Ready && k.status.State != Done {
				waiting = append(waiting, k.status)
			}
		}
		s.mu.Unlock()
		if len(waiting) == 0 {
			return nil
		}
		for _, status := range waiting {
			if status.State == Failed && status.Restarts-deaths[status.Name] >= hopeless {
				return fmt.Errorf("could not keep %q running, it died %d times (%s); its log %s ends: %s",
					status.Name, status.Restarts+1, status.Message, status.LogFile, lastLine(status.LogFile))
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			first := waiting[0]
			return fmt.Errorf("could not wait for %q (%s: %s); its log %s ends: %s: %w",
				first.Name, first.State, first.Message, first.LogFile, lastLine(first.LogFile), context.Cause(ctx))
		}
	}
}

// find needs s.mu.
func (s *Supervisor) find(name string) *keeper {
	for _, k := range s.keepers {
		if k.process.Name == name {
			return k
		}
	}
	return nil
}

// adopt hands out the record of a child of the last supervisor, once.
func (s *Supervisor) adopt(name string) (Record, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	record, ok := s.adopted[name]
	delete(s.adopted, name)
	return record, ok
}

// set changes a process's state and wakes all who wait.
func (s *Supervisor) set(k *keeper, change func(*Status)) {
	s.mu.Lock()
	before := k.status.State
	change(&k.status)
	if k.status.State != before {
		k.status.Since = time.Now()
	}
	now := k.status
	close(s.changed)
	s.changed = make(chan struct{})
	s.mu.Unlock()
	if s.options.Report != nil && now.State != before {
		s.options.Report(now)
	}
}

// ready tells whether the named processes are ready or done, and returns a
// channel that is closed at the next change.
func (s *Supervisor) ready(names []string) (bool, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range names {
		if k := s.find(name); k != nil && k.status.State != Ready && k.status.State != Done {
			return false, s.changed
		}
	}
	return true, s.changed
}

// save writes down which children run.
func (s *Supervisor) save() error {
	s.saving.Lock()
	defer s.saving.Unlock()
	s.mu.Lock()
	var records []Record
	for _, record := range s.adopted {
		records = append(records, record)
	}
	for _, k := range s.keepers {
		if k.child.PID != 0 {
			records = append(records, k.record())
		}
	}
	s.mu.Unlock()
	return writeRecords(s.options.StateFile, records)
}
