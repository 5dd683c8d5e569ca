// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package kept

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
)

var three = time.Date(2026, 11, 28, 3, 0, 0, 0, time.UTC)

func stop(name string) Stop {
	return Stop{Namespace: "retail-prod", Name: name, Person: "p10004", Groups: []string{"bank-operations"}, Session: "s-1", At: three}
}

func rel(namespace, name, application string) *releasev1.Release {
	return &releasev1.Release{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: releasev1.ReleaseSpec{Application: application}}
}

func open(t *testing.T, dir string) *Stops {
	t.Helper()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// What was kept holds its Release, also in the next process, until it was carried out.
func TestAStopIsKeptUntilItIsCarriedOut(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "stops")
	s := open(t, dir)
	if err := s.Keep(stop("pay-1")); err != nil {
		t.Fatal(err)
	}
	later := stop("cards")
	later.At = three.Add(time.Minute)
	if err := s.Keep(later); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	for name, tc := range map[string]struct {
		r    *releasev1.Release
		want bool
	}{
		"by its name":               {rel("retail-prod", "pay-1", "pay"), true},
		"by its application's name": {rel("retail-prod", "cards-7", "cards"), true},
		"another one":               {rel("retail-prod", "pay-2", "pay"), false},
		"of another tenant":         {rel("cards-prod", "pay-1", "pay"), false},
	} {
		if got := s.Holds(tc.r); got != tc.want {
			t.Errorf("%s: held %v, wanted %v", name, got, tc.want)
		}
	}
	if info, err := os.Stat(filepath.Join(dir, s.Waiting()[0].id)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("nobody else reads it: %v %v", info, err)
	}

	// The hub is away twice, takes the first, and refuses the second.
	var tried []string
	away := 2
	w := &Worker{Stops: s, Log: slog.New(slog.DiscardHandler), Carry: func(_ context.Context, stop Stop) (bool, error) {
		tried = append(tried, stop.Name)
		if away > 0 {
			away--
			return true, nil
		}
		if stop.Person != "p10004" || !slices.Equal(stop.Groups, []string{"bank-operations"}) || stop.Session != "s-1" {
			t.Errorf("it is written as who asked: %+v", stop)
		}
		if stop.Name == "cards" {
			return false, errors.New("forbidden")
		}
		return false, nil
	}}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Start(ctx) }()
	for deadline := time.Now().Add(20 * time.Second); len(s.Waiting()) > 0; <-time.After(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it is never carried out")
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(tried, " "); got != "pay-1 pay-1 pay-1 cards" {
		t.Errorf("the oldest first, again and again: %s", got)
	}
	if len(open(t, dir).Waiting()) != 0 {
		t.Error("nothing is left on the disk")
	}
}

// A full disk keeps nobody from stopping; the next process does not know of it, and
// whoever asked is told.
func TestAStopOnAFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=65536"); err != nil {
		t.Skipf("a disk of its own needs root: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	s := open(t, dir)
	if err := os.WriteFile(filepath.Join(dir, "ballast"), make([]byte, 1<<20), 0o600); !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("the disk is to be full: %v", err)
	}
	if err := s.Keep(stop("pay-1")); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("it says that it is in memory only: %v", err)
	}
	if !s.Holds(rel("retail-prod", "pay-1", "pay")) || len(s.Waiting()) != 1 {
		t.Error("it holds all the same")
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "*.json*")); len(files) != 0 {
		t.Errorf("half a stop is none: %v", files)
	}
	if err := s.done(s.Waiting()[0]); err != nil || s.Holds(rel("retail-prod", "pay-1", "pay")) {
		t.Errorf("and is forgotten: %v", err)
	}
}

// What cannot be read is not passed over: a stop may be lost in it.
func TestAStopThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "x.json"), []byte(`{"namespace":`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "move it away") {
		t.Errorf("got %v", err)
	}
}

// Whoever asks without end fills neither memory nor disk.
func TestNotWithoutEnd(t *testing.T) {
	s := open(t, t.TempDir())
	for i := range most {
		s.stops[fmt.Sprint(i)] = stop("pay-1")
	}
	if err := s.Keep(stop("pay-1")); !errors.Is(err, ErrFull) {
		t.Errorf("got %v", err)
	}
}

// A brake that was kept stops automation where it says, also in the next process, and holds
// no release that a person started.
func TestABrakeIsKeptUntilItIsCarriedOut(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "stops")
	s := open(t, dir)
	if why := s.Braked("prod"); why != "" {
		t.Errorf("held for nothing: %s", why)
	}
	if err := s.Keep(Stop{Name: "night", Person: "p10004", At: three, Brake: &Brake{Environments: []string{"prod"}, Reason: "the site is dark"}}); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	if why := s.Braked("prod"); !strings.Contains(why, "brake night") || !strings.Contains(why, "p10004") || !strings.Contains(why, "the site is dark") {
		t.Errorf("automation is held for %q", why)
	}
	if why := s.Braked("sit"); why != "" {
		t.Errorf("another environment is held: %s", why)
	}
	if s.Holds(rel("", "night", "night")) || s.Holds(rel("retail-prod", "pay-1", "pay")) {
		t.Error("a brake holds a release by name")
	}
	if err := s.done(s.Waiting()[0]); err != nil || s.Braked("prod") != "" || open(t, dir).Braked("prod") != "" {
		t.Errorf("carried out, it holds still: %v", err)
	}
}
