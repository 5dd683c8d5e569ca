// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/audit/ledger"
	"github.com/fairway-cloud/fairway/internal/audit/witness"
	"github.com/fairway-cloud/fairway/internal/platform/database/databasetest"
	"github.com/fairway-cloud/fairway/internal/release"
)

// ownDisk is a file system of so many MiB in memory over a folder. Only root can.
func ownDisk(t *testing.T, dir string, megabytes int) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dm,mode=0700", megabytes)); err != nil {
		t.Skipf("a disk of its own needs root: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
}

// full leaves no byte on a disk, and free gives them back.
func full(t *testing.T, dir string) (free func()) {
	t.Helper()
	path := filepath.Join(dir, "ballast")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	block := make([]byte, 64<<10)
	for len(block) > 0 {
		if _, err := file.Write(block); errors.Is(err, unix.ENOSPC) {
			block = block[:len(block)/2]
		} else if err != nil {
			t.Fatal(err)
		}
	}
	return func() {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

// endsDatabase stops a PostgreSQL of a test at once, as a power cut would.
func endsDatabase(t *testing.T, source string) {
	t.Helper()
	at, err := url.Parse(source)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(at.Query().Get("host"), "data", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(raw), "\n")
	pid, err := strconv.Atoi(first)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGQUIT); err != nil {
		t.Fatal(err)
	}
}

// back plans a Rollback, as the release room would one that the plan under way names.
func (w *wall) back(name string) {
	w.t.Helper()
	w.plans(name, func(d *release.Document) { d.Kind, d.Back = releasev1.KindRollback, true })
}

// TestTheWayBackWhileSomethingIsAway takes one thing after another away from a running
// server, with real disks, a real witness and a real database. What goes forward is
// refused then or waits; stopping and going back are not, and are told afterwards.
func TestTheWayBackWhileSomethingIsAway(t *testing.T) {
	root := t.TempDir()
	data, log := filepath.Join(root, "data"), filepath.Join(root, "log")
	ownDisk(t, data, 96)
	ownDisk(t, log, 32)
	evidence := filepath.Join(log, "evidence")
	if err := os.MkdirAll(evidence, 0o700); err != nil {
		t.Fatal(err)
	}
	key, err := ledger.EnsureKey(evidence)
	if err != nil {
		t.Fatal(err)
	}
	second, err := witness.Open(witness.Options{Dir: t.TempDir(), Logs: []string{key.Public}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = second.Close() })
	var blind atomic.Bool
	seen := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		if blind.Load() {
			http.Error(out, "away", http.StatusBadGateway)
			return
		}
		second.ServeHTTP(out, r)
	}))
	t.Cleanup(seen.Close)
	source := databasetest.Postgres(t)
	b := startServer(t, func(b *bench, o *serverOptions) {
		o.database, o.evidence.dir = source, evidence
		o.evidence.witness, o.evidence.witnessKey = seen.URL, second.PublicKey()
		// Its files lie where startServer looks for them.
		if err := os.Symlink(data, o.dataDir); err != nil {
			t.Fatal(err)
		}
	})
	w := newWall(t, b, "back", []tenancyv1.RoleBinding{
		{Role: tenancyv1.RoleReleaser, Groups: []string{"back-dev", "back-ops"}}, {Role: tenancyv1.RoleViewer, Groups: []string{"back-biz"}},
		{Role: tenancyv1.RoleBusinessApprover, Groups: []string{"back-biz"}}, {Role: tenancyv1.RoleTechnologyApprover, Groups: []string{"back-tech"}},
	}, []approvalv1.ApprovalPolicySpec{{Order: 1, Stages: joint()}}, "dev", "ops", "biz", "tech")
	on := func(words ...string) []string { return append(words, "-n", w.namespace()) }
	forward := on("release", "start", "mobile-bank", "--revision", w.revision, "--reason", "forward", "--ticket", "CHG-2", "--attach", "TestReport=1", "--attach", "BackOutPlan=2")

	var emptied []func()
	for i, fault := range []struct {
		name string
		// take takes something away; heal gives it back.
		take, heal func(t *testing.T)
		// refused is what whoever goes forward is told.
		refused string
	}{
		{"nothing", func(*testing.T) {}, func(*testing.T) {}, ""},
		{"the log's folder is gone", func(t *testing.T) {
			if err := os.Rename(evidence, evidence+".gone"); err != nil {
				t.Fatal(err)
			}
		}, func(t *testing.T) {
			// What the server wrote there meanwhile is not the log.
			if err := errors.Join(os.RemoveAll(evidence), os.Rename(evidence+".gone", evidence)); err != nil {
				t.Fatal(err)
			}
		}, "the evidence log does not take the record"},
		{"the log's disk is full", func(t *testing.T) { emptied = []func(){full(t, log)} }, func(*testing.T) { emptied[0]() }, "the evidence log does not take the record"},
		{"every disk is full", func(t *testing.T) { emptied = []func(){full(t, log), full(t, data)} }, func(*testing.T) { emptied[0](); emptied[1]() }, "the evidence log does not take the record"},
		{"the witness is away", func(*testing.T) { blind.Store(true) }, func(*testing.T) { blind.Store(false) }, "the evidence log does not take the record"},
		{"the database is away", func(t *testing.T) { endsDatabase(t, source) }, nil, "could not check the token now"},
	} {
		t.Run(fault.name, func(t *testing.T) {
			w.t = t
			name := fmt.Sprintf("base-%d", i)
			w.asks(name)
			w.request(name+"-1", "Waiting")
			for _, who := range []string{"biz", "tech"} {
				w.eventually(who+" agrees", func() error {
					if out, code := w.fairway(who, on("approve", name+"-1")...); code != 0 && !strings.Contains(out, "agreed already") {
						return errors.New(out)
					}
					return nil
				})
			}
			w.begins(name)

			fault.take(t)
			if fault.refused != "" {
				w.eventually("going forward is refused", func() error {
					if out, code := w.fairway("ops", forward...); code == 0 || !strings.Contains(out, fault.refused) {
						return fmt.Errorf("exit %d: %s", code, out)
					}
					return nil
				})
			}
			w.must("ops", on("release", "stop", name)...)
			if got := w.release(name).Spec.Desired; got != "Stop" {
				t.Errorf("it is stopped, got %q", got)
			}
			out := w.must("ops", on("release", "start", "mobile-bank", "--kind", "Rollback", "--revision", w.revision, "--reason", "back "+fault.name, "-o", "name")...)
			_, rollback, _ := strings.Cut(strings.TrimSpace(out), "/")
			w.back(rollback)
			w.begins(rollback)
			if fault.heal == nil {
				return
			}
			fault.heal(t)
			w.eventually("what was done is told", func() error {
				for of, wanted := range map[string]string{name: "back-ops stopped release " + name, rollback: "back-ops began release " + rollback} {
					if out, code := w.fairway("biz", on("audit", "history", "release/"+of)...); code != 0 || !strings.Contains(out, wanted) {
						return fmt.Errorf("it lacks %q:\n%s", wanted, out)
					}
				}
				return nil
			})
			// The next one takes over from what is stopped.
			w.must("ops", on("release", "stop", rollback)...)
		})
	}
}
