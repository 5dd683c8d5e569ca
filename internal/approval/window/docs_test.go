// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package window_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/approval/window"
	"github.com/fairway-cloud/fairway/test/docs"
)

// The calendar of the page is one that Fairway reads, and says what the page says.
func TestThePagesCalendarIsRead(t *testing.T) {
	for _, path := range []string{"../../../docs/howto/change-windows.md", "../../../docs/zh-CN/howto/change-windows.md"} {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		blocks, err := docs.Blocks(string(raw))
		if err != nil {
			t.Fatal(err)
		}
		read := 0
		for _, b := range blocks {
			if b.Language != "yaml" {
				continue
			}
			c := approvalv1.ChangeCalendar{}
			rule := struct{ Window approvalv1.WindowRule }{}
			if !strings.Contains(b.Text, "kind: ChangeCalendar") {
				if err := yaml.UnmarshalStrict([]byte(b.Text), &rule); err != nil || rule.Window.Calendars[0] != "core-2026" {
					t.Errorf("%s, line %d: %v %+v", path, b.Line, err, rule)
				}
				continue
			}
			read++
			if err := yaml.UnmarshalStrict([]byte(b.Text), &c); err != nil {
				t.Fatalf("%s, line %d: %v", path, b.Line, err)
			}
			said := window.Open([]window.Calendar{{Name: c.Name, Spec: &c.Spec}}, nil, window.Scope{}, time.Date(2026, 12, 26, 14, 0, 0, 0, time.UTC)).String()
			if _, says, _ := strings.Cut(said, ": "); !strings.Contains(string(raw), says) {
				t.Errorf("%s does not show what is said at the moment that it asks about: %s", path, says)
			}
		}
		if read != 1 {
			t.Errorf("%s shows %d calendars", path, read)
		}
	}
}
