// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package host

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
)

// Places of the machine that the components write to without a way to tell
// them another.
const (
	shimSockets    = "/run/containerd/s"
	cniResults     = "/var/lib/cni/results"
	containerLinks = "/var/log/containers"
	devicePlugins  = "/var/lib/kubelet/device-plugins"
)

// removeShimSockets removes the sockets of the host's shims, which are named
// in the folders of their containers.
func (h Host) removeShimSockets() {
	addresses, _ := filepath.Glob(h.run("containerd", "io.containerd.runtime.v2.task", "k8s.io", "*", "address"))
	for _, file := range addresses {
		data, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		socket := filepath.Clean(strings.TrimPrefix(strings.TrimSpace(string(data)), "unix://"))
		if filepath.Dir(socket) == shimSockets {
			_ = os.Remove(socket)
		}
	}
	removeEmpty(shimSockets, filepath.Dir(shimSockets))
}

// removeTraces removes what the host's pods left outside its folder: results
// of the CNI plugins and links to logs.
func (h Host) removeTraces() {
	results, _ := filepath.Glob(filepath.Join(cniResults, "*"))
	for _, file := range results {
		if data, err := os.ReadFile(file); err == nil && bytes.Contains(data, []byte(h.Dir+"/")) {
			_ = os.Remove(file)
		}
	}
	removeEmpty(cniResults, filepath.Dir(cniResults))

	links, _ := filepath.Glob(filepath.Join(containerLinks, "*"))
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && strings.HasPrefix(target, h.Dir+"/") {
			_ = os.Remove(link)
		}
	}
	removeEmpty(containerLinks)
}

// removeEmpty removes folders as far as they are empty.
func removeEmpty(dirs ...string) {
	for _, dir := range dirs {
		if os.Remove(dir) != nil {
			return
		}
	}
}
