// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Sweep removes every host of a sandbox that has left a folder below dir or a
// control group, whether the sandbox still knows of it or not. It is what
// "down" ends with, and what it begins with after a crash that lost the
// sandbox's own records. Hosts are swept together; grace is each one's.
func Sweep(ctx context.Context, sandbox, dir string, grace time.Duration) error {
	if sandbox == "" || !filepath.IsAbs(dir) {
		return fmt.Errorf("could not sweep hosts of sandbox %q below %q: name and absolute folder are needed", sandbox, dir)
	}
	names, err := folders(dir)
	if err != nil {
		return err
	}
	group := filepath.Join("/", cgroupTop, sandbox)
	trees, err := hierarchies()
	if err != nil {
		return err
	}
	for _, tree := range trees {
		more, err := folders(filepath.Join(tree.path, group))
		if err != nil {
			return err
		}
		names = append(names, more...)
	}
	slices.Sort(names)
	names = slices.Compact(names)

	ends := make(chan error, len(names))
	for _, name := range names {
		h := Host{Config{Sandbox: sandbox, Name: name, Dir: filepath.Join(dir, name)}}
		go func() { ends <- h.Remove(ctx, grace) }()
	}
	var failed []error
	for range names {
		failed = append(failed, <-ends)
	}
	removeEmptyCgroups(group)
	return errors.Join(failed...)
}

// folders lists the names of a folder's sub-folders.
func folders(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("could not look for hosts: %w", err)
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, nil
}
