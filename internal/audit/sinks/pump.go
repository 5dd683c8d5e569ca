// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package sinks

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/audit/mask"
)

// Sink takes records.
type Sink interface {
	// Name of the sink, under which its position is kept.
	Name() string
	// Send returns once the receiver has all entries. After an error they are sent
	// again.
	Send(ctx context.Context, entries []audit.Entry) error
}

// Pump feeds one sink.
type Pump struct {
	// Sink that is fed.
	Sink Sink
	// Log that is read.
	Log audit.Log
	// Dir keeps the position, in the file "<name>.position".
	Dir string
	// From is where a sink without a position begins. Default: 0, the first record.
	From uint64
	// Batch is the most records at once. Default: 500.
	Batch int
	// Every is how often the log is looked at. Default: 1 s.
	Every time.Duration
	// Retry and MostRetry bound the time between tries, which doubles. Default: 1 s
	// and 1 min.
	Retry, MostRetry time.Duration
	// Log for a sink that goes away and comes back.
	Logger *slog.Logger

	position atomic.Uint64
	away     atomic.Bool
}

// State of a sink.
type State struct {
	// Name of the sink, and the record that it gets next.
	Name string
	Next uint64
	// Away says that the last try failed.
	Away bool
}

// State of the sink as far as it was fed.
func (p *Pump) State() State {
	return State{Name: p.Sink.Name(), Next: p.position.Load(), Away: p.away.Load()}
}

// Run feeds the sink until ctx ends. It fails only where the position cannot be
// read: whoever runs it then knows that records could be sent twice or not at all.
func (p *Pump) Run(ctx context.Context) error {
	p.defaults()
	next, err := p.load()
	if err != nil {
		return err
	}
	p.position.Store(next)
	pause := p.Retry
	for {
		sent, err := p.step(ctx)
		wait := p.Every
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			if !p.away.Swap(true) {
				p.Logger.Error("evidence does not reach a sink; it is tried again and nothing is left out", "sink", p.Sink.Name(), "next", p.position.Load(), "cause", err.Error())
			}
			wait, pause = pause, min(2*pause, p.MostRetry)
		case sent > 0:
			if p.away.Swap(false) {
				p.Logger.Info("evidence reaches the sink again", "sink", p.Sink.Name(), "next", p.position.Load())
			}
			wait, pause = 0, p.Retry
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

func (p *Pump) defaults() {
	for _, d := range []struct {
		value  *time.Duration
		normal time.Duration
	}{{&p.Every, time.Second}, {&p.Retry, time.Second}, {&p.MostRetry, time.Minute}} {
		if *d.value <= 0 {
			*d.value = d.normal
		}
	}
	if p.Batch <= 0 {
		p.Batch = 500
	}
}

// step sends what is next and moves the position.
func (p *Pump) step(ctx context.Context) (sent int, err error) {
	next := p.position.Load()
	entries, err := p.Log.Read(ctx, next, p.Batch)
	if err != nil {
		return 0, fmt.Errorf("could not read the evidence log: %w", err)
	}
	if len(entries) == 0 {
		return 0, nil
	}
	masked := make([]audit.Entry, len(entries))
	for i, e := range entries {
		masked[i] = mask.Entry(e)
	}
	if err := p.Sink.Send(ctx, masked); err != nil {
		return 0, err
	}
	next += uint64(len(entries))
	if err := p.save(next); err != nil {
		return 0, err
	}
	p.position.Store(next)
	return len(entries), nil
}

func (p *Pump) path() string { return filepath.Join(p.Dir, p.Sink.Name()+".position") }

func (p *Pump) load() (uint64, error) {
	raw, err := os.ReadFile(p.path())
	if errors.Is(err, fs.ErrNotExist) {
		return p.From, nil
	}
	if err != nil {
		return 0, fmt.Errorf("could not read the position of sink %q: %w", p.Sink.Name(), err)
	}
	next, err := strconv.ParseUint(strings.TrimSpace(string(raw)), 10, 63)
	if err != nil {
		return 0, fmt.Errorf("could not read the position of sink %q from %q: it is no number; write the record to go on from, or remove the file to begin anew", p.Sink.Name(), p.path())
	}
	return next, nil
}

// save is durable before the position counts.
func (p *Pump) save(next uint64) error {
	if err := os.MkdirAll(p.Dir, 0o700); err != nil {
		return fmt.Errorf("could not keep the position of sink %q: %w", p.Sink.Name(), err)
	}
	file, err := os.OpenFile(p.path()+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("could not keep the position of sink %q: %w", p.Sink.Name(), err)
	}
	_, err = fmt.Fprintln(file, next)
	if err = errors.Join(err, file.Sync(), file.Close()); err == nil {
		err = os.Rename(p.path()+".new", p.path())
	}
	if err != nil {
		return fmt.Errorf("could not keep the position of sink %q: %w", p.Sink.Name(), err)
	}
	return nil
}

// Feed runs all pumps until ctx ends. One that cannot run keeps no other from it.
func Feed(ctx context.Context, pumps []*Pump) error {
	var wait sync.WaitGroup
	errs := make([]error, len(pumps))
	for i, p := range pumps {
		wait.Go(func() {
			if errs[i] = p.Run(ctx); errs[i] != nil {
				p.away.Store(true)
				p.Logger.Error("a sink of evidence does not run", "sink", p.Sink.Name(), "cause", errs[i].Error())
			}
		})
	}
	wait.Wait()
	<-ctx.Done()
	return nil
}
