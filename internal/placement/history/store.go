// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package history

import (
	"context"
	"embed"
	"fmt"
	"time"

	"github.com/fairway-cloud/fairway/internal/placement"
	"github.com/fairway-cloud/fairway/internal/platform/database"
)

//go:embed *.sql
var tables embed.FS

// Days is how many days are remembered: older ones are deleted when a new one is recorded.
const Days = 90

// Store keeps the days in the server's database.
type Store struct{ db *database.DB }

// Open prepares the table.
func Open(ctx context.Context, db *database.DB) (*Store, error) {
	if err := db.Migrate(ctx, tables, "placement_history_versions"); err != nil {
		return nil, fmt.Errorf("could not open the history of pools: %w", err)
	}
	return &Store{db: db}, nil
}

// dayOf numbers the days since 1970, in UTC.
func dayOf(at time.Time) int64 { return at.Unix() / (24 * 60 * 60) }

// Recorded says whether the day of this moment is recorded.
func (s *Store) Recorded(ctx context.Context, at time.Time) (bool, error) {
	n := 0
	if err := s.db.QueryRow(ctx, "SELECT COUNT(*) FROM placement_history WHERE day = ?", dayOf(at)).Scan(&n); err != nil {
		return false, fmt.Errorf("could not read the history of pools: %w", err)
	}
	return n > 0, nil
}

// Record writes what pools hold at this moment as what they held on its day: of all of them,
// or of none. What is recorded of the day stays as it is.
func (s *Store) Record(ctx context.Context, at time.Time, use map[string]placement.Amount) error {
	err := s.db.Tx(ctx, func(tx *database.Tx) error {
		for pool, held := range use {
			if _, err := tx.Exec(ctx, "INSERT INTO placement_history (pool, day, at, cpu, memory, instances) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (day, pool) DO NOTHING",
				pool, dayOf(at), at.UnixMilli(), held.CPU, held.Memory, held.Instances); err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, "DELETE FROM placement_history WHERE day <= ?", dayOf(at)-Days)
		return err
	})
	if err != nil {
		return fmt.Errorf("could not record what pools hold today: %w", err)
	}
	return nil
}

// Of is what pools held on each recorded day of the last Days, by pool, the oldest first.
func (s *Store) Of(ctx context.Context, now time.Time) (map[string][]placement.Point, error) {
	rows, err := s.db.Query(ctx, "SELECT pool, at, cpu, memory, instances FROM placement_history WHERE day > ? AND at <= ? ORDER BY day, pool", dayOf(now)-Days, now.UnixMilli())
	if err != nil {
		return nil, fmt.Errorf("could not read the history of pools: %w", err)
	}
	defer rows.Close()
	out := map[string][]placement.Point{}
	for rows.Next() {
		var pool string
		var at int64
		var held placement.Amount
		if err := rows.Scan(&pool, &at, &held.CPU, &held.Memory, &held.Instances); err != nil {
			return nil, fmt.Errorf("could not read the history of pools: %w", err)
		}
		out[pool] = append(out[pool], placement.Point{At: time.UnixMilli(at).UTC(), Held: held})
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("could not read the history of pools: %w", err)
	}
	return out, nil
}
