// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package daemon

import (
	"os"
	"os/exec"
	"strings"
)

// Missing is what the machine lacks.
type Missing struct {
	// Root is set when we may not make network namespaces.
	Root bool `json:"root,omitempty"`
	// Programs that are not installed, of those that real hosts need.
	Programs []string `json:"programs,omitempty"`
	// Prometheus is set when it is not installed.
	Prometheus bool `json:"prometheus,omitempty"`
}

// needed are the programs and files real hosts need, with their Debian packages.
var needed = []struct{ what, pkg string }{
	{"containerd", "containerd"},
	{"runc", "runc"},
	{"nft", "nftables"},
	{"nsenter", "util-linux"},
	{"/usr/lib/cni/ptp", "containernetworking-plugins"},
}

// Preflight looks at the machine.
func Preflight() Missing {
	m := Missing{Root: os.Getuid() != 0}
	for _, n := range needed {
		if !installed(n.what) {
			m.Programs = append(m.Programs, n.pkg)
		}
	}
	m.Prometheus = !installed("prometheus")
	return m
}

// Network tells whether network namespaces are out of reach.
func (m Missing) Network() bool { return m.Root }

// Containers tells whether real hosts are out of reach.
func (m Missing) Containers() bool { return m.Root || len(m.Programs) > 0 }

// Lines say what is missing, what is left out for it, and what to do.
func (m Missing) Lines() []string {
	var lines []string
	switch {
	case m.Root:
		lines = append(lines, "not root: real and edge hosts, and links to cut, are left out; simulated hosts only")
	case len(m.Programs) > 0:
		lines = append(lines, "not installed: "+strings.Join(m.Programs, ", ")+": real hosts are left out; simulated hosts only (as root, hack/install-deps.sh installs them on Debian)")
	}
	if m.Prometheus {
		lines = append(lines, "not installed: prometheus: metrics are not collected")
	}
	return lines
}

func installed(what string) bool {
	if strings.HasPrefix(what, "/") {
		_, err := os.Stat(what)
		return err == nil
	}
	for _, dir := range []string{"", "/usr/sbin/", "/sbin/"} {
		if _, err := exec.LookPath(dir + what); err == nil {
			return true
		}
	}
	return false
}
