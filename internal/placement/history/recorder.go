// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package history

import (
	"context"
	"log/slog"
	"time"

	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairway-cloud/fairway/internal/placement"
	"github.com/fairway-cloud/fairway/internal/placement/observed"
)

// look is how often the recorder asks whether the day is recorded: after a failure it tries
// again with the next look.
const look = time.Hour

// Recorder records each day once. It is "placement.history", runs on the server that leads,
// and writes nothing to the hub.
type Recorder struct {
	// Hub is read through the manager's cache.
	Hub   client.Reader
	Store *Store
	Clock clock.WithTicker
	Log   *slog.Logger
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (*Recorder) NeedLeaderElection() bool { return true }

// Start records until ctx ends.
func (r *Recorder) Start(ctx context.Context) error {
	ticker := r.Clock.NewTicker(look)
	defer ticker.Stop()
	for {
		if err := r.Record(ctx); err != nil && ctx.Err() == nil {
			r.Log.Error("what pools hold today is not recorded yet: it is tried again in an hour", "cause", err.Error())
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C():
		}
	}
}

// Record records the day, unless it is.
func (r *Recorder) Record(ctx context.Context) error {
	now := r.Clock.Now()
	if there, err := r.Store.Recorded(ctx, now); err != nil || there {
		return err
	}
	world, err := observed.Read(ctx, r.Hub, r.Hub)
	if err != nil {
		return err
	}
	return r.Store.Record(ctx, now, Use(world, now))
}

// Use is what the fleet's pools hold for what runs, and 0 for a pool that holds nothing.
// Trials, proposals and Releases that wait for their first step do not count: many never
// take it. What a Release replaces counts once.
func Use(world observed.World, now time.Time) map[string]placement.Amount {
	return placement.Use(world.InUse().Snapshot(now))
}
