// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/fairway-cloud/fairway/internal/cli"
)

func TestReferenceIsFresh(t *testing.T) {
	want, err := reference()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../../docs/reference/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("docs/reference/cli.md is not what the commands say: run \"make generate\"")
	}
}

// Scripts rely on the exit codes: the page names every one.
func TestExitCodesAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/reference/exit-codes.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range []int{
		cli.ExitOK, cli.ExitError, cli.ExitUsage, cli.ExitDenied, cli.ExitPending, cli.ExitConflict, cli.ExitNotFound,
		cli.ExitTimeout, cli.ExitInvalid, cli.ExitUnavailable, cli.ExitInterrupted,
	} {
		if !strings.Contains(string(page), fmt.Sprintf("\n| %d |", code)) {
			t.Errorf("exit code %d is not documented", code)
		}
	}
}

func TestPluginOfKubectl(t *testing.T) {
	before := os.Args
	defer func() { os.Args = before }()
	os.Args = []string{"/usr/local/bin/kubectl-fairway"}
	out, _, code := run(t, "get", "--help")
	if code != 0 || !strings.Contains(out, "kubectl fairway get KIND") {
		t.Errorf("the help says how we are called, got %d %s", code, out)
	}
}
