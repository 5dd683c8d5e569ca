// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package window_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/approval/window"
	"github.com/fairway-cloud/fairway/internal/platform/storytest"
)

func calendar(t testing.TB, path string) *approvalv1.ChangeCalendarSpec {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	spec := &approvalv1.ChangeCalendarSpec{}
	if err := yaml.UnmarshalStrict(raw, spec); err != nil {
		t.Fatal(err)
	}
	return spec
}

// A story asks at moments, ">", and is told what people would be told.
func TestAYearOfTheBank(t *testing.T) {
	bank := []window.Calendar{{Name: "bank", Spec: calendar(t, filepath.Join("testdata", "bank-2026.yaml"))}}
	shanghai, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	storytest.Tell(t, filepath.Join("testdata", "year-2026.txt"), func(line string) []string {
		moment, question := strings.CutPrefix(line, "> ")
		if !question {
			return nil
		}
		asked++
		at, err := time.ParseInLocation("2006-01-02 15:04", moment, shanghai)
		if err != nil {
			t.Fatal(err)
		}
		return narrate(window.Open(bank, nil, window.Scope{}, at))
	})
	if asked < 25 {
		t.Errorf("the story asks %d times; the test does not read it", asked)
	}
}

func narrate(d window.Decision) []string {
	word := "closed"
	if d.Open {
		word = "open"
	}
	var out []string
	for _, reason := range d.Reasons {
		out = append(out, word+": "+reason)
	}
	const layout = "Mon 2006-01-02 15:04 MST"
	switch {
	case d.Open && !d.Until.IsZero():
		out = append(out, "until "+d.Until.Format(layout))
	case !d.Open && !d.Next.IsZero():
		out = append(out, "next "+d.Next.Format(layout))
	case !d.Open:
		out = append(out, "next unknown")
	}
	return out
}
