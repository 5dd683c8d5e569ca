// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package databasetest runs one test on every engine: a SQLite file, and a
// PostgreSQL server that it starts itself where Debian's package is installed.
package databasetest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"sort"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/fairway-cloud/fairway/internal/platform/database"
)

// Each runs the test with an empty database of every engine.
func Each(t *testing.T, test func(t *testing.T, open func() *database.DB)) {
	t.Run("SQLite", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "fairway.db")
		test(t, func() *database.DB { return opened(t, path) })
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		source := Postgres(t)
		test(t, func() *database.DB { return opened(t, source) })
	})
}

func opened(t *testing.T, source string) *database.DB {
	t.Helper()
	db, err := database.Open(t.Context(), source)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// Postgres returns the source of an empty database on a PostgreSQL server that
// ends with the test. It skips the test where the package is not installed.
func Postgres(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("no PostgreSQL under -short")
	}
	bin := binaries()
	if bin == "" {
		t.Skip("PostgreSQL is not installed: apt-get install postgresql")
	}
	server, err := start(t, bin)
	if err != nil {
		t.Fatal(err)
	}
	return server
}

// binaries is the folder of the newest PostgreSQL that is installed, or "".
func binaries() string {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	sort.Strings(found)
	if len(found) == 0 {
		return ""
	}
	return filepath.Dir(found[len(found)-1])
}

var (
	number atomic.Int64
	making sync.Mutex
)

// start makes a cluster in a folder of its own, reached by a socket only.
func start(t *testing.T, bin string) (string, error) {
	making.Lock() // initdb is heavy: one at a time
	defer making.Unlock()
	// Not under t.TempDir: a socket's path has at most 107 bytes, and another user must reach it.
	dir, err := os.MkdirTemp("", "fairway-pg-")
	if err != nil {
		return "", err
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	attributes, err := servant(dir)
	if err != nil {
		return "", err
	}
	run := func(name string, args ...string) *exec.Cmd {
		c := exec.Command(filepath.Join(bin, name), args...)
		c.Dir, c.SysProcAttr = dir, attributes
		c.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "TZ=UTC")
		return c
	}
	data := filepath.Join(dir, "data")
	if out, err := run("initdb", "-D", data, "-U", "fairway", "-A", "trust", "-E", "UTF8", "--no-sync").CombinedOutput(); err != nil {
		return "", fmt.Errorf("initdb: %w: %s", err, out)
	}
	// It must end with the test process, also when that one is killed.
	server := run("postgres", "-D", data, "-k", dir, "-c", "listen_addresses=", "-c", "fsync=on", "-c", "max_connections=40")
	if err := server.Start(); err != nil {
		return "", err
	}
	t.Cleanup(func() {
		_ = server.Process.Signal(syscall.SIGINT)
		_ = server.Wait()
	})
	name := "t" + strconv.FormatInt(number.Add(1), 10)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	source := func(database string) string {
		return "postgres://fairway@/" + database + "?host=" + dir + "&sslmode=disable"
	}
	for {
		db, err := database.Open(ctx, source("postgres"))
		if err == nil {
			_, err = db.Exec(ctx, "CREATE DATABASE "+name)
			if err := errors.Join(err, db.Close()); err != nil {
				return "", err
			}
			return source(name), nil
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("PostgreSQL does not come up: %w", err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// servant says as whom the server runs: it refuses to run as root.
func servant(dir string) (*syscall.SysProcAttr, error) {
	attributes := &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if os.Getuid() != 0 {
		return attributes, nil
	}
	who, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, _ := strconv.Atoi(who.Uid)
	gid, _ := strconv.Atoi(who.Gid)
	attributes.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)} //nolint:gosec // ids of users are small
	return attributes, os.Chown(dir, uid, gid)
}
