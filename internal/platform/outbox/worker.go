// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package outbox

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"k8s.io/utils/clock"
)

// ErrHopeless says that a message will never be taken. It is dropped.
var ErrHopeless = errors.New("it will never be taken")

const (
	// firstPause and longestPause bound the pauses between attempts, which double.
	firstPause   = time.Second
	longestPause = 5 * time.Minute
	// lookEvery is how often a worker looks for messages whose pause is over.
	lookEvery = time.Second
	// sendWithin bounds one attempt.
	sendWithin = time.Minute
	batch      = 32
)

// Send hands one message over. It returns what the receiver answered, for the
// record; an error means that nobody took it. Neither holds a secret.
type Send func(ctx context.Context, m Message) (answer string, err error)

// Worker sends the messages of one queue, one after another.
type Worker struct {
	Outbox *Outbox
	Queue  string
	Send   Send
	Clock  clock.WithTicker
	Log    *slog.Logger
}

// Start sends until ctx ends. It runs on the leader alone; a message may be sent
// twice where the lease changes hands.
func (w *Worker) Start(ctx context.Context) error {
	ticker := w.Clock.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		if err := w.Round(ctx); err != nil && ctx.Err() == nil {
			w.Log.Error("could not work on the outbox; it is tried again", "queue", w.Queue, "cause", err.Error())
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C():
		case <-w.Outbox.wake:
		}
	}
}

// Round tries every message that is due, once.
func (w *Worker) Round(ctx context.Context) error {
	for {
		now := w.Clock.Now()
		due, err := w.Outbox.due(ctx, w.Queue, now, batch)
		if err != nil || len(due) == 0 {
			return err
		}
		for _, m := range due {
			if err := errors.Join(w.try(ctx, m), ctx.Err()); err != nil {
				return err
			}
		}
	}
}

func (w *Worker) try(ctx context.Context, m Message) error {
	if !m.Until.IsZero() && !w.Clock.Now().Before(m.Until) {
		w.Log.Error("a message was not delivered in time and is given up", "queue", m.Queue, "message", m.ID, "attempts", m.Attempts)
		return w.Outbox.end(ctx, m.Queue, m.ID, Dropped, "its time was over", w.Clock.Now())
	}
	attempt, cancel := context.WithTimeout(ctx, sendWithin)
	defer cancel()
	answer, err := w.Send(attempt, m)
	if ctx.Err() != nil {
		return ctx.Err() // stopped in the middle: the next start tries again
	}
	switch {
	case errors.Is(err, ErrHopeless):
		w.Log.Error("a message was refused for good", "queue", m.Queue, "message", m.ID, "cause", err.Error())
		return w.Outbox.end(ctx, m.Queue, m.ID, Dropped, err.Error(), w.Clock.Now())
	case err != nil:
		pause := pauseAfter(m.Attempts)
		w.Log.Warn("a message was not taken; it is tried again", "queue", m.Queue, "message", m.ID, "attempts", m.Attempts+1, "pause", pause.String(), "cause", err.Error())
		return w.Outbox.later(ctx, m, w.Clock.Now().Add(pause), err.Error())
	}
	w.Log.Debug("a message was taken", "queue", m.Queue, "message", m.ID)
	return w.Outbox.end(ctx, m.Queue, m.ID, Sent, answer, w.Clock.Now())
}

// pauseAfter doubles from firstPause to longestPause.
func pauseAfter(attempts int) time.Duration {
	pause := firstPause
	for range attempts {
		if pause *= 2; pause >= longestPause {
			return longestPause
		}
	}
	return pause
}

// keep is how long the outbox remembers what ended.
const keep = 400 * 24 * time.Hour

// Sweeper forgets each day what ended long ago.
type Sweeper struct {
	Outbox *Outbox
	Clock  clock.WithTicker
	Log    *slog.Logger
}

// Start sweeps until ctx ends.
func (s *Sweeper) Start(ctx context.Context) error {
	ticker := s.Clock.NewTicker(24 * time.Hour)
	defer ticker.Stop()
	for {
		if err := s.Outbox.Forget(ctx, s.Clock.Now().Add(-keep)); err != nil && ctx.Err() == nil {
			s.Log.Error("could not sweep the outbox; it is tried again tomorrow", "cause", err.Error())
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C():
		}
	}
}
