// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package audit

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAccount(t *testing.T) {
	intent := func(source string, n int64) Head { return Head{Source: source, Sequence: n, Kind: KindIntent} }
	outcome := func(source string, n, of int64) Head {
		return Head{Source: source, Sequence: n, Kind: KindOutcome, Intent: of}
	}
	cases := map[string]struct {
		reason string
		heads  []Head
		want   string
		left   []Left
	}{
		"Whole":       {"every source counts by itself", []Head{intent("a", 1), intent("b", 1), outcome("a", 2, 1), intent("a", 3)}, "", []Left{{"a", 3}, {"b", 1}}},
		"Gap":         {"a number that is missing shows", []Head{intent("a", 1), intent("a", 3)}, `number 3 of source "a" follows number 1`, []Left{{"a", 1}}},
		"FirstGone":   {"so does the first", []Head{intent("a", 2)}, `number 2 of source "a" follows number 0`, nil},
		"Twice":       {"a record comes once", []Head{intent("a", 1), intent("a", 1)}, "follows number 1", []Left{{"a", 1}}},
		"Swapped":     {"order counts", []Head{intent("a", 2), intent("a", 1)}, "number 2", nil},
		"NoIntent":    {"an outcome needs its intent", []Head{intent("a", 1), outcome("b", 1, 1)}, "not open", []Left{{"a", 1}}},
		"TwoOutcomes": {"an intent has one outcome", []Head{intent("a", 1), outcome("a", 2, 1), outcome("a", 3, 1)}, "not open", nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			a := Account{}
			var err error
			for _, h := range tc.heads {
				if err = a.Take(h); err != nil {
					break
				}
			}
			if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s: %v, want %q", tc.reason, err, tc.want)
			}
			if diff := cmp.Diff(tc.left, a.Left()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}
