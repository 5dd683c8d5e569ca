// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package ledger

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"

	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/platform/metricstest"
)

// smallDisk mounts a file system of so many bytes in memory. Only root can.
func smallDisk(t *testing.T, bytes int) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", bytes)); err != nil {
		t.Skipf("a disk of its own needs root: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}

// fill writes until nothing fits any more.
func fill(t *testing.T, dir string) (empty func()) {
	t.Helper()
	path := filepath.Join(dir, "filler")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	block := make([]byte, 4096)
	for err == nil {
		_, err = file.Write(block)
	}
	file.Close()
	if !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
	return func() {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

// eventually waits for what another goroutine does.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 20 s: %s", what)
		}
	}
}

// watched are the log's metrics.
func watched(t *testing.T, l *Ledger) map[string]float64 {
	t.Helper()
	registry := prometheus.NewRegistry()
	if err := l.Register(registry); err != nil {
		t.Fatal(err)
	}
	return metricstest.Read(t, registry)
}

func TestFullDisk(t *testing.T) {
	disk := smallDisk(t, 4<<20)
	dir, spoolDir := filepath.Join(disk, "evidence"), t.TempDir()
	l, err := Open(Options{Dir: dir, Spool: spoolDir, Now: at(2026), Interval: 5 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	before, err := l.Intent(ctx, act("before"))
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "a checkpoint", func() bool { n, _ := l.Size(ctx); return n == 3 })
	empty := fill(t, disk)

	// A record may fit what is left of a block; what does not fit is refused.
	var refused error
	taken := 0
	for range 200 {
		if _, err := l.Intent(ctx, audit.Act{Verb: "app.apply", Person: "p-1", Subject: "filling", Reason: strings.Repeat("x", 200)}); err != nil {
			refused = err
			break
		}
		taken++
	}
	if refused == nil || !strings.Contains(refused.Error(), "no space left") {
		t.Fatalf("a full disk refuses with its reason: %v", refused)
	}
	err = audit.Do(ctx, l, audit.FailClosed, act("forward"), func(context.Context) error { t.Error("it must not begin"); return nil })
	if !errors.Is(err, audit.ErrAway) {
		t.Errorf("what cannot be recorded does not happen: %v", err)
	}
	done := false
	if err := audit.Do(ctx, l, audit.FailOpen, act("rollback"), func(context.Context) error { done = true; return nil }); err != nil || !done {
		t.Errorf("the way back goes on: %v, %v", done, err)
	}
	if err := l.Outcome(ctx, before, audit.Outcome{Result: audit.Done}); err != nil {
		t.Errorf("the outcome of an act that has begun is kept: %v", err)
	}
	if _, err := l.Read(ctx, 0, 10); err != nil {
		t.Errorf("reads go on: %v", err)
	}

	if got := watched(t, l); got["fairway_audit_away"] != 1 || got["fairway_audit_spooled"] != 1 {
		t.Errorf("whoever watches sees it: %v", got)
	}
	empty()
	if _, err := l.Intent(ctx, act("after")); err != nil {
		t.Errorf("once there is room it goes on, without a restart: %v", err)
	}
	eventually(t, "the spool is in the log", func() bool { files, _ := os.ReadDir(spoolDir); return len(files) == 0 })
	if got := watched(t, l); got["fairway_audit_away"] != 0 || got["fairway_audit_spooled"] != 0 || got["fairway_audit_records"] < 3 {
		t.Errorf("and that it is over: %v", got)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	got := strings.Join(told(t, dir), "\n")
	for _, want := range []string{"app.apply before", "3 was Done", "spool 1: app.apply rollback", "spool 2: 1 was Done", "app.apply after"} {
		if strings.Count(got, want) != 1 {
			t.Errorf("%q is there once:\n%s", want, got)
		}
	}
	if strings.Contains(got, "forward") || strings.Count(got, "filling") != taken {
		t.Errorf("what was refused is not there, and what was taken is (%d):\n%s", taken, got)
	}
}

// TestOpenOnAFullDisk starts a server whose evidence has no room.
func TestOpenOnAFullDisk(t *testing.T) {
	disk := smallDisk(t, 4<<20)
	dir := filepath.Join(disk, "evidence")
	l, err := Open(Options{Dir: dir, Now: at(2026)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Intent(ctx, act("left open")); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	empty := fill(t, disk)
	if l, err = Open(Options{Dir: dir, Now: at(2027), Interval: time.Millisecond, Spool: filepath.Join(disk, "spool")}); err != nil {
		t.Fatalf("the log opens, and is away: %v", err)
	}
	if _, err := l.Intent(ctx, act("refused")); err == nil {
		t.Error("there is no room")
	}
	if err := audit.Do(ctx, l, audit.FailOpen, act("rollback"), func(context.Context) error { return nil }); err != nil {
		t.Errorf("the way back goes on: %v", err)
	}
	empty()
	eventually(t, "everything is in the log", func() bool { n, _ := l.Size(ctx); return n == 3+2+1+2 })
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	got := told(t, dir)
	slices.Sort(got[5:])
	want := []string{
		"server 1: audit.open EvidenceLog//2026", "server 2: 1 was Done", "server 3: app.apply left open",
		"server 4: audit.open EvidenceLog//2027", "server 5: 4 was Done",
		"server 6: 3 was " + unknown, "spool 1: app.apply rollback", "spool 2: 1 was Done",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestReadOnlyDisk is what a file system does to itself after an error.
func TestReadOnlyDisk(t *testing.T) {
	disk := smallDisk(t, 4<<20)
	dir := filepath.Join(disk, "evidence")
	l, err := Open(Options{Dir: dir, Now: at(2026), Interval: 5 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Intent(ctx, act("before")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a checkpoint", func() bool { n, _ := l.Size(ctx); return n == 3 })
	// A lazily mounted second view is read-only at once; the first one is closed to writes
	// only when no file is open for it, so the log's own files are closed as an error would.
	_ = l.pending.file.Close()
	if err := unix.Mount("", disk, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		_ = l.lock.Close()
		if err := unix.Mount("", disk, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
			t.Skipf("the disk cannot be made read-only under an open log: %v", err)
		}
	}
	for range 3 {
		if _, err := l.Intent(ctx, act("refused")); err == nil {
			t.Fatal("a disk that cannot be written takes nothing")
		}
	}
	done := false
	if err := audit.Do(ctx, l, audit.FailOpen, act("rollback"), func(context.Context) error { done = true; return nil }); err != nil || !done {
		t.Errorf("the way back goes on, its record kept in memory: %v, %v", done, err)
	}
	if err := unix.Mount("", disk, "", unix.MS_REMOUNT, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Intent(ctx, act("after")); err != nil {
		t.Errorf("once it can be written again it goes on, without a restart: %v", err)
	}
	eventually(t, "the records kept in memory are in the log", func() bool { n, _ := l.Size(ctx); return n == 6 })
	_ = l.Close()
	want := []string{
		"server 1: audit.open EvidenceLog//2026", "server 2: 1 was Done", "server 3: app.apply before",
		"server 4: app.apply after", "spool 1: app.apply rollback", "spool 2: 1 was Done",
	}
	got := told(t, dir)
	slices.Sort(got[3:]) // which of them comes first is chance
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestHangingDisk holds the writer, as a disk does that answers nothing.
func TestHangingDisk(t *testing.T) {
	dir := t.TempDir()
	l, err := Open(Options{Dir: dir, Now: at(2026)})
	if err != nil {
		t.Fatal(err)
	}
	answer, hangs := make(chan struct{}), make(chan struct{})
	go l.ask(func() { close(hangs); <-answer })
	<-hangs
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	if err := audit.Do(short, l, audit.FailClosed, act("forward"), func(context.Context) error { t.Error("it must not begin"); return nil }); !errors.Is(err, audit.ErrAway) {
		t.Errorf("whoever asks is answered: %v", err)
	}
	done, began := false, time.Now()
	if err := audit.Do(ctx, l, audit.FailOpen, act("rollback"), func(context.Context) error { done = true; return nil }); err != nil || !done || time.Since(began) > 10*time.Second {
		t.Errorf("the way back waits for the disk a little, and goes on: %v, %v after %s", done, err, time.Since(began))
	}
	close(answer)
	eventually(t, "everything is in the log", func() bool { n, _ := l.Size(ctx); return n == 2+2+2+2 })
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	text := strings.Join(told(t, dir), "\n")
	for _, want := range []string{
		"server 3: app.apply forward", "3 was Refused: the act was not begun: whoever asked had left",
		"server 4: app.apply rollback", "4 was Unknown: the log was too slow for the way back", "spool 1: app.apply rollback", "spool 2: 1 was Done",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is told:\n%s", want, text)
		}
	}
}

// TestFolderTakenAway moves the folder from under a running log.
func TestFolderTakenAway(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "evidence")
	l, err := Open(Options{Dir: dir, Now: at(2026)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Intent(ctx, act("before")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(dir, dir+"-away"); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Intent(ctx, act("refused")); err == nil {
		t.Error("a record that would be gone with the process is refused")
	}
	if err := os.Rename(dir+"-away", dir); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Intent(ctx, act("after")); err != nil {
		t.Errorf("once it is back it goes on: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if got := told(t, dir); len(got) != 4 || !strings.Contains(got[3], "after") {
		t.Errorf("%q", got)
	}
}

// TestSpoolAcrossACrash leaves records in the spool, as a server does that is
// killed while the log is away, and opens again.
func TestSpoolAcrossACrash(t *testing.T) {
	dir, spoolDir := t.TempDir(), t.TempDir()
	l, err := Open(Options{Dir: dir, Spool: spoolDir, Now: at(2026)})
	if err != nil {
		t.Fatal(err)
	}
	// Directly into the spool: what is written there before the log takes it.
	number, err := l.spool.Keep(audit.Record{Time: at(2026)(), Kind: audit.KindIntent, Act: &audit.Act{Verb: "release.rollback", Person: "p-1", Subject: "a"}})
	if err != nil || number != 1 {
		t.Fatal(number, err)
	}
	kept := t.TempDir()
	if err := os.CopyFS(kept, os.DirFS(spoolDir)); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for i := range 3 { // the same files again: every record comes once
		if err := os.CopyFS(spoolDir, os.DirFS(kept)); err != nil && !errors.Is(err, os.ErrExist) {
			t.Fatal(err)
		}
		l, err := Open(Options{Dir: dir, Spool: spoolDir, Now: at(2026)})
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "the spool is in the log", func() bool { files, _ := os.ReadDir(spoolDir); return len(files) == 0 })
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		got := told(t, dir)
		if n := strings.Count(strings.Join(got, "\n"), "release.rollback a"); n != 1 {
			t.Errorf("after %d more starts the record is there %d times: %q", i, n, got)
		}
		if last := got[len(got)-1]; last != "spool 2: 1 was "+unknown {
			t.Errorf("an act whose process was killed has an outcome: %q", last)
		}
	}
}

// TestSpoolThatWasAltered is set aside and told.
func TestSpoolThatWasAltered(t *testing.T) {
	dir, spoolDir := t.TempDir(), t.TempDir()
	l, err := Open(Options{Dir: dir, Spool: spoolDir, Now: at(2026)})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"good", "altered", "behind"} {
		if _, err := l.spool.Keep(audit.Record{Time: at(2026)(), Kind: audit.KindIntent, Act: &audit.Act{Verb: "release.stop", Person: "p-1", Subject: s}}); err != nil {
			t.Fatal(err)
		}
	}
	files, err := filepath.Glob(filepath.Join(spoolDir, "spool-*"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	raw, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	kept := t.TempDir()
	altered := filepath.Join(kept, filepath.Base(files[0]))
	if err := os.WriteFile(altered, []byte(strings.Replace(string(raw), "altered", "forgery", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	// This process ends without having brought them in.
	l.spool.Done(3)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	again := open(t, Options{Dir: dir, Spool: kept, Now: at(2026), Interval: time.Millisecond})
	eventually(t, "the file is set aside", func() bool { _, err := os.Stat(altered + ".broken"); return err == nil })
	eventually(t, "it is told", func() bool {
		entries, _ := again.Read(ctx, 0, 100)
		text := ""
		for _, e := range entries {
			text += line(e.Record) + "\n"
		}
		return strings.Contains(text, "release.stop good") && strings.Contains(text, "was altered") && !strings.Contains(text, "forgery") && !strings.Contains(text, "behind")
	})
}
