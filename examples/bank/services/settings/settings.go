// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package settings reads a service's configuration from a JSON file and keeps
// following it: a changed file takes effect without a restart, a broken one
// is reported and the last good one stays.
package settings

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"sync/atomic"
	"time"
)

// DefaultPath is where the bank's applications mount their configuration.
const DefaultPath = "/etc/bank/settings.json"

// Path is $BANK_CONFIG, else DefaultPath.
func Path() string {
	if path := os.Getenv("BANK_CONFIG"); path != "" {
		return path
	}
	return DefaultPath
}

// File is a configuration file of type T. A missing file means the defaults.
type File[T any] struct {
	path     string
	defaults T
	check    func(T) error
	current  atomic.Pointer[T]
	content  []byte // as last seen, good or bad; used by load alone
}

// Open reads the file once; broken content is an error here, so that a
// service does not start with a configuration nobody wanted.
func Open[T any](path string, defaults T, check func(T) error) (*File[T], error) {
	f := &File[T]{path: path, defaults: defaults, check: check}
	f.current.Store(&defaults)
	if _, err := f.load(); err != nil {
		return nil, fmt.Errorf("could not read configuration %q: %w", path, err)
	}
	return f, nil
}

// Current is the configuration in force. The value is not changed later.
func (f *File[T]) Current() T { return *f.current.Load() }

// Follow looks at the file every interval until ctx ends and calls changed
// after each new configuration.
func (f *File[T]) Follow(ctx context.Context, interval time.Duration, changed func(T)) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		fresh, err := f.load()
		if err != nil {
			slog.Error("configuration refused, the last good one stays", "path", f.path, "error", err)
		} else if fresh {
			slog.Info("configuration loaded", "path", f.path)
			changed(f.Current())
		}
	}
}

// load takes over the file's content if it differs from what was last seen.
func (f *File[T]) load() (bool, error) {
	content, err := os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) || f.path == "" {
		content, err = nil, nil
	}
	if err != nil {
		return false, err
	}
	if bytes.Equal(content, f.content) {
		return false, nil
	}
	f.content = content
	next := f.defaults
	if len(content) > 0 {
		decoder := json.NewDecoder(bytes.NewReader(content))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&next); err != nil {
			return false, err
		}
		if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
			return false, errors.New("something follows the closing brace")
		}
	}
	if f.check != nil {
		if err := f.check(next); err != nil {
			return false, err
		}
	}
	f.current.Store(&next)
	return true, nil
}

// Duration is written as Go writes it: "1.5s", "200ms".
type Duration time.Duration

// UnmarshalText reads "1.5s".
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = Duration(parsed)
	return err
}

// MarshalText writes "1.5s".
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }
