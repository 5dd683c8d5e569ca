// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package stage

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Process is what the kernel tells of a process that runs.
type Process struct {
	PID, Parent int
	// CPU is how many seconds it took so far.
	CPU float64
}

// ProcessOf tells of a process; false: it has ended.
func ProcessOf(pid int) (Process, bool) {
	stat, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest) // from its state on
	if len(fields) < 13 {
		return Process{}, false
	}
	parent, _ := strconv.Atoi(fields[1])
	user, _ := strconv.ParseFloat(fields[11], 64)
	system, _ := strconv.ParseFloat(fields[12], 64)
	return Process{PID: pid, Parent: parent, CPU: (user + system) / 100}, true
}

// Children are the processes that this one has started and that run.
func Children() []Process {
	var out []Process
	folders, _ := filepath.Glob("/proc/[0-9]*")
	for _, folder := range folders {
		pid, _ := strconv.Atoi(filepath.Base(folder))
		if p, runs := ProcessOf(pid); runs && p.Parent == os.Getpid() {
			out = append(out, p)
		}
	}
	return out
}

// Command is with what the process was started, a space after each word.
func (p Process) Command() string {
	text, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p.PID), "cmdline"))
	return strings.ReplaceAll(string(text), "\x00", " ")
}

// Resident is the most memory that it ever had resident, in MiB.
func (p Process) Resident() int64 {
	status, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p.PID), "status"))
	for line := range strings.Lines(string(status)) {
		if v, is := strings.CutPrefix(line, "VmHWM:"); is {
			kib, _ := strconv.ParseInt(strings.Fields(v)[0], 10, 64)
			return kib >> 10
		}
	}
	return 0
}
