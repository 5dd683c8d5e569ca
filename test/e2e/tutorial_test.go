// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairway-cloud/fairway/test/docs"
)

// TestTheTutorialGoesAsWritten runs the commands of the first steps as a reader
// does: in their order, in one shell, from the root of the checkout.
func TestTheTutorialGoesAsWritten(t *testing.T) {
	in(t, &lanes.retail)
	page, err := os.ReadFile(filepath.Join(root, "docs/tutorial/first-steps.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks, err := docs.Blocks(string(page))
	if err != nil {
		t.Fatal(err)
	}
	script := &strings.Builder{}
	fmt.Fprintf(script, "fairway() { if [ \"$1\" = sandbox ]; then command fairway \"$@\" --name %s; else command fairway \"$@\"; fi; }\n", name)
	run := 0
	for _, b := range blocks {
		if !b.Run {
			continue
		}
		run++
		// No sub-shell: what a block sets, the next ones use. The last line catches
		// what "set -e" overlooks, such as a failure before "&&".
		if b.Exit == 0 {
			fmt.Fprintf(script, "echo '== line %d'; set -e -o pipefail\n%s\n[ $? = 0 ]\n", b.Line, b.Text)
			continue
		}
		fmt.Fprintf(script, "echo '== line %d'; set +e\n%s\n[ $? = %d ] || { echo 'it did not end with %d'; exit 90; }\n", b.Line, b.Text, b.Exit, b.Exit)
	}
	if run < 8 {
		t.Fatalf("the page has %d blocks to run; the test looks in the wrong place", run)
	}
	cmd := exec.CommandContext(t.Context(), "bash", "-c", script.String())
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "FAIRWAY_CONFIG="+clientCopy(t))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("the tutorial does not go as written: %v\n%s", err, out)
	}
	until(t, 3*time.Minute, "the host of the tutorial to be back", func() (bool, string) {
		now := instances(t, "retail-prod")
		return len(now) == 10, fmt.Sprintf("%d rows", len(now))
	})
}

// clientCopy is a copy of the sandbox's client file: whoever the page logs in becomes
// the current account there, and not in the other tests.
func clientCopy(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile(stateFolder("client.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "client.yaml")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
