// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package daemon

import (
	"bufio"
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// ticksPerSecond is the unit of /proc/<pid>/stat, the same on all Linux.
const ticksPerSecond = 100

func selfPID() int { return os.Getpid() }

// usage is what a process occupies (pages shared with others split between
// them) and the processor seconds it has used; zeros when it is gone.
func usage(pid int) (memory int64, cpu float64) {
	if pid == 0 {
		return 0, 0
	}
	if content, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid)); err == nil {
		for line := range bytes.Lines(content) {
			fields := strings.Fields(string(line))
			if len(fields) >= 2 && fields[0] == "Pss:" {
				kib, _ := strconv.ParseInt(fields[1], 10, 64)
				memory = kib << 10
			}
		}
	}
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return memory, 0
	}
	fields := strings.Fields(string(content[bytes.LastIndexByte(content, ')')+1:]))
	if len(fields) > 12 {
		user, _ := strconv.ParseFloat(fields[11], 64)
		system, _ := strconv.ParseFloat(fields[12], 64)
		cpu = (user + system) / ticksPerSecond
	}
	return memory, cpu
}

// groupMembers are the processes in a control group and those below it, read
// from the first hierarchy that has it.
func groupMembers(group string) []int {
	mounts, err := os.Open("/proc/self/mounts")
	if err != nil {
		return nil
	}
	defer func() { _ = mounts.Close() }()
	for lines := bufio.NewScanner(mounts); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 3 || (fields[2] != "cgroup" && fields[2] != "cgroup2") {
			continue
		}
		root := filepath.Join(fields[1], group)
		if _, err := os.Stat(root); err != nil {
			continue
		}
		var pids []int
		_ = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.Name() == "cgroup.procs" {
				content, _ := os.ReadFile(path)
				for _, field := range strings.Fields(string(content)) {
					if pid, err := strconv.Atoi(field); err == nil {
						pids = append(pids, pid)
					}
				}
			}
			return nil
		})
		if len(pids) > 0 {
			return pids
		}
	}
	return nil
}
