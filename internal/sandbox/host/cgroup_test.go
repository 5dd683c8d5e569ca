// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package host

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// needCgroups skips where this process may make no control groups.
func needCgroups(t *testing.T) []hierarchy {
	t.Helper()
	trees, err := hierarchies()
	if err != nil || os.Geteuid() != 0 {
		t.Skipf("control groups need root: %v", err)
	}
	for _, tree := range trees {
		if dir, err := os.MkdirTemp(tree.path, "fairway-test-"); err != nil {
			t.Skipf("control groups cannot be made here: %v", err)
		} else if err := os.Remove(dir); err != nil {
			t.Fatal(err)
		}
	}
	return trees
}

// TestGroupsBesideOneThatIsWiped: hosts are prepared side by side, and each wipes
// what an earlier run left, with parents that are empty.
func TestGroupsBesideOneThatIsWiped(t *testing.T) {
	needCgroups(t)
	sandbox := fmt.Sprintf("/%s/test-%d", cgroupTop, os.Getpid())
	var neighbours sync.WaitGroup
	for i := range 4 {
		neighbours.Go(func() {
			group := filepath.Join(sandbox, fmt.Sprint("host-", i))
			for range 200 {
				if err := ensureCgroup(group); err != nil {
					t.Error(err)
					return
				}
				removeEmptyCgroups(group)
			}
		})
	}
	neighbours.Wait()
}

// TestHostsComeBeforeTools: instances answer although the machine builds and starts
// things beside them.
func TestHostsComeBeforeTools(t *testing.T) {
	trees := needCgroups(t)
	group := fmt.Sprintf("/%s/test-weight-%d/host", cgroupTop, os.Getpid())
	if err := ensureCgroup(group); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { removeEmptyCgroups(group) })
	found := false
	for _, tree := range trees {
		for file, want := range map[string]string{"cpu.shares": "20480", "cpu.weight": "2000"} {
			have, err := os.ReadFile(filepath.Join(tree.path, cgroupTop, file))
			if err != nil {
				continue
			}
			found = true
			if got := strings.TrimSpace(string(have)); got != want {
				t.Errorf("%s of all hosts is %s in %s, want %s", file, got, tree.path, want)
			}
		}
	}
	if !found {
		t.Skip("this kernel weighs no control groups")
	}
}
