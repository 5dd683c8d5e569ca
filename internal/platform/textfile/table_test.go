// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package textfile_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-cloud/fairway/internal/platform/textfile"
)

func TestTable(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string // what is odd about the columns, then the rows
	}{
		"rows":            {"id, name\n1, 柜员 \n\n2,\"a\nb\"\n3,c\n", []string{`2: map[id:1 name:柜员]`, "4: map[id:2 name:a\nb]", `6: map[id:3 name:c]`}},
		"no rows":         {"id,name\n", nil},
		"another column":  {"id,Name\n", []string{`there is no column "Name": the columns are id, name`}},
		"column twice":    {"id,id,name\n", []string{`column "id" is there twice`}},
		"what is unseen":  {"id,na\u200bme\x1b\n", []string{`there is no column "na?me?": the columns are id, name`}},
		"a long name":     {strings.Repeat("行", 60) + ",id\n", []string{`there is no column "` + strings.Repeat("行", 48) + `…": the columns are id, name`}},
		"too few, more":   {"id,name\n1\n2,b,c\n3,c\n", []string{"2! the row has 1 columns and the header 2", "3! the row has 3 columns and the header 2", "4: map[id:3 name:c]"}},
		"quotes":          {"id,name\n1,a\n2,\"b\n3,c\n", []string{"2: map[id:1 name:a]", `3! could not read the row: extraneous or missing " in quoted-field; the rows after it were not looked at`}},
		"nothing follows": {"id,name\n1,a", []string{"2: map[id:1 name:a]"}},
	} {
		t.Run(name, func(t *testing.T) {
			table, err := textfile.OpenTable([]byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			got := table.Odd([]string{"id", "name"})
			for more := len(got) == 0; more; {
				var row textfile.Row
				row, more = table.Next()
				switch {
				case row.Fault != "":
					got = append(got, fmt.Sprintf("%d! %s", row.Line, row.Fault))
				case more:
					got = append(got, fmt.Sprintf("%d: %v", row.Line, row.Values))
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
	if _, err := textfile.OpenTable(nil); err == nil {
		t.Error("an empty file has no columns")
	}
}
