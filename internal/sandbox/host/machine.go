// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/fairway-cloud/fairway/internal/sandbox/pki"
)

// machineDir is where sandboxes of one machine note what they share.
const machineDir = "/run/fairway"

// kubeletSettings are the kernel settings that a kubelet changes for the whole
// machine when it starts, and the one that we raise for many of them.
var kubeletSettings = []string{
	"vm/overcommit_memory", "vm/panic_on_oom",
	"kernel/panic", "kernel/panic_on_oops",
	"kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes",
	inotifyInstances,
}

// inotifyInstances bounds the watchers of files of one user. Each host takes
// about a dozen, so the usual 128 end with the tenth host; we raise it.
const (
	inotifyInstances = "fs/inotify/max_user_instances"
	inotifyWanted    = 8192
)

// raiseInotify makes room for the watchers of many hosts.
func raiseInotify() error {
	path := filepath.Join("/proc/sys", inotifyInstances)
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("could not read kernel setting %q: %w", inotifyInstances, err)
	}
	if now, err := strconv.Atoi(strings.TrimSpace(string(data))); err == nil && now >= inotifyWanted {
		return nil
	}
	if err := os.WriteFile(path, []byte(strconv.Itoa(inotifyWanted)), 0o644); err != nil {
		return fmt.Errorf("could not raise kernel setting %q to %d: %w", inotifyInstances, inotifyWanted, err)
	}
	return nil
}

// machineNote remembers the machine as it was before the first sandbox.
type machineNote struct {
	Sandboxes []string          `json:"sandboxes"`
	Settings  map[string]string `json:"settings"`
	// DevicePlugins is true when the folder was there before us.
	DevicePlugins bool `json:"devicePlugins"`
}

// ClaimMachine notes that a sandbox runs real hosts, and the kernel settings
// before the first one did. Call it before any kubelet starts.
func ClaimMachine(sandbox string) error {
	return withMachineNote(func(note *machineNote) error {
		if len(note.Sandboxes) == 0 {
			note.Settings = map[string]string{}
			for _, name := range kubeletSettings {
				value, err := os.ReadFile(filepath.Join("/proc/sys", name))
				if err == nil {
					note.Settings[name] = strings.TrimSpace(string(value))
				}
			}
			_, err := os.Stat(devicePlugins)
			note.DevicePlugins = err == nil
		}
		if !slices.Contains(note.Sandboxes, sandbox) {
			note.Sandboxes = append(note.Sandboxes, sandbox)
		}
		return raiseInotify()
	})
}

// ReleaseMachine takes the claim back. The last sandbox to go puts the
// kernel's settings back and removes what kubelets left for the machine.
func ReleaseMachine(sandbox string) error {
	return withMachineNote(func(note *machineNote) error {
		if !slices.Contains(note.Sandboxes, sandbox) {
			return nil
		}
		note.Sandboxes = slices.DeleteFunc(note.Sandboxes, func(s string) bool { return s == sandbox })
		if len(note.Sandboxes) > 0 {
			return nil
		}
		for name, value := range note.Settings {
			path := filepath.Join("/proc/sys", name)
			if now, err := os.ReadFile(path); err != nil || strings.TrimSpace(string(now)) == value {
				continue
			}
			if err := os.WriteFile(path, []byte(value), 0o644); err != nil {
				return fmt.Errorf("could not put kernel setting %q back to %q: %w", name, value, err)
			}
		}
		if !note.DevicePlugins {
			for _, file := range []string{"kubelet.sock", "kubelet_internal_checkpoint", "DEPRECATION"} {
				_ = os.Remove(filepath.Join(devicePlugins, file))
			}
			removeEmpty(devicePlugins, filepath.Dir(devicePlugins))
		}
		return nil
	})
}

// withMachineNote changes the note under a lock that all sandboxes take; a
// note without sandboxes is removed with its folder.
func withMachineNote(change func(*machineNote) error) error {
	failed := func(err error) error {
		return fmt.Errorf("could not note in %q what the sandbox changes of the machine: %w", machineDir, err)
	}
	lock, err := os.Open(filepath.Dir(machineDir))
	if err != nil {
		return failed(err)
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return failed(err)
	}
	file := filepath.Join(machineDir, "machine.json")
	var note machineNote
	data, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(data, &note)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return failed(err)
	}
	if err := change(&note); err != nil {
		return err
	}
	if len(note.Sandboxes) == 0 {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return failed(err)
		}
		removeEmpty(machineDir)
		return nil
	}
	if data, err = json.Marshal(note); err != nil {
		return failed(err)
	}
	if err := os.MkdirAll(machineDir, 0o755); err != nil {
		return failed(err)
	}
	return pki.WriteFile(file, data)
}
