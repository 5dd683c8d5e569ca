// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package instance

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestCardFollowsTheLabels(t *testing.T) {
	path := filepath.Join(t.TempDir(), "labels")
	fixed := Card{Component: "channel", DCN: "dcn-east-1"}
	i := New(path, fixed)
	at := time.Unix(1000, 0)
	for _, step := range []struct {
		reason, content string
		seat, revision  string
	}{
		{"no file: nobody has seated it yet", "", "", ""},
		{"seated", "app=x\napp.fairway.cloud/seat=\"channel-3\"\napp.fairway.cloud/revision=\"r1\"\n", "channel-3", "r1"},
		{"the revision changes while it runs", "app.fairway.cloud/revision=\"r2\"\napp.fairway.cloud/seat=\"channel-3\"", "channel-3", "r2"},
		{"the seat is taken away", "app.fairway.cloud/revision=\"r2\"\n", "", "r2"},
		{"broken quotes are not a seat", "app.fairway.cloud/seat=\"channel\n", "", ""},
	} {
		if step.content != "" {
			if err := os.WriteFile(path, []byte(step.content), 0o644); err != nil {
				t.Fatal(err)
			}
			at = at.Add(time.Second)
			if err := os.Chtimes(path, at, at); err != nil {
				t.Fatal(err)
			}
		}
		want := fixed
		want.Seat, want.Revision = step.seat, step.revision
		if diff := cmp.Diff(want, i.Card()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.reason, diff)
		}
	}
}
