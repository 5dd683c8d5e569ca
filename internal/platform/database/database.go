// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package database opens the server's SQL database: SQLite in a file for one
// replica, PostgreSQL for several. Statements are written once, with "?" for
// their arguments, in the SQL that both understand.
package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strconv"
	"strings"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver of PostgreSQL
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
	_ "modernc.org/sqlite" // the driver of SQLite
)

// Dialect is the engine's own SQL, for the few statements that differ.
type Dialect string

// The engines.
const (
	SQLite   Dialect = "sqlite"
	Postgres Dialect = "postgres"
)

// DB is an open database. Writes of SQLite go through one connection, so that
// none meets a lock; reads do not wait for them.
type DB struct {
	// Dialect of the engine.
	Dialect Dialect
	write   *sql.DB
	read    *sql.DB
}

// Open opens the database at source: "postgres://user@host/name" or the path of
// a SQLite file, which is made with mode 0600 when missing. What is acknowledged
// survives a crash of the machine.
func Open(ctx context.Context, source string) (*DB, error) {
	if strings.HasPrefix(source, "postgres://") || strings.HasPrefix(source, "postgresql://") {
		return openPostgres(ctx, source)
	}
	return openSQLite(ctx, source)
}

func openPostgres(ctx context.Context, source string) (*DB, error) {
	pool, err := sql.Open("pgx", source)
	if err != nil {
		// The source may hold a password: the driver's words are not repeated.
		return nil, errors.New("could not open the database: the address of PostgreSQL cannot be read; write postgres://user@host:5432/name")
	}
	pool.SetMaxOpenConns(16)
	if err := pool.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("could not reach the database: %w", err), pool.Close())
	}
	return &DB{Dialect: Postgres, write: pool, read: pool}, nil
}

func openSQLite(ctx context.Context, path string) (*DB, error) {
	pragmas := "_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(5000)&_pragma=foreign_keys(1)"
	name := "file:" + (&url.URL{Path: path}).EscapedPath()
	write, err := sql.Open("sqlite", name+"?_txlock=immediate&"+pragmas)
	if err != nil {
		return nil, fmt.Errorf("could not open database %q: %w", path, err)
	}
	write.SetMaxOpenConns(1)
	if err := write.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("could not open database %q: %w", path, err), write.Close())
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("could not protect database %q: %w", path, err), write.Close())
	}
	read, err := sql.Open("sqlite", name+"?mode=ro&"+pragmas)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("could not open database %q: %w", path, err), write.Close())
	}
	read.SetMaxOpenConns(4)
	return &DB{Dialect: SQLite, write: write, read: read}, nil
}

// Close closes the database.
func (d *DB) Close() error {
	err := d.write.Close()
	if d.read != d.write {
		err = errors.Join(d.read.Close(), err)
	}
	return err
}

// Ping says whether questions can be answered.
func (d *DB) Ping(ctx context.Context) error { return d.read.PingContext(ctx) }

// Migrate brings the tables of one room up to date from the *.sql files in the
// root of files (goose's format). table remembers which ran, so that rooms share
// a database.
func (d *DB) Migrate(ctx context.Context, files fs.FS, table string) error {
	dialect := goose.DialectSQLite3
	if d.Dialect == Postgres {
		dialect = goose.DialectPostgres
	}
	store, err := database.NewStore(dialect, table)
	if err != nil {
		return fmt.Errorf("could not prepare the tables of %s: %w", table, err)
	}
	provider, err := goose.NewProvider("", d.write, files, goose.WithStore(store))
	if err != nil {
		return fmt.Errorf("could not prepare the tables of %s: %w", table, err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("could not bring the tables of %s up to date: %w", table, err)
	}
	return nil
}

// Exec carries a statement out.
func (d *DB) Exec(ctx context.Context, statement string, args ...any) (sql.Result, error) {
	return d.write.ExecContext(ctx, d.Rebind(statement), args...)
}

// Query asks for rows.
func (d *DB) Query(ctx context.Context, statement string, args ...any) (*sql.Rows, error) {
	return d.read.QueryContext(ctx, d.Rebind(statement), args...)
}

// QueryRow asks for one row.
func (d *DB) QueryRow(ctx context.Context, statement string, args ...any) *sql.Row {
	return d.read.QueryRowContext(ctx, d.Rebind(statement), args...)
}

// Tx carries several statements out together, or none of them.
func (d *DB) Tx(ctx context.Context, do func(*Tx) error) error {
	tx, err := d.write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("could not begin a transaction: %w", err)
	}
	if err := do(&Tx{tx: tx, db: d}); err != nil {
		return errors.Join(err, ignoreDone(tx.Rollback()))
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("could not commit a transaction: %w", err)
	}
	return nil
}

func ignoreDone(err error) error {
	if errors.Is(err, sql.ErrTxDone) {
		return nil
	}
	return err
}

// Tx is a transaction.
type Tx struct {
	tx *sql.Tx
	db *DB
}

// Exec carries a statement out.
func (t *Tx) Exec(ctx context.Context, statement string, args ...any) (sql.Result, error) {
	return t.tx.ExecContext(ctx, t.db.Rebind(statement), args...)
}

// Query asks for rows.
func (t *Tx) Query(ctx context.Context, statement string, args ...any) (*sql.Rows, error) {
	return t.tx.QueryContext(ctx, t.db.Rebind(statement), args...)
}

// QueryRow asks for one row.
func (t *Tx) QueryRow(ctx context.Context, statement string, args ...any) *sql.Row {
	return t.tx.QueryRowContext(ctx, t.db.Rebind(statement), args...)
}

// Rebind writes a statement's "?" as the engine wants them. A "?" within quotes
// stays.
func (d *DB) Rebind(statement string) string {
	if d.Dialect != Postgres || !strings.Contains(statement, "?") {
		return statement
	}
	var out strings.Builder
	quoted, n := false, 0
	for _, c := range statement {
		switch {
		case c == '\'':
			quoted = !quoted
			out.WriteRune(c)
		case c == '?' && !quoted:
			n++
			out.WriteString("$" + strconv.Itoa(n))
		default:
			out.WriteRune(c)
		}
	}
	return out.String()
}
