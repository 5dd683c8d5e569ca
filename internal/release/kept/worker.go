// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package kept

import (
	"context"
	"log/slog"
	"time"
)

// Worker carries out what was kept, on every replica: each knows of its own.
type Worker struct {
	Stops *Stops
	// Carry writes the stop to the hub. again says that the hub cannot take it yet; an
	// error without it ends the stop.
	Carry func(ctx context.Context, stop Stop) (again bool, err error)
	Log   *slog.Logger
}

// pause between two attempts: the stop is to be there before anything else is.
const pause = 200 * time.Millisecond

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (*Worker) NeedLeaderElection() bool { return false }

// Start carries out what is kept until ctx ends.
func (w *Worker) Start(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-w.Stops.wake:
		case <-timer.C:
		}
		if w.round(ctx) {
			timer.Reset(pause)
		}
	}
}

// round tries every stop that waits, and says whether one still does.
func (w *Worker) round(ctx context.Context) (waits bool) {
	for _, stop := range w.Stops.Waiting() {
		again, err := w.Carry(ctx, stop)
		if again {
			return true // the hub is away: the others wait too
		}
		subject := stop.Subject()
		if err != nil {
			w.Log.Error("a stop that was kept is none", "release", subject, "actor", stop.Person, "cause", err.Error())
		} else {
			w.Log.Info("a stop that was kept is carried out", "release", subject, "actor", stop.Person, "asked", stop.At)
		}
		if err := w.Stops.done(stop); err != nil {
			w.Log.Error("a stop is carried out again after a restart", "release", subject, "cause", err.Error())
		}
	}
	return false
}
