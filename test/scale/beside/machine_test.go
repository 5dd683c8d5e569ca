// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package beside

import (
	"os"
	"strings"

	"github.com/fairway-cloud/fairway/test/scale/stage"
)

// cpuOfServers is how many seconds of CPU this test's API servers and stores took so far.
func cpuOfServers() float64 {
	sum := 0.0
	for _, p := range stage.Children() {
		if command := p.Command(); strings.Contains(command, " kube-apiserver ") || strings.Contains(command, " etcd ") {
			sum += p.CPU
		}
	}
	return sum
}

// load are the machine's load averages.
func load() string {
	text, _ := os.ReadFile("/proc/loadavg")
	return strings.Join(strings.Fields(string(text))[:3], " ")
}
