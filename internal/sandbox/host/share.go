// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package host

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
)

// MachineSize reads what the machine has, as its kubelets will see it.
func MachineSize() (Size, error) {
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		return Size{}, fmt.Errorf("could not read the machine's memory: %w", err)
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		fields := strings.Fields(s.Text())
		if len(fields) >= 2 && fields[0] == "MemTotal:" {
			kib, err := strconv.ParseInt(fields[1], 10, 64)
			if err != nil {
				return Size{}, fmt.Errorf("could not read the machine's memory: %w", err)
			}
			return Size{MilliCPU: int64(runtime.NumCPU()) * 1000, Memory: kib << 10}, nil
		}
	}
	return Size{}, fmt.Errorf("could not find the machine's memory in /proc/meminfo")
}

// Shares divides a machine among hosts: a host that asks for an amount gets
// it, the others share evenly what is left of each resource. What was asked
// for is not cut when it is more than there is: whoever writes so may.
func Shares(machine Size, asked []Size) []Size {
	left, cpuOpen, memoryOpen := machine, int64(0), int64(0)
	for _, a := range asked {
		left.MilliCPU -= a.MilliCPU
		left.Memory -= a.Memory
		if a.MilliCPU == 0 {
			cpuOpen++
		}
		if a.Memory == 0 {
			memoryOpen++
		}
	}
	shares := make([]Size, len(asked))
	for i, a := range asked {
		if a.MilliCPU == 0 {
			a.MilliCPU = max(left.MilliCPU, 0) / cpuOpen
		}
		if a.Memory == 0 {
			a.Memory = max(left.Memory, 0) / memoryOpen
		}
		shares[i] = a
	}
	return shares
}
