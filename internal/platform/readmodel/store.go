// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package readmodel answers questions about instances across the whole fleet from
// SQL. Everything in it is derived: members are the truth, the rows are rebuilt
// from them when they connect, and a damaged file is thrown away. The rows of a
// member that does not answer stay, with the time when it was last seen.
package readmodel

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver
)

//go:embed migrations/*.sql
var migrations embed.FS

// Store is the read model in SQLite: one writer, many readers.
type Store struct {
	writer *sql.DB
	reader *sql.DB
	now    func() time.Time

	mu      sync.Mutex
	changed []func(Change)
}

// Change says that instances of an application have changed.
type Change struct {
	// Namespace on the hub and Application that it is about.
	Namespace, Application string
	// Seat that changed. Empty: several.
	Seat string
}

// Open opens the read model at path, or makes it. A file that cannot be used is
// thrown away and made anew, since it is derived.
func Open(ctx context.Context, path string) (*Store, error) {
	store, err := open(ctx, path)
	if err == nil || ctx.Err() != nil {
		return store, err
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if rm := os.Remove(path + suffix); rm != nil && !errors.Is(rm, fs.ErrNotExist) {
			return nil, errors.Join(err, rm)
		}
	}
	return open(ctx, path)
}

func open(ctx context.Context, path string) (_ *Store, err error) {
	s := &Store{now: time.Now}
	defer func() {
		if err != nil {
			_ = s.Close()
		}
	}()
	// The rows are derived: a crash may lose the last of them (synchronous NORMAL), never the file.
	pragmas := "_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_pragma=busy_timeout(5000)&_pragma=cache_size(-8192)"
	name := "file:" + (&url.URL{Path: path}).EscapedPath()
	if s.writer, err = sql.Open("sqlite", name+"?_txlock=immediate&"+pragmas); err != nil {
		return nil, fmt.Errorf("could not open read model %q: %w", path, err)
	}
	s.writer.SetMaxOpenConns(1)
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, s.writer, sub)
	if err != nil {
		return nil, fmt.Errorf("could not prepare read model %q: %w", path, err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return nil, fmt.Errorf("could not bring read model %q up to date: %w", path, err)
	}
	if s.reader, err = sql.Open("sqlite", name+"?mode=ro&"+pragmas); err != nil {
		return nil, fmt.Errorf("could not open read model %q: %w", path, err)
	}
	s.reader.SetMaxOpenConns(4)
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, fmt.Errorf("could not protect read model %q: %w", path, err)
	}
	return s, nil
}

// Close closes the read model.
func (s *Store) Close() error {
	var errs []error
	for _, db := range []*sql.DB{s.reader, s.writer} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}

// Ping says whether questions can be answered.
func (s *Store) Ping(ctx context.Context) error { return s.reader.PingContext(ctx) }

// OnChange has tell called after every change, in the order of changes.
func (s *Store) OnChange(tell func(Change)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changed = append(s.changed, tell)
}

func (s *Store) tell(changes []Change) {
	s.mu.Lock()
	listeners := s.changed
	s.mu.Unlock()
	for _, tell := range listeners {
		for _, c := range changes {
			tell(c)
		}
	}
}
