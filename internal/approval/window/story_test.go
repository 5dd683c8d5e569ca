// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package window_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/approval/window"
)

var update = flag.Bool("update", false, "write the stories anew")

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
	path := filepath.Join("testdata", "year-2026.txt")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	asked := 0
	for _, line := range strings.Split(strings.TrimRight(string(raw), "\n"), "\n") {
		if strings.HasPrefix(line, "  ") {
			continue // an answer
		}
		told = append(told, line)
		moment, question := strings.CutPrefix(line, "> ")
		if !question {
			continue
		}
		asked++
		at, err := time.ParseInLocation("2006-01-02 15:04", moment, shanghai)
		if err != nil {
			t.Fatal(err)
		}
		told = append(told, narrate(window.Open(bank, nil, window.Scope{}, at))...)
	}
	if asked < 25 {
		t.Fatalf("the story asks %d times; the test does not read it", asked)
	}
	got := strings.Join(told, "\n") + "\n"
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(raw), got); diff != "" {
		t.Errorf("the story is told otherwise (-want +got); see -update:\n%s", diff)
	}
}

func narrate(d window.Decision) []string {
	word := "closed"
	if d.Open {
		word = "open"
	}
	var out []string
	for _, reason := range d.Reasons {
		out = append(out, "  "+word+": "+reason)
	}
	const layout = "Mon 2006-01-02 15:04 MST"
	switch {
	case d.Open && !d.Until.IsZero():
		out = append(out, "  until "+d.Until.Format(layout))
	case !d.Open && !d.Next.IsZero():
		out = append(out, "  next "+d.Next.Format(layout))
	case !d.Open:
		out = append(out, "  next unknown")
	}
	return out
}
