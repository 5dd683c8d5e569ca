// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// machine is what a sandbox could leave behind on the machine.
type machine struct {
	namespaces []string
	links      []string
	mounts     []string
	cgroups    []string
	tables     []string
	processes  []string
}

// lookAt reads the machine's state. Processes are those whose command line
// names the sandbox.
func lookAt(sandbox string) (machine, error) {
	var m machine
	var err error
	if m.namespaces, err = names("/var/run/netns"); err != nil {
		return m, err
	}
	links, err := net.Interfaces()
	if err != nil {
		return m, fmt.Errorf("could not list network links: %w", err)
	}
	for _, l := range links {
		m.links = append(m.links, l.Name)
	}
	mounts, err := os.ReadFile("/proc/mounts")
	if err != nil {
		return m, err
	}
	for line := range strings.Lines(string(mounts)) {
		m.mounts = append(m.mounts, strings.Fields(line)[1])
	}
	if m.cgroups, err = cgroups(); err != nil {
		return m, err
	}
	tables, err := exec.Command("nft", "list", "tables").Output()
	if err != nil {
		return m, fmt.Errorf("could not list packet tables: %w", err)
	}
	m.tables = strings.Split(strings.TrimSpace(string(tables)), "\n")
	m.processes, err = processes(sandbox)
	for _, list := range []*[]string{&m.namespaces, &m.links, &m.mounts, &m.cgroups, &m.tables, &m.processes} {
		slices.Sort(*list)
	}
	return m, err
}

func names(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if os.IsNotExist(err) {
		return nil, nil
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out, err
}

// cgroups lists the groups that Fairway makes: all lie below one named for it.
func cgroups() ([]string, error) {
	var out []string
	err := filepath.WalkDir("/sys/fs/cgroup", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil // a group that ended while we looked
		}
		if d.IsDir() && strings.Contains(path, "fairway") {
			out = append(out, path)
		}
		return nil
	})
	return out, err
}

func processes(sandbox string) ([]string, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		if strings.Trim(e.Name(), "0123456789") != "" {
			continue
		}
		line, err := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		if err != nil {
			continue // it ended while we looked
		}
		if text := string(bytes.ReplaceAll(line, []byte{0}, []byte{' '})); strings.Contains(text, sandbox) && !strings.Contains(text, "e2e.test") {
			out = append(out, e.Name()+" "+text)
		}
	}
	return out, nil
}

// leftovers says what is there now that was not there before.
func leftovers(before, now machine) []string {
	var out []string
	for what, lists := range map[string][2][]string{
		"network namespace": {before.namespaces, now.namespaces},
		"network link":      {before.links, now.links},
		"mount":             {before.mounts, now.mounts},
		"cgroup":            {before.cgroups, now.cgroups},
		"packet table":      {before.tables, now.tables},
		"process":           {before.processes, now.processes},
	} {
		for _, name := range lists[1] {
			if !slices.Contains(lists[0], name) {
				out = append(out, what+" "+name)
			}
		}
	}
	slices.Sort(out)
	return out
}
