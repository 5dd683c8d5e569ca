// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package beside

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// cpuOf is how many seconds of CPU a process took so far.
func cpuOf(pid int) float64 {
	fields := statOf(strconv.Itoa(pid))
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseFloat(fields[11], 64)
	system, _ := strconv.ParseFloat(fields[12], 64)
	return (user + system) / 100
}

// statOf are the fields of a process's stat from its state on.
func statOf(pid string) []string {
	stat, _ := os.ReadFile(filepath.Join("/proc", pid, "stat"))
	_, rest, _ := strings.Cut(string(stat), ") ")
	return strings.Fields(rest)
}

// cpuOfServers is how many seconds of CPU this test's API servers and stores took so far.
func cpuOfServers() float64 {
	sum := 0.0
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		pid := filepath.Base(filepath.Dir(path))
		if fields := statOf(pid); len(fields) < 2 || fields[1] != strconv.Itoa(os.Getpid()) {
			continue
		}
		command, _ := os.ReadFile(filepath.Join("/proc", pid, "cmdline"))
		if strings.Contains(string(command), "\x00kube-apiserver\x00") || strings.Contains(string(command), "\x00etcd\x00") {
			n, _ := strconv.Atoi(pid)
			sum += cpuOf(n)
		}
	}
	return sum
}

// memoryOf is the most memory that a process ever had resident, in MiB.
func memoryOf(pid int) int64 {
	status, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	for line := range strings.Lines(string(status)) {
		if v, is := strings.CutPrefix(line, "VmHWM:"); is {
			kib, _ := strconv.ParseInt(strings.Fields(v)[0], 10, 64)
			return kib >> 10
		}
	}
	return 0
}

// load are the machine's load averages.
func load() string {
	text, _ := os.ReadFile("/proc/loadavg")
	return strings.Join(strings.Fields(string(text))[:3], " ")
}
