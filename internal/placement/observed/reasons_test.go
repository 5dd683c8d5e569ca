// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package observed_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement"
	"github.com/fairway-cloud/fairway/internal/placement/observed"
)

// TestReasonsAreBounded stores decisions with more reasons than a Placement may have, by number
// and by bytes: what says most stays, in its order, and the last one says how many are gone.
func TestReasonsAreBounded(t *testing.T) {
	for name, c := range map[string]struct {
		components int
		message    string
		more       string
		reasons    int
	}{
		"all fit":        {components: 800, message: "x", reasons: 3200},
		"too many":       {components: 1200, message: "x", reasons: 4096, more: "and 706 reasons more"},
		"too many bytes": {components: 800, message: strings.Repeat("x", 900), reasons: 1100, more: "reasons more"},
	} {
		t.Run(name, func(t *testing.T) {
			var d placement.Decision
			for i := range c.components {
				web := fmt.Sprintf("c%d", i)
				d.Reasons = append(d.Reasons,
					placement.Reason{Component: web, Rule: "Count", Message: "2 instances asked for"},
					placement.Reason{Component: web, Rule: "Kept", Message: "cell keeps seat 0"},
					placement.Reason{Component: web, Rule: "Quota", Message: c.message, Aside: true},
					placement.Reason{Component: web, Rule: "TenantOwnsPool", Message: c.message, Aside: true})
			}
			d.Reasons = append(d.Reasons, placement.Reason{Rule: "MachinesStale", Message: "in doubt"})
			spec, err := observed.SpecOf("pay", "pay-1", d, placementv1.DecidedBy{})
			if err != nil {
				t.Fatal(err)
			}
			counts, bytes, doubts, last := 0, 0, 0, -1
			for _, r := range spec.Reasons {
				bytes += len(r.Message)
				switch r.Rule {
				case "Count":
					var n int
					if _, err := fmt.Sscanf(r.Component, "c%d", &n); err != nil || n <= last {
						t.Fatalf("%s comes after c%d: %v", r.Component, last, err)
					}
					last = n
					counts++
				case "MachinesStale":
					doubts++
				}
			}
			if len(spec.Reasons) > 4096 || len(spec.Reasons) < c.reasons || bytes > 512<<10 {
				t.Errorf("%d reasons of %d bytes are stored; there may be 4,096 of 524,288, and are at least %d", len(spec.Reasons), bytes, c.reasons)
			}
			if counts != c.components || doubts != 1 {
				t.Errorf("%d of %d counts and %d of 1 doubt are left", counts, c.components, doubts)
			}
			if got := spec.Reasons[len(spec.Reasons)-1].Message; !strings.Contains(got, c.more) || c.more == "" && strings.Contains(got, "more") {
				t.Errorf("the last reason is %q, which does not say %q", got, c.more)
			}
		})
	}
}

// TestReasonsLeaveRoomForAssignments has assignments take most of what the hub's store takes: fewer
// reasons stay beside them.
func TestReasonsLeaveRoomForAssignments(t *testing.T) {
	var d placement.Decision
	for i := range 1000 {
		d.Reasons = append(d.Reasons, placement.Reason{Component: fmt.Sprintf("c%d", i), Rule: "Count", Message: strings.Repeat("x", 400)})
		d.Assignments = append(d.Assignments, placement.Assignment{Component: fmt.Sprintf("c%d", i), Cell: placement.Cell{Rack: fmt.Sprintf("r%d", i)}, Seats: []int32{0}, Hosts: []string{strings.Repeat("h", 800)}})
	}
	spec, err := observed.SpecOf("pay", "pay-1", d, placementv1.DecidedBy{})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	if len(text) > 1300<<10 || len(spec.Reasons) < 100 || len(spec.Reasons) > 900 {
		t.Errorf("the Placement takes %d bytes with %d of 1000 reasons", len(text), len(spec.Reasons))
	}
}
