// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package index

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"

	"github.com/fairway-cloud/fairway/internal/platform/database"
)

//go:embed migrations
var migrations embed.FS

// versions remembers which migrations ran.
const versions = "audit_index_versions"

// Store is the index in SQL.
type Store struct {
	db *database.DB

	mu     sync.Mutex
	scopes map[string]bool // those that are stored already
	kin    map[string]bool
}

// Open opens the index at source: a PostgreSQL address, or the path of a SQLite
// file of its own. A file that cannot be used is thrown away and made anew, since
// everything in it comes from the log.
func Open(ctx context.Context, source string) (*Store, error) {
	store, err := open(ctx, source)
	if err == nil || ctx.Err() != nil || strings.Contains(source, "://") {
		return store, err
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if rm := os.Remove(source + suffix); rm != nil && !errors.Is(rm, fs.ErrNotExist) {
			return nil, errors.Join(err, rm)
		}
	}
	return open(ctx, source)
}

func open(ctx context.Context, source string) (*Store, error) {
	db, err := database.Open(ctx, source)
	if err != nil {
		return nil, fmt.Errorf("could not open the index of evidence: %w", err)
	}
	files, err := fs.Sub(migrations, "migrations/"+string(db.Dialect))
	if err == nil {
		err = db.Migrate(ctx, files, versions)
	}
	s := &Store{db: db, scopes: map[string]bool{}, kin: map[string]bool{}}
	if err == nil {
		_, _, err = s.position(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("could not open the index of evidence: %w", err), db.Close())
	}
	return s, nil
}

// Close closes the index.
func (s *Store) Close() error { return s.db.Close() }

// Ping says whether questions can be answered.
func (s *Store) Ping(ctx context.Context) error { return s.db.Ping(ctx) }

// Covers is how many records of the log the index has read.
func (s *Store) Covers(ctx context.Context) (uint64, error) {
	next, _, err := s.position(ctx)
	return next, err
}

// position is the number of the record to read next, and the digest of the one
// before it.
func (s *Store) position(ctx context.Context) (next uint64, last string, err error) {
	err = s.db.QueryRow(ctx, "SELECT next, last FROM audit_position WHERE id = 1").Scan(&next, &last)
	if err != nil {
		return 0, "", fmt.Errorf("could not read how far the index of evidence is: %w", err)
	}
	return next, last, nil
}

// Forget empties the index.
func (s *Store) Forget(ctx context.Context) error {
	s.mu.Lock()
	clear(s.scopes)
	clear(s.kin)
	s.mu.Unlock()
	err := s.db.Tx(ctx, func(tx *database.Tx) error {
		for _, statement := range s.emptied() {
			if _, err := tx.Exec(ctx, statement); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("could not empty the index of evidence: %w", err)
	}
	return nil
}

func (s *Store) emptied() []string {
	statements := []string{"DELETE FROM audit_acts", "DELETE FROM audit_kin", "DELETE FROM audit_scopes", "UPDATE audit_position SET next = 0, last = '' WHERE id = 1"}
	if s.db.Dialect == database.SQLite {
		return append(statements, "INSERT INTO audit_words (audit_words) VALUES ('delete-all')")
	}
	statements[0] = "TRUNCATE audit_acts"
	return statements
}
