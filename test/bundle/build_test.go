// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package bundle

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// tree writes a small tree with the scripts of hack/ and an unpacked bundle.
func tree(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, script := range []string{"build.sh", "sources.sh"} {
		content, err := os.ReadFile(filepath.Join("..", "..", "hack", script))
		if err != nil {
			t.Fatal(err)
		}
		put(t, dir, "hack/"+script, string(content))
	}
	put(t, dir, "go.mod", "module x\n")
	put(t, dir, "go.sum", "")
	for _, folder := range []string{"api", "cmd", "config", "internal"} {
		put(t, dir, folder+"/a.go", "package a\n")
	}
	put(t, dir, "bundle/bin/fairway", "the bundle's binary\n")
	sums, err := exec.Command(filepath.Join(dir, "hack/sources.sh")).Output()
	if err != nil {
		t.Fatal(err)
	}
	put(t, dir, "bundle/sources.sha256", string(sums))
	return dir
}

func put(t *testing.T, dir, name, content string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
		t.Fatal(err)
	}
}

// withoutGo is a PATH that holds what the scripts call, and no go.
func withoutGo(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, tool := range []string{"bash", "env", "dirname", "find", "sort", "xargs", "sha256sum", "diff", "awk", "head", "cp", "mv", "mkdir"} {
		path, err := exec.LookPath(tool)
		if err != nil {
			t.Skipf("this machine has no %s", tool)
		}
		if err := os.Symlink(path, filepath.Join(dir, tool)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestBuildTakesTheBinaryOfTheBundle(t *testing.T) {
	cases := map[string]struct {
		reason string
		change func(dir string)
		says   string
		taken  bool
	}{
		"SameSources": {reason: "a machine without Go uses the bundle's binary", change: func(string) {}, says: "from the bundle", taken: true},
		"Note":        {reason: "texts shape no binary", change: func(dir string) { put(t, dir, "config/README.md", "x") }, says: "from the bundle", taken: true},
		"Test":        {reason: "tests shape no binary", change: func(dir string) { put(t, dir, "internal/a_test.go", "x") }, says: "from the bundle", taken: true},
		"Example":     {reason: "examples are read when they are used", change: func(dir string) { put(t, dir, "examples/bank/sandbox.yaml", "x") }, says: "from the bundle", taken: true},
		"Changed":     {reason: "changed code needs Go, and the file is named", change: func(dir string) { put(t, dir, "cmd/a.go", "package b\n") }, says: "cmd/a.go"},
		"Added":       {reason: "added code needs Go, and the file is named", change: func(dir string) { put(t, dir, "internal/b.go", "package a\n") }, says: "internal/b.go"},
		"Removed":     {reason: "removed code needs Go, and the file is named", change: func(dir string) { _ = os.Remove(filepath.Join(dir, "api/a.go")) }, says: "api/a.go"},
		"NoBundle":    {reason: "without a bundle Go is needed, and what to do is said", change: func(dir string) { _ = os.RemoveAll(filepath.Join(dir, "bundle")) }, says: "Install Go"},
	}
	path := withoutGo(t)
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			dir := tree(t)
			tc.change(dir)
			cmd := exec.Command(filepath.Join(dir, "hack/build.sh"), "bin/fairway", "v1")
			cmd.Env = []string{"PATH=" + path}
			out, err := cmd.CombinedOutput()
			if (err == nil) != tc.taken || !strings.Contains(string(out), tc.says) {
				t.Errorf("%s: build.sh ended with %v and said %q, want %q", tc.reason, err, out, tc.says)
			}
			content, _ := os.ReadFile(filepath.Join(dir, "bin/fairway"))
			if taken := string(content) == "the bundle's binary\n"; taken != tc.taken {
				t.Errorf("%s: the bundle's binary was taken: %t", tc.reason, taken)
			}
		})
	}
}

// TestDepsAreWhatTheSandboxNeeds holds the list of packages against what the
// sandbox calls missing.
func TestDepsAreWhatTheSandboxNeeds(t *testing.T) {
	out, err := exec.Command("../../hack/install-deps.sh", "--list").Output()
	if err != nil {
		t.Fatal(err)
	}
	listed := strings.Fields(string(out))
	for _, want := range []string{"containerd", "runc", "nftables", "util-linux", "containernetworking-plugins", "prometheus", "iproute2", "haproxy"} {
		found := false
		for _, l := range listed {
			found = found || l == want
		}
		if !found {
			t.Errorf("install-deps.sh does not install %s, which real hosts need", want)
		}
	}
}
