// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package host

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// cgroupTop is the first part of the control groups of all sandboxes.
const cgroupTop = "fairway"

// hierarchy is a mounted tree of control groups.
type hierarchy struct {
	path    string
	unified bool // version 2
	cpuset  bool // version 1 with the cpuset controller
}

// hierarchies lists the trees of control groups that the kubelet and runc use:
// all of version 1, and the unified one (with no controllers where version 1
// has them).
func hierarchies() ([]hierarchy, error) {
	f, err := os.Open("/proc/self/mounts")
	if err != nil {
		return nil, fmt.Errorf("could not list control groups: %w", err)
	}
	defer f.Close()
	var found []hierarchy
	for s := bufio.NewScanner(f); s.Scan(); {
		fields := strings.Fields(s.Text())
		if len(fields) < 4 {
			continue
		}
		switch fields[2] {
		case "cgroup":
			found = append(found, hierarchy{path: fields[1], cpuset: slices.Contains(strings.Split(fields[3], ","), "cpuset")})
		case "cgroup2":
			found = append(found, hierarchy{path: fields[1], unified: true})
		}
	}
	if len(found) == 0 {
		return nil, errors.New("could not find any control groups: mount /sys/fs/cgroup")
	}
	return found, nil
}

// ensureCgroup makes a control group with its parents in every hierarchy.
func ensureCgroup(group string) error {
	trees, err := hierarchies()
	if err != nil {
		return err
	}
	for _, tree := range trees {
		// A neighbour that is wiped takes empty parents away: they are made again.
		const tries = 20
		for try := 1; ; try++ {
			err := tree.ensure(group)
			if err == nil {
				break
			}
			if try == tries || !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ENODEV) {
				return err
			}
		}
	}
	return nil
}

func (tree hierarchy) ensure(group string) error {
	at := tree.path
	for part := range strings.SplitSeq(strings.Trim(group, "/"), "/") {
		parent := at
		at = filepath.Join(at, part)
		if tree.unified {
			enableControllers(parent)
		}
		if err := os.Mkdir(at, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("could not make control group %q: %w", at, err)
		}
		if tree.cpuset {
			// A new group has no processors and no memory nodes, and
			// nobody could join it.
			for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
				if err := inheritCpuset(parent, at, file); err != nil {
					return err
				}
			}
		}
		if parent == tree.path {
			preferHosts(at)
		}
	}
	return nil
}

// preferHosts gives the hosts of all sandboxes twenty times the processor time of
// one other process of the machine when all want it. Without it all instances
// together weigh as much as one compiler or one API server, and stand still for
// seconds where a real host has processors of its own. A kernel that knows no
// such weights is left as it is.
func preferHosts(top string) {
	for file, weight := range map[string]string{"cpu.shares": "20480", "cpu.weight": "2000"} {
		path := filepath.Join(top, file)
		if have, err := os.ReadFile(path); err == nil && strings.TrimSpace(string(have)) != weight {
			_ = os.WriteFile(path, []byte(weight), 0o644)
		}
	}
}

// enableControllers hands the parent's controllers down; what cannot be
// handed down is not there for us to use.
func enableControllers(parent string) {
	have, err := os.ReadFile(filepath.Join(parent, "cgroup.controllers"))
	if err != nil {
		return
	}
	for _, controller := range strings.Fields(string(have)) {
		_ = os.WriteFile(filepath.Join(parent, "cgroup.subtree_control"), []byte("+"+controller), 0o644)
	}
}

func inheritCpuset(parent, child, file string) error {
	have, err := os.ReadFile(filepath.Join(child, file))
	if err != nil || strings.TrimSpace(string(have)) != "" {
		return err
	}
	from, err := os.ReadFile(filepath.Join(parent, file))
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(child, file), []byte(strings.TrimSpace(string(from))), 0o644); err != nil {
		return fmt.Errorf("could not set %s of control group %q: %w", file, child, err)
	}
	return nil
}

// members returns the pids in a control group and all groups below it.
func members(group string) ([]int, error) {
	trees, err := hierarchies()
	if err != nil {
		return nil, err
	}
	seen := map[int]bool{}
	for _, tree := range trees {
		err := filepath.WalkDir(filepath.Join(tree.path, group), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || !entry.IsDir() {
				return ignoreMissing(err)
			}
			data, err := os.ReadFile(filepath.Join(path, "cgroup.procs"))
			for line := range strings.FieldsSeq(string(data)) {
				if pid, err := strconv.Atoi(line); err == nil && pid > 1 {
					seen[pid] = true
				}
			}
			return ignoreMissing(err)
		})
		if err != nil {
			return nil, fmt.Errorf("could not list the processes of control group %q: %w", group, err)
		}
	}
	pids := make([]int, 0, len(seen))
	for pid := range seen {
		pids = append(pids, pid)
	}
	slices.Sort(pids)
	return pids, nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV) {
		return nil
	}
	return err
}

// signalGroup signals every member of a control group once. The own process is
// spared, should it be one.
func signalGroup(group string, signal unix.Signal) (int, error) {
	pids, err := members(group)
	if err != nil {
		return 0, err
	}
	count := 0
	for _, pid := range pids {
		if pid == os.Getpid() {
			continue
		}
		if err := unix.Kill(pid, signal); err == nil {
			count++
		}
	}
	return count, nil
}

// endGroup ends every member of a control group: asked first when grace is
// given, then killed. It returns when none is left or ctx ends.
func endGroup(ctx context.Context, group string, grace time.Duration) error {
	if grace > 0 {
		if _, err := signalGroup(group, unix.SIGTERM); err != nil {
			return err
		}
		for end := time.Now().Add(grace); time.Now().Before(end); {
			if pids, err := members(group); err != nil || len(pids) == 0 {
				return err
			}
			if err := pause(ctx, 20*time.Millisecond); err != nil {
				return err
			}
		}
	}
	for {
		count, err := signalGroup(group, unix.SIGKILL)
		if err != nil || count == 0 {
			return err
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			pids, _ := members(group)
			return fmt.Errorf("could not end processes %v of control group %q: %w", pids, group, err)
		}
	}
}

// removeCgroup removes a control group and all below it from every hierarchy.
// Its members have to be gone; the kernel may take a moment to notice.
func removeCgroup(ctx context.Context, group string) error {
	trees, err := hierarchies()
	if err != nil {
		return err
	}
	for _, tree := range trees {
		var dirs []string
		err := filepath.WalkDir(filepath.Join(tree.path, group), func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				dirs = append(dirs, path)
			}
			return ignoreMissing(err)
		})
		if err != nil {
			return fmt.Errorf("could not list control group %q: %w", group, err)
		}
		slices.Reverse(dirs) // children before parents
		for _, dir := range dirs {
			for {
				err := unix.Rmdir(dir)
				if err == nil || errors.Is(err, unix.ENOENT) {
					break
				}
				if !errors.Is(err, unix.EBUSY) {
					return fmt.Errorf("could not remove control group %q: %w", dir, err)
				}
				if pause(ctx, 10*time.Millisecond) != nil {
					return fmt.Errorf("could not remove control group %q: it is still in use", dir)
				}
			}
		}
	}
	return nil
}

// removeEmptyCgroups removes a group and its parents below the root as far as
// they are empty.
func removeEmptyCgroups(group string) {
	trees, err := hierarchies()
	if err != nil {
		return
	}
	for _, tree := range trees {
		for at := group; at != "/" && at != "."; at = filepath.Dir(at) {
			if unix.Rmdir(filepath.Join(tree.path, at)) != nil {
				break
			}
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
