// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package book

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Lock waits until this process is the only writer of a folder. The kernel
// lets go of it when the process dies, however it dies, so that a replacement
// on the same volume goes on exactly then. The returned function lets go.
func Lock(ctx context.Context, dir string) (func() error, error) {
	path := filepath.Join(dir, "lock")
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o660)
	if err != nil {
		return nil, fmt.Errorf("could not lock %q: %w", dir, err)
	}
	retry := time.NewTicker(20 * time.Millisecond)
	defer retry.Stop()
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return file.Close, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			file.Close()
			return nil, fmt.Errorf("could not lock %q: %w", dir, err)
		}
		select {
		case <-ctx.Done():
			file.Close()
			return nil, ctx.Err()
		case <-retry.C:
		}
	}
}

// file is a Disk that is a file.
type file struct{ *os.File }

func (f file) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// OpenFile opens the journal of a folder as a Disk, creating it durably.
func OpenFile(dir string) (Disk, error) {
	path := filepath.Join(dir, "journal")
	opened, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o660)
	if err != nil {
		return nil, fmt.Errorf("could not open journal %q: %w", path, err)
	}
	folder, err := os.Open(dir)
	if err != nil {
		opened.Close()
		return nil, fmt.Errorf("could not open journal %q: %w", path, err)
	}
	defer folder.Close()
	if err := folder.Sync(); err != nil {
		opened.Close()
		return nil, fmt.Errorf("could not make journal %q durable: %w", path, err)
	}
	return file{opened}, nil
}
