// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package images

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestPause gives pause a child it did not start, as a shared process
// namespace does: it is reaped, and a signal then ends pause with 0.
func TestPause(t *testing.T) {
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	cache := t.TempDir()
	mustBuild(t, Builder{Dir: root, Cache: cache}, Pause())
	binaries, err := filepath.Glob(filepath.Join(cache, "images", "binaries", "pause-*[0-9a-f]"))
	if err != nil || len(binaries) != 1 {
		t.Fatalf("pause binaries %q: %v", binaries, err)
	}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer write.Close()
	cmd := exec.Command("sh", "-c", `cat <&3 >/dev/null & exec 3<&-; exec "$0"`, binaries[0])
	cmd.ExtraFiles = []*os.File{read}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	read.Close()
	pid := cmd.Process.Pid
	eventually(t, "the shell became pause", func() bool {
		program, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
		return err == nil && program == binaries[0]
	})
	if children(t, pid) == "" {
		t.Fatal("pause has no child to reap")
	}
	write.Close() // the child ends
	eventually(t, "the child was reaped", func() bool { return children(t, pid) == "" })
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("pause ended with %v, want 0", err)
	}
}

func children(t *testing.T, pid int) string {
	t.Helper()
	list, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(list))
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !is(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it never happened that %s", what)
		}
	}
}
