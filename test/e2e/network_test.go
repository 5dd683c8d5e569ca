// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

//go:build e2e

package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// dial opens a connection out of an instance's own network namespace. Images of
// a bank hold no shell, so the test enters the namespace from outside.
func dial(t *testing.T, from instance, address string) bool {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	pid := processAt(t, from.IP)
	cmd := exec.CommandContext(t.Context(), "nsenter", fmt.Sprintf("--net=/proc/%s/ns/net", pid),
		"timeout", "3", "bash", "-c", `exec 3<>"/dev/tcp/$0/$1"`, host, port)
	return cmd.Run() == nil
}

// processAt finds a process whose network namespace has the address.
func processAt(t *testing.T, ip string) string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/net/fib_trie")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, file := range files {
		pid := strings.Split(file, "/")[2]
		namespace, err := os.Readlink("/proc/" + pid + "/ns/net")
		if err != nil || seen[namespace] {
			continue
		}
		seen[namespace] = true
		content, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		lines := strings.Split(string(content), "\n")
		for i, line := range lines {
			if strings.HasSuffix(line, "|-- "+ip) && i+1 < len(lines) && strings.Contains(lines[i+1], "host LOCAL") {
				return pid
			}
		}
	}
	t.Fatalf("no process has the address %s", ip)
	return ""
}
