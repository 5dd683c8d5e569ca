// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package settings

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

type example struct {
	Greeting string   `json:"greeting"`
	Drain    Duration `json:"drain"`
}

func TestLoad(t *testing.T) {
	defaults := example{Greeting: "hello", Drain: Duration(5 * time.Second)}
	path := filepath.Join(t.TempDir(), "config.json")
	f, err := Open(path, defaults, func(e example) error {
		if e.Drain < 0 {
			return errors.New("drain is negative")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		reason, content string
		remove          bool
		want            example
		fails           bool
	}{
		{reason: "no file means defaults", want: defaults},
		{reason: "one field, the other keeps its default", content: `{"greeting":"hi"}`, want: example{"hi", Duration(5 * time.Second)}},
		{reason: "an unknown field is refused, the last good stays", content: `{"greting":"x"}`, want: example{"hi", Duration(5 * time.Second)}, fails: true},
		{reason: "a refused value, the last good stays", content: `{"drain":"-1s"}`, want: example{"hi", Duration(5 * time.Second)}, fails: true},
		{reason: "text after the object", content: `{"drain":"1s"} }`, want: example{"hi", Duration(5 * time.Second)}, fails: true},
		{reason: "good again", content: `{"drain":"1s"}`, want: example{"hello", Duration(time.Second)}},
		{reason: "the file goes away", remove: true, want: defaults},
	} {
		if step.content != "" {
			if err := os.WriteFile(path, []byte(step.content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if step.remove {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := f.load(); (err != nil) != step.fails {
			t.Errorf("%s: error %v", step.reason, err)
		}
		if diff := cmp.Diff(step.want, f.Current()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.reason, diff)
		}
	}
}

func TestFollowSeesAChange(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.json")
	f, err := Open(path, example{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	seen := make(chan string, 1)
	go f.Follow(ctx, time.Millisecond, func(e example) { seen <- e.Greeting })
	draft := path + ".draft"
	if err := os.WriteFile(draft, []byte(`{"greeting":"live"}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(draft, path); err != nil {
		t.Fatal(err)
	}
	select {
	case got := <-seen:
		if got != "live" {
			t.Errorf("greeting %q", got)
		}
	case <-ctx.Done():
		t.Error("the change was not seen")
	}
}

func TestOpenRefusesBrokenContent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(path, []byte(`{`), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, example{}, nil); err == nil {
		t.Error("a service would have started with a broken configuration")
	}
}
