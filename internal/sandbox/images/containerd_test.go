// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package images

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestContainerdTakesTheArchive imports an archive into a containerd of its
// own: an image without platform or entrypoint would vanish there silently.
func TestContainerdTakesTheArchive(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("containerd needs root")
	}
	for _, tool := range []string{"containerd", "ctr"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	dir, err := os.MkdirTemp("", "fw") // a socket's path has little room
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	config := filepath.Join(dir, "config.toml")
	write(t, dir, "config.toml", `version = 2
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]
`)
	socket := filepath.Join(dir, "c.sock")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	daemon := exec.CommandContext(ctx, "containerd", "--config", config, "--address", socket,
		"--root", filepath.Join(dir, "root"), "--state", filepath.Join(dir, "state"), "--log-level", "error")
	daemon.Cancel = func() error { return daemon.Process.Signal(syscall.SIGTERM) }
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		cancel()
		_ = daemon.Wait() // ended by us
	}()
	ctr := func(args ...string) (string, error) {
		out, err := exec.CommandContext(ctx, "ctr", append([]string{"--address", socket, "--namespace", "k8s.io"}, args...)...).CombinedOutput()
		if err != nil {
			return "", fmt.Errorf("ctr %s: %w: %s", strings.Join(args, " "), err, out)
		}
		return string(out), nil
	}
	for {
		if _, err := ctr("version"); err == nil {
			break
		} else if ctx.Err() != nil {
			t.Fatalf("containerd did not come up: %v", err)
		}
		time.Sleep(20 * time.Millisecond)
	}

	img := mustBuild(t, Builder{Dir: module(t), Cache: t.TempDir()}, Spec{Package: ".", Name: "hello"})
	archive := filepath.Join(dir, "hello.tar")
	if err := WriteArchive(archive, "registry.local/bank/hello:v1", img); err != nil {
		t.Fatal(err)
	}
	if _, err := ctr("images", "import", archive); err != nil {
		t.Fatal(err)
	}
	list, err := ctr("images", "list", "--quiet")
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(list); got != "registry.local/bank/hello:v1" {
		t.Errorf("containerd knows %q after the import", got)
	}
}
