// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

//go:build e2e

package e2e

import (
	"errors"
	"os/exec"
	"strings"
	"testing"
)

// TestItSaysWhyItRunsThere asks why each group of mobile-bank's instances is where it
// is, and holds the answer against the instances themselves; then it asks what the loss
// of a site would do, and holds that nothing was written by asking.
func TestItSaysWhyItRunsThere(t *testing.T) {
	in(t, &lanes.retail)
	before := running(t, "retail-prod")
	said := fairway(t, "placement", "explain", "mobile-bank", "-n", "retail-prod")
	for _, want := range []string{
		"channel in dcn-east-1", "channel in dcn-west-1", "account in dcn-east-1", "ledger in dcn-west-1",
		"Count: 2 instances asked for", ": cell ", "excludes ", "belongs to cards",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("the explanation does not say %q:\n%s", want, said)
		}
	}
	for seat, i := range before {
		if !strings.Contains(said, "rack "+i.Rack) {
			t.Errorf("%s runs on rack %s, which is not explained", seat, i.Rack)
		}
	}

	// Exit code 1 says that something would not fit, and what is told then; anything else is a
	// failure to answer.
	lost, err := command(t.Context(), "placement", "simulate", "--lose", "dc-east")
	if exit := (*exec.ExitError)(nil); err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1) {
		t.Fatal(err)
	}
	if short := strings.Contains(lost, "would not fit"); short != (err != nil) {
		t.Errorf("what would not fit and the exit code do not agree (%v):\n%s", err, lost)
	}
	for _, want := range []string{"mobile-bank", "west-"} {
		if !strings.Contains(lost, want) {
			t.Errorf("what the loss of dc-east would do does not say %q:\n%s", want, lost)
		}
	}
	if full := fairway(t, "placement", "capacity"); !strings.Contains(full, "retail-business") {
		t.Errorf("capacity does not show retail-business:\n%s", full)
	}
	if now := running(t, "retail-prod"); len(now) != len(before) {
		t.Errorf("asking changed what runs: %d instances, before %d", len(now), len(before))
	}
}
