// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package supervise

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Identity names one process beyond doubt: a pid alone is used again sooner or
// later, a pid with its start time since the same boot is not.
type Identity struct {
	// PID is the process id.
	PID int `json:"pid"`
	// Start is the start time in clock ticks since boot (field 22 of
	// /proc/<pid>/stat).
	Start uint64 `json:"start"`
	// Boot is the kernel's boot id.
	Boot string `json:"boot"`
}

// Identify returns the identity of a living process.
func Identify(pid int) (Identity, error) {
	identity, ended, err := identify(pid)
	if err == nil && ended {
		return Identity{}, fmt.Errorf("could not identify process %d: %w", pid, unix.ESRCH)
	}
	return identity, err
}

// identify also says whether the process has ended and only waits for its
// parent, or for its last threads, to be gone.
func identify(pid int) (identity Identity, ended bool, err error) {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Identity{}, false, fmt.Errorf("could not identify process %d: %w", pid, err)
	}
	// The command's name, in parentheses, may hold anything, spaces and
	// parentheses too: the fields are counted from its end.
	fields := strings.Fields(string(content[bytes.LastIndexByte(content, ')')+1:]))
	if len(fields) < 20 {
		return Identity{}, false, fmt.Errorf("could not identify process %d: its stat file has %d fields", pid, len(fields))
	}
	start, err := strconv.ParseUint(fields[19], 10, 64)
	if err != nil {
		return Identity{}, false, fmt.Errorf("could not identify process %d: %w", pid, err)
	}
	return Identity{PID: pid, Start: start, Boot: bootID()}, fields[0] == "Z", nil
}

// Alive tells whether just this process still lives.
func (i Identity) Alive() bool {
	if i.PID <= 0 {
		return false
	}
	now, err := Identify(i.PID)
	return err == nil && now == i
}

// open returns a descriptor of the process that stays its own even when the
// pid is used again.
func (i Identity) open() (int, error) {
	fd, err := unix.PidfdOpen(i.PID, 0)
	if err != nil {
		return -1, err
	}
	// Checked after the descriptor is there: from now on it cannot change. One
	// whose main thread has ended still counts, others may hold its files.
	if now, _, err := identify(i.PID); err != nil || now != i {
		_ = unix.Close(fd)
		return -1, unix.ESRCH
	}
	return fd, nil
}

// Wait returns when the process has ended, or ctx.
func (i Identity) Wait(ctx context.Context) error {
	fd, err := i.open()
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("could not watch process %d: %w", i.PID, err)
	}
	defer func() { _ = unix.Close(fd) }()
	for ctx.Err() == nil {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 200)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("could not watch process %d: %w", i.PID, err)
		}
		if n > 0 {
			return nil
		}
	}
	return ctx.Err()
}

// Signal sends a signal to just this process; to one that has ended it is
// nothing.
func (i Identity) Signal(signal unix.Signal) error {
	fd, err := i.open()
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("could not signal process %d: %w", i.PID, err)
	}
	defer func() { _ = unix.Close(fd) }()
	if err := unix.PidfdSendSignal(fd, signal, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("could not signal process %d: %w", i.PID, err)
	}
	return nil
}

// End asks the process to end by signal and ends it by force after grace.
func (i Identity) End(ctx context.Context, signal unix.Signal, grace time.Duration) error {
	if err := i.Signal(signal); err != nil {
		return err
	}
	soft, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	if i.Wait(soft) == nil {
		return nil
	}
	if err := i.Signal(unix.SIGKILL); err != nil {
		return err
	}
	// What is killed ends soon, also when our own caller has run out of time.
	hard, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := i.Wait(hard); err != nil {
		return fmt.Errorf("could not end process %d, which hangs in the kernel: %w", i.PID, err)
	}
	return nil
}

// MarkVariable is the environment variable by which a sandbox's processes are
// recognised when even their pids are lost: its value is a random number that
// only this sandbox's state file knows.
const MarkVariable = "FAIRWAY_SANDBOX_MARK"

// Marked lists the living processes that carry the mark, this one aside.
func Marked(mark string) []Identity {
	if mark == "" {
		return nil
	}
	want := []byte(MarkVariable + "=" + mark)
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	var found []Identity
	for _, file := range files {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err != nil || pid == os.Getpid() {
			continue
		}
		content, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		for setting := range bytes.SplitSeq(content, []byte{0}) {
			if bytes.Equal(setting, want) {
				if identity, err := Identify(pid); err == nil {
					found = append(found, identity)
				}
				break
			}
		}
	}
	return found
}

func bootID() string {
	content, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(content))
}
