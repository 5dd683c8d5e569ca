// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package retention

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-cloud/fairway/internal/audit"
)

func TestJudge(t *testing.T) {
	system, all := []audit.Class{audit.ClassSystem, audit.ClassLogin}, []audit.Class{audit.ClassSystem, audit.ClassApproval}
	tests := map[string]struct {
		policy string
		years  []Year
		now    string
		want   []string
	}{
		"Now":          {"", []Year{{2026, system}}, "2026-11-28", []string{"2026 not go: records of class system are kept for 1 years"}},
		"LastDay":      {"", []Year{{2026, system}}, "2027-12-31", []string{"2026 not go: records of class system are kept for 1 years"}},
		"Over":         {"", []Year{{2026, system}}, "2028-01-01", []string{"2026 go: every term has ended and nothing holds it"}},
		"Approvals":    {"", []Year{{2026, all}}, "2036-12-31", []string{"2026 not go: records of class approval are kept for 10 years"}},
		"ApprovalOver": {"", []Year{{2026, all}}, "2037-01-01", []string{"2026 go: every term has ended and nothing holds it"}},
		"Unknown":      {"", []Year{{2026, []audit.Class{"new"}}}, "2036-12-31", []string{"2026 not go: records of class new are kept for 10 years"}},
		"Term":         {"terms: {approval: 30}", []Year{{2026, all}}, "2037-01-01", []string{"2026 not go: records of class approval are kept for 30 years"}},
		"Held": {"holds: [{name: case-7, reason: court, fromYear: 2026, toYear: 2026}]", []Year{{2027, system}, {2026, system}}, "2040-01-01",
			[]string{"2026 not go: held for case-7", "2027 not go: the log of 2026 stays, and later ones are chained to it"}},
		"OlderFirst": {"", []Year{{2026, system}, {2027, all}, {2028, system}}, "2030-01-01",
			[]string{"2026 go: every term has ended and nothing holds it", "2027 not go: records of class approval are kept for 10 years", "2028 not go: the log of 2027 stays, and later ones are chained to it"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p, err := Parse([]byte(test.policy))
			if err != nil {
				t.Fatal(err)
			}
			now, err := time.Parse(time.DateOnly, test.now)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, v := range p.Judge(test.years, now) {
				got = append(got, time.Date(v.Year.Year, 1, 1, 0, 0, 0, 0, time.UTC).Format("2006")+" "+v.May+": "+v.Why)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"terms: {system: 0}":   "1 to 100",
		"terms: {system: 101}": "1 to 100",
		"terms: {gossip: 3}":   `no class "gossip"`,
		"terms: {system: 1.5}": "could not read",
		"holds: [{name: x}]":   "needs a name, a reason",
		"keep: forever":        "keep",
		"holds: [{name: a, reason: b, fromYear: 2027, toYear: 2026}]": "in order",
	} {
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: want %q, got %v", text, want, err)
		}
	}
}
