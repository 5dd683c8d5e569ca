// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package agent

import (
	"errors"
	"testing"
)

func TestDoubt(t *testing.T) {
	for reason, tc := range map[string]struct {
		before *counts
		now    counts
		want   string
	}{
		"a usual change":                    {&counts{3, 4, 5}, counts{2, 4, 9}, ""},
		"no namespaces, ever":               {nil, counts{3, 0, 5}, "there are no namespaces, which cannot be"},
		"a first look without policies":     {nil, counts{0, 4, 5}, "there are no policies at all"},
		"a first look with policies":        {nil, counts{1, 4, 0}, ""},
		"policies all gone":                 {&counts{3, 4, 5}, counts{0, 4, 5}, "all 3 policies are gone at once"},
		"the last policy gone, one by one":  {&counts{1, 4, 5}, counts{0, 4, 5}, "all 1 policies are gone at once"},
		"pods all gone":                     {&counts{3, 4, 5}, counts{3, 4, 0}, "all 5 pods are gone at once"},
		"never any policies, still none":    {&counts{0, 4, 5}, counts{0, 4, 6}, ""},
		"an empty cluster gets its first":   {&counts{0, 4, 0}, counts{1, 4, 1}, ""},
		"everything gone: namespaces first": {&counts{3, 4, 5}, counts{}, "there are no namespaces, which cannot be"},
	} {
		if got := doubt(tc.before, tc.now); got != tc.want {
			t.Errorf("%s: %q, want %q", reason, got, tc.want)
		}
	}
}

func TestBelieved(t *testing.T) {
	gone := counts{policies: 0, namespaces: 4, pods: 5}
	var b believed
	for i, step := range []struct {
		look counts
		err  error
		want bool
	}{
		{look: counts{0, 1, 1}, want: false}, // once is not enough
		{err: errors.New("away"), want: false},
		{look: counts{0, 1, 1}, want: false}, // counted anew
		{look: counts{1, 1, 1}, want: false}, // it does have policies
		{look: counts{0, 0, 0}, want: false}, // an answer that cannot be
		{look: counts{0, 1, 1}, want: false},
		{look: counts{0, 1, 1}, want: true},
	} {
		if got := b.hear(gone, step.look, step.err); got != step.want {
			t.Errorf("look %d: believed %v, want %v", i, got, step.want)
		}
	}
}
