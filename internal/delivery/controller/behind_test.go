// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
)

// A Delivery that the cache has from before its last report is waited for, but not for long.
func TestBehind(t *testing.T) {
	at := time.Date(2026, 11, 28, 8, 0, 0, 0, time.UTC)
	version := func(v string) *v1alpha1.Delivery {
		return &v1alpha1.Delivery{ObjectMeta: metav1.ObjectMeta{Namespace: "fairway-cluster-east-1", Name: "retail-prod-pay", ResourceVersion: v}}
	}
	for name, tc := range map[string]struct {
		cached string
		after  time.Duration
		want   bool
	}{
		"older":                   {cached: "999", want: true},
		"as reported":             {cached: "1000"},
		"newer":                   {cached: "1001"},
		"older for a while":       {cached: "999", after: mostBehind, want: true},
		"a hub that was set back": {cached: "17", after: 2 * mostBehind},
		"no number":               {cached: "x"},
	} {
		t.Run(name, func(t *testing.T) {
			var b behind
			b.note(version("1000"), at)
			if got := b.of(version(tc.cached), at.Add(tc.after)); got != tc.want {
				t.Errorf("version %s is behind 1000: %v, want %v", tc.cached, got, tc.want)
			}
		})
	}
	var b behind
	if b.of(version("1"), at) {
		t.Error("what was never reported is behind")
	}
	b.note(version("1000"), at)
	b.of(version("1000"), at.Add(time.Hour))
	if len(b.young)+len(b.old) > 0 {
		t.Errorf("%v and %v are still remembered after an hour", b.young, b.old)
	}
}
