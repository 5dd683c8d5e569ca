// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package host

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestMeasure says what hosts cost when idle. Set FAIRWAY_MEASURE to their
// number; it takes two minutes.
func TestMeasure(t *testing.T) {
	count, _ := strconv.Atoi(os.Getenv("FAIRWAY_MEASURE"))
	if count == 0 {
		t.Skip("set FAIRWAY_MEASURE to the number of hosts to measure")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	var names []string
	for n := range count {
		names = append(names, fmt.Sprintf("h%d", n))
	}
	began := time.Now()
	w := startWorld(t, ctx, names...)
	t.Logf("%d hosts up after %v", count, time.Since(began).Round(time.Second))
	for _, name := range names {
		w.pod(ctx, name, name)
	}
	must(t, pause(ctx, 45*time.Second)) // what starts, settles

	pids := map[int]string{}
	for name, cmd := range w.run.running {
		pids[cmd.Process.Pid] = name[strings.LastIndex(name, "/")+1:]
	}
	for _, h := range w.hosts {
		all, err := members(h.CgroupRoot())
		must(t, err)
		for _, pid := range all {
			if _, known := pids[pid]; !known {
				comm, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
				pids[pid] = strings.TrimSpace(string(comm))
			}
		}
	}
	first := map[int]float64{}
	for pid := range pids {
		first[pid] = cpuSeconds(pid)
	}
	const window = 60 * time.Second
	must(t, pause(ctx, window))
	type sum struct {
		n        int
		pss, cpu float64
	}
	sums := map[string]*sum{"total": {}}
	for pid, name := range pids {
		if sums[name] == nil {
			sums[name] = &sum{}
		}
		for _, s := range []*sum{sums[name], sums["total"]} {
			s.n++
			s.pss += pss(pid)
			s.cpu += (cpuSeconds(pid) - first[pid]) / window.Seconds()
		}
	}
	for name, s := range sums {
		t.Logf("%-26s %3d processes %7.0f MiB %6.3f cores", name, s.n, s.pss, s.cpu)
	}
}

// pss is a process's share of memory in MiB, shared pages counted in parts.
func pss(pid int) float64 {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	for line := range strings.Lines(string(data)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "Pss:" {
			kib, _ := strconv.ParseFloat(fields[1], 64)
			return kib / 1024
		}
	}
	return 0
}

func cpuSeconds(pid int) float64 {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	fields := strings.Fields(string(data[strings.LastIndex(string(data), ")")+1:]))
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseFloat(fields[11], 64)
	system, _ := strconv.ParseFloat(fields[12], 64)
	return (user + system) / 100
}
