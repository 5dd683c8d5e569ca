// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package config_test

import "testing"

// What a placement policy's own schema says of mistakes.
func TestPlacementPoliciesAreChecked(t *testing.T) {
	masters := hub.Client()
	for name, c := range map[string]struct {
		as   string
		spec map[string]any
		says string
	}{
		"UnknownScore":   {"wrong", map[string]any{"weights": []any{map[string]any{"score": "Luck", "weight": int64(1)}}}, "Unsupported value: \"Luck\""},
		"NegativeWeight": {"wrong", map[string]any{"weights": []any{map[string]any{"score": "Room", "weight": int64(-1)}}}, "greater than or equal to 0"},
		"HugeWeight":     {"wrong", map[string]any{"weights": []any{map[string]any{"score": "Room", "weight": int64(10_000_001)}}}, "less than or equal to 10000000"},
		"TwiceWeighed":   {"wrong", map[string]any{"weights": []any{map[string]any{"score": "Room", "weight": int64(1)}, map[string]any{"score": "Room", "weight": int64(2)}}}, "Duplicate value"},
		"NoPrice":        {"wrong", map[string]any{"apart": []any{map[string]any{"tag": "a", "other": "b", "price": int64(0)}}}, "greater than or equal to 1"},
		"UnknownClass":   {"wrong", map[string]any{"environmentClasses": []any{"Live"}}, "Unsupported value: \"Live\""},
		"TooMuchSurge":   {"wrong", map[string]any{"surge": map[string]any{"hostsPercent": int64(51)}}, "less than or equal to 50"},
		"TakenName":      {"built-in", map[string]any{}, "choose another name"},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, c.says, func() error { return masters.Create(t.Context(), object("PlacementPolicy", "", c.as, c.spec)) })
		})
	}
	create(t, masters, object("PlacementPolicy", "", "bank", map[string]any{
		"environments": []any{"prod"}, "weights": []any{map[string]any{"score": "Room", "weight": int64(0)}}, "spareFrom": int64(3), "surge": map[string]any{"hostsPercent": int64(10)},
	}))
}
