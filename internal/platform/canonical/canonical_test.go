// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package canonical

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestJSON(t *testing.T) {
	cases := map[string]struct {
		reason string
		in     any
		want   string
	}{
		"Keys":    {"keys are sorted and there is no white space", map[string]any{"b": 1, "a": []int{2, 1}}, `{"a":[2,1],"b":1}`},
		"Markup":  {"characters that HTML minds are written as they are", map[string]string{"a": "<&>"}, `{"a":"<&>"}`},
		"Chinese": {"text beyond ASCII is written as it is", map[string]string{"名": "核心"}, `{"名":"核心"}`},
		"Numbers": {"numbers are written as ECMAScript does", map[string]any{"n": 1e21, "m": 1.0}, `{"m":1,"n":1e+21}`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := JSON(tc.in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func TestVerify(t *testing.T) {
	good := `{"a":1}`
	cases := map[string]struct {
		reason, content, digest, want string
	}{
		"Good":         {"content with its own digest is accepted", good, Digest(good), ""},
		"Altered":      {"one changed byte is seen", `{"a":2}`, Digest(good), "altered"},
		"Algorithm":    {"an algorithm that is not known is refused, not skipped", good, "sm3:00", "not known"},
		"Empty":        {"no digest is refused", good, "", "not known"},
		"NotCanonical": {"the same value written otherwise is refused", `{ "a": 1 }`, Digest(`{ "a": 1 }`), "canonical form"},
		"NotJSON":      {"content that is not JSON is refused", `{"a"`, Digest(`{"a"`), "not JSON"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			err := Verify(tc.content, tc.digest)
			if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s: Verify() = %v, want %q", tc.reason, err, tc.want)
			}
		})
	}
}

func TestCanonicalTwiceIsTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.MapOf(rapid.String(), rapid.SliceOf(rapid.String())).Draw(t, "in")
		content, err := JSON(in)
		if err != nil {
			t.Fatal(err)
		}
		if err := Verify(content, Digest(content)); err != nil {
			t.Fatal(err)
		}
	})
}
