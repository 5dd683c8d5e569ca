// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package config_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// What a placement policy's own schema says of mistakes.
func TestPlacementPoliciesAreChecked(t *testing.T) {
	hub.Needed(t)
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
		"BlinkIsALoss":   {"wrong", map[string]any{"lost": map[string]any{"after": map[string]any{"cluster": "1s"}}}, "cluster is at least 1m"},
		"NegativeRack":   {"wrong", map[string]any{"lost": map[string]any{"after": map[string]any{"rack": "-5m"}}}, "rack is at least 1m"},
		"ZeroSite":       {"wrong", map[string]any{"lost": map[string]any{"after": map[string]any{"dataCenter": "0s"}}}, "dataCenter is at least 1m"},
		"EndlessBudget":  {"wrong", map[string]any{"lost": map[string]any{"budget": map[string]any{"per": "169h"}}}, "per is at least 1m and at most 168h"},
		"HastyReturn":    {"wrong", map[string]any{"lost": map[string]any{"returnAfter": "30s"}}, "returnAfter is at least 1m"},
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

// Anybody sets a brake as himself; a system administrator releases it, as himself; it stays
// on record.
func TestBrakes(t *testing.T) {
	anybody := hub.UserClient(t, "teller-7", "system:authenticated")
	administrator := hub.UserClient(t, "admin-1", "fairway:system-administrators")
	brake := func(name, by string) *unstructured.Unstructured {
		return object("Brake", "", name, map[string]any{"by": by, "reason": "instances move back and forth", "environments": []any{"prod"}})
	}
	refused(t, "spec.by is whoever sets the brake", func() error { return anybody.Create(t.Context(), brake("forged", "li.na")) })
	refused(t, "a brake is set first and released later", func() error {
		b := brake("born-released", "teller-7")
		_ = unstructured.SetNestedMap(b.Object, map[string]any{"by": "teller-7", "reason": "x", "at": "2026-03-10T03:00:00Z"}, "spec", "released")
		return anybody.Create(t.Context(), b)
	})
	made := brake("night", "teller-7")
	create(t, anybody, made)
	release := func(by string) *unstructured.Unstructured {
		b := made.DeepCopy()
		_ = unstructured.SetNestedMap(b.Object, map[string]any{"by": by, "reason": "seen to", "at": "2026-03-10T04:00:00Z"}, "spec", "released")
		return b
	}
	refused(t, "cannot update resource", func() error { return anybody.Update(t.Context(), release("teller-7")) })
	refused(t, "release it first", func() error { return administrator.Delete(t.Context(), made.DeepCopy()) })
	refused(t, "spec.released.by is whoever releases the brake", func() error { return administrator.Update(t.Context(), release("teller-7")) })
	changed := made.DeepCopy()
	_ = unstructured.SetNestedField(changed.Object, "another reason", "spec", "reason")
	refused(t, "a brake does not change once set", func() error { return administrator.Update(t.Context(), changed) })
	done := release("admin-1")
	allowed(t, func() error { return administrator.Update(t.Context(), done) })
	again := done.DeepCopy()
	unstructured.RemoveNestedField(again.Object, "spec", "released")
	refused(t, "a brake that was released stays so", func() error { return administrator.Update(t.Context(), again) })
}
