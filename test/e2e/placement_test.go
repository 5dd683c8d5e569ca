// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

//go:build e2e

package e2e

import (
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

	lost, err := command(t.Context(), "placement", "simulate", "--lose", "datacenter/dc-east")
	for _, want := range []string{"mobile-bank", "west-"} {
		if !strings.Contains(lost, want) {
			t.Errorf("what the loss of dc-east would do does not say %q:\n%s (%v)", want, lost, err)
		}
	}
	if full := fairway(t, "placement", "capacity"); !strings.Contains(full, "retail-business") {
		t.Errorf("capacity does not show retail-business:\n%s", full)
	}
	if now := running(t, "retail-prod"); len(now) != len(before) {
		t.Errorf("asking changed what runs: %d instances, before %d", len(now), len(before))
	}
}
