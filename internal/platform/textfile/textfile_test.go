// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package textfile_test

import (
	"testing"

	"github.com/fairway-cloud/fairway/internal/platform/textfile"
)

func TestOpen(t *testing.T) {
	for name, c := range map[string]struct {
		raw, text string
		bad       int
	}{
		"nothing":                               {},
		"text":                                  {raw: "id,name\n1,柜员\n", text: "id,name\n1,柜员\n"},
		"a byte-order mark":                     {raw: "\ufeffid\n", text: "id\n"},
		"GBK at once":                           {raw: "\xb9\xf1", text: "\xb9\xf1", bad: 1},
		"GBK later":                             {raw: "id\n1\n\xb9\xf1\xd4\xb1", text: "id\n1\n\xb9\xf1\xd4\xb1", bad: 3},
		"cut off":                               {raw: "\ufeffid\n柜\xe5\x91", text: "id\n柜\xe5\x91", bad: 2},
		"a replacement character that is meant": {raw: "a\n\ufffd", text: "a\n\ufffd"},
	} {
		t.Run(name, func(t *testing.T) {
			if text, bad := textfile.Open([]byte(c.raw)); string(text) != c.text || bad != c.bad {
				t.Errorf("%q and line %d, want %q and line %d", text, bad, c.text, c.bad)
			}
		})
	}
}
